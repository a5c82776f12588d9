"""How who may write to a repository keeps its discussions in order: locks, pins, and many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from hub.accounts.policy import Action, Actor, require
from hub.base.errors import Conflict, HubError, Invalid
from hub.base.log import get_logger
from hub.community.models import Discussion, DiscussionEventType, DiscussionStatus
from hub.community.service import labels, timeline
from hub.community.service.discussions import count_of, get_discussion, record
from hub.community.service.texts import check_line
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_for
from hub.repos.models import Repository

log = get_logger(__name__)

MAX_PINNED = 3
MAX_AT_ONCE = 100
MAX_REASON_CHARS = 255
ACTIONS = ("close", "open", "label", "unlabel", "lock", "unlock")


def set_locked(work: UnitOfWork, *, actor: Actor, discussion_id: int, is_locked: bool, reason: str = "") -> Discussion:
    """Lock a discussion, so that only who may write to the repository says something in it, or unlock it.

    May be repeated. Raises NotFound, NotSignedIn, Denied; Invalid (``REQ-ERR-6``).
    """
    discussion = _get(work, actor, discussion_id)
    data = {"reason": said} if (said := check_line(reason, what="reason", most=MAX_REASON_CHARS)) else {}
    was = Discussion.locked_at.is_(None) if is_locked else Discussion.locked_at.is_not(None)
    changed = update(Discussion).where(Discussion.id == discussion_id, was)
    if count_of(work, changed.values(locked_at=work.now() if is_locked else None)):
        type = DiscussionEventType.LOCKED if is_locked else DiscussionEventType.UNLOCKED
        record(work, discussion, type, data, user_id=actor.user_id)
        log.info("discussion_locked", discussion_id=discussion_id, is_locked=is_locked, actor_id=actor.user_id)
    work.session.refresh(discussion, ["locked_at"])
    return discussion


def set_pinned(work: UnitOfWork, *, actor: Actor, discussion_id: int, is_pinned: bool) -> Discussion:
    """Show a discussion before the others of its repository, or no more. May be repeated.

    Raises NotFound, NotSignedIn, Denied; Conflict (``too_many_pinned``).
    """
    discussion = _get(work, actor, discussion_id)
    if is_pinned:
        # One after the other, so that two at once are no more than one by one.
        work.session.execute(
            select(Repository.id).where(Repository.id == discussion.repository_id).with_for_update(key_share=True)
        )
    was = Discussion.pinned_at.is_(None) if is_pinned else Discussion.pinned_at.is_not(None)
    changed = update(Discussion).where(Discussion.id == discussion_id, was)
    if count_of(work, changed.values(pinned_at=work.now() if is_pinned else None)):
        pinned = select(func.count(Discussion.id)).where(
            Discussion.repository_id == discussion.repository_id, Discussion.pinned_at.is_not(None)
        )
        if is_pinned and (work.session.scalar(pinned) or 0) > MAX_PINNED:
            raise Conflict(f"At most {MAX_PINNED} can be pinned; unpin another first.", code="too_many_pinned")
        type = DiscussionEventType.PINNED if is_pinned else DiscussionEventType.UNPINNED
        record(work, discussion, type, {}, user_id=actor.user_id)
    work.session.refresh(discussion, ["pinned_at"])
    return discussion


def _get(work: UnitOfWork, actor: Actor, discussion_id: int) -> Discussion:
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require(work, actor, Action.REPOSITORY_WRITE, discussion.repository)
    return discussion


@dataclass(frozen=True)
class Done:
    """What became of one of many: the reason where it stayed as it was, else empty."""

    number: int
    reason: str = ""


def do_to_many(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    numbers: Sequence[int],
    action: str,
    names: Sequence[str] = (),
    reason: str = "",
) -> list[Done]:
    """Do the same to up to ``MAX_AT_ONCE`` discussions of a repository: for who may write to it.

    action: of ``ACTIONS``. names: of labels. reason: of a lock, or why they are closed. What cannot be done to one
    leaves the others alone. Raises NotFound, NotSignedIn, Denied; Invalid (``REQ-ERR-6``).
    """
    numbers = list(dict.fromkeys(numbers))
    if not 1 <= len(numbers) <= MAX_AT_ONCE:
        raise Invalid(f"Name 1 to {MAX_AT_ONCE} numbers.", code="REQ-ERR-6", member="numbers")
    if action not in ACTIONS:
        raise Invalid(f"'action' must be one of {', '.join(ACTIONS)}.", code="REQ-ERR-6", member="action")
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    if action in ("label", "unlabel"):
        labels.find_labels(work, repository.id, names)  # of what is not there, once for all
    rows = work.session.execute(
        select(Discussion.number, Discussion.id).where(
            Discussion.repository_id == repository.id, Discussion.number.in_(numbers)
        )
    )
    ids = dict(rows.all())
    done = []
    for number in numbers:
        if number not in ids:
            done.append(Done(number, "There is no such discussion."))
            continue
        try:
            with work.savepoint():
                _do(work, actor, ids[number], action, names, reason)
        except HubError as error:
            done.append(Done(number, str(error)))
        else:
            done.append(Done(number))
    return done


def _do(work: UnitOfWork, actor: Actor, discussion_id: int, action: str, names: Sequence[str], reason: str) -> None:
    target: dict[str, Any] = {"actor": actor, "discussion_id": discussion_id}
    match action:
        case "close":
            timeline.set_status(work, **target, status=DiscussionStatus.CLOSED, reason=reason)
        case "open":
            timeline.set_status(work, **target, status=DiscussionStatus.OPEN)
        case "label":
            labels.put_on(work, **target, names=names)
        case "unlabel":
            labels.take_off(work, **target, names=names)
        case _:
            set_locked(work, **target, is_locked=action == "lock", reason=reason)
