"""What happens in discussions besides comments: they are closed and opened again; comments are hidden.

Source: Hugging Face contract, section 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from hub.accounts.policy import Actor
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.community import events
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionEventType, DiscussionStatus
from hub.community.service.discussions import (
    count_of,
    create_comment,
    get_comment,
    get_discussion,
    record,
    require_author,
)
from hub.community.service.pulls import require_few
from hub.community.service.switches import require_on
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

DUPLICATE = "duplicate"
CLOSE_REASONS = ("completed", "not_planned", DUPLICATE)

# Of comments and of other events each; of more, the newest are shown.
MAX_SHOWN = 1000


def list_events(
    work: UnitOfWork, discussion: Discussion, *, types: Sequence[DiscussionEventType] = ()
) -> Sequence[Comment | DiscussionEvent]:
    """All that happened in a discussion that the actor may read, the oldest first, at most ``MAX_SHOWN`` of a sort.

    types: only events of these; empty: of all. Without what was said about lines of files: ``reviews_threads`` gives
    those.
    """
    found: list[Comment | DiscussionEvent] = []
    plain = (Comment.discussion_id == discussion.id, Comment.thread_id.is_(None))
    comments = select(Comment).where(*plain).options(joinedload(Comment.user))
    found += work.session.scalars(comments.order_by(Comment.id.desc()).limit(MAX_SHOWN))
    others = select(DiscussionEvent).where(DiscussionEvent.discussion_id == discussion.id)
    if types:
        others = others.where(DiscussionEvent.type.in_(types))
    others = others.options(joinedload(DiscussionEvent.user)).order_by(DiscussionEvent.id.desc())
    found += work.session.scalars(others.limit(MAX_SHOWN))
    return sorted(found, key=lambda one: (one.created_at, isinstance(one, DiscussionEvent), one.id))


def find_last(work: UnitOfWork, discussion: Discussion, type: DiscussionEventType) -> DiscussionEvent | None:
    """The last event of that type in a discussion."""
    found: DiscussionEvent | None = work.session.scalar(
        select(DiscussionEvent)
        .where(DiscussionEvent.discussion_id == discussion.id, DiscussionEvent.type == type)
        .options(joinedload(DiscussionEvent.user))
        .order_by(DiscussionEvent.id.desc())
        .limit(1)
    )
    return found


def unchanged(
    work: UnitOfWork, discussion: Discussion, type: DiscussionEventType, data: dict[str, Any]
) -> DiscussionEvent:
    """The event that would have been, for who asked for what was so already; it is kept nowhere."""
    return DiscussionEvent(id=0, discussion_id=discussion.id, user=None, type=type, data=data, created_at=work.now())


def set_status(
    work: UnitOfWork,
    *,
    actor: Actor,
    discussion_id: int,
    status: DiscussionStatus,
    comment: str = "",
    reason: str = "",
    duplicate_of: int | None = None,
) -> DiscussionEvent | None:
    """Close a discussion or pull request, or open it (again): for its author and who may write to the repository.

    comment: said beside it; "" for none. reason: why it is closed, of ``CLOSE_REASONS``; "" for none. duplicate_of: the
    number of the one, in the same repository, that a duplicate repeats. None: it has that status already.
    Raises NotFound, NotSignedIn; Denied, also of opening where there are none any more (``switches``); Invalid
    (``REQ-ERR-6``); Conflict (``discussion_merged``, ``too_many_pull_requests``).
    """
    if status not in (DiscussionStatus.OPEN, DiscussionStatus.CLOSED):
        raise Invalid("'status' must be open or closed.", code="REQ-ERR-6", member="status")
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require_author(work, actor, discussion.repository, discussion.user_id, or_writer=True)
    why = _check_reason(work, discussion, status, reason, duplicate_of)
    is_reopened = discussion.status == DiscussionStatus.CLOSED and status == DiscussionStatus.OPEN
    if is_reopened:
        require_on(work, discussion.repository_id, is_pull_request=discussion.is_pull_request)
    if discussion.is_pull_request and is_reopened and discussion.user is not None:
        require_few(work, discussion.user, actor, discussion.repository)
    if comment.strip():
        create_comment(work, actor=actor, discussion_id=discussion_id, content=comment)
    # A merge at the same moment wins: what its branch holds cannot be taken back.
    changed = update(Discussion).where(
        Discussion.id == discussion_id, Discussion.status.not_in((status, DiscussionStatus.MERGED))
    )
    is_changed = count_of(work, changed.values(status=status, updated_at=work.now())) > 0
    was = discussion.status
    work.session.refresh(discussion, ["status", "updated_at", "comment_count"])
    if not is_changed:
        if discussion.status == DiscussionStatus.MERGED:
            raise Conflict("This pull request is merged; it stays so.", code="discussion_merged")
        return None
    data = {"status": status.value} | why
    event = record(work, discussion, DiscussionEventType.STATUS_CHANGE, data, user_id=actor.user_id)
    args = (discussion.id, discussion.repository_id, actor.user_id)
    if not discussion.is_pull_request:
        publish(work, events.DiscussionUpdated(*args))
    elif status == DiscussionStatus.CLOSED:
        publish(work, events.PullRequestClosed(*args))
    elif was == DiscussionStatus.CLOSED:
        publish(work, events.PullRequestOpened(*args, is_again=True))
    log.info("discussion_status_set", discussion_id=discussion_id, status=status.value, actor_id=actor.user_id)
    return event


def _check_reason(
    work: UnitOfWork, discussion: Discussion, status: DiscussionStatus, reason: str, duplicate_of: int | None
) -> dict[str, Any]:
    """What the event says of why."""
    if not reason and duplicate_of is None:
        return {}
    if status != DiscussionStatus.CLOSED or reason not in CLOSE_REASONS:
        message = f"'reason' must be one of {', '.join(CLOSE_REASONS)}, of what is closed."
        raise Invalid(message, code="REQ-ERR-6", member="reason", allowed=list(CLOSE_REASONS))
    if duplicate_of is None:
        return {"reason": reason}
    of = (Discussion.repository_id == discussion.repository_id, Discussion.number == duplicate_of)
    if reason != DUPLICATE or duplicate_of == discussion.number:
        raise Invalid("'duplicate_of' is for duplicates of another.", code="REQ-ERR-6", member="duplicate_of")
    if work.session.scalar(select(Discussion.id).where(*of)) is None:
        raise NotFound(f"There is no discussion {duplicate_of}.", code="discussion_not_found")
    return {"reason": reason, "duplicate_of": duplicate_of}


def hide_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, comment_id: int) -> Comment:
    """Show a comment's content to nobody any more: for its author and who may write to the repository.

    May be repeated. Raises NotFound, NotSignedIn, Denied.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    comment = get_comment(work, discussion, comment_id)
    require_author(work, actor, discussion.repository, comment.user_id, or_writer=True)
    hidden = update(Comment).where(Comment.id == comment_id, Comment.hidden_at.is_(None))
    if count_of(work, hidden.values(hidden_at=work.now())):
        publish(work, events.CommentUpdated(comment.id, discussion.id, discussion.repository_id, actor.user_id))
        log.info("comment_hidden", comment_id=comment_id, discussion_id=discussion_id, actor_id=actor.user_id)
    work.session.refresh(comment, ["hidden_at"])
    return comment
