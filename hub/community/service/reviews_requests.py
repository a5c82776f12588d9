"""Who is asked to review a pull request: by its author, or by who may write to the repository."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, can
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.texts import is_storable
from hub.community import events
from hub.community.models import DiscussionEventType, PullRequest
from hub.community.models_reviews import ReviewRequest
from hub.community.service import discussions
from hub.community.service.pulls import get_open, get_pull
from hub.db.insert import insert_new_keys
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_for

log = get_logger(__name__)

MAX_ASKED = 15  # in one pull request, as on GitHub


def ask_for_review(
    work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, names: Sequence[str]
) -> PullRequest:
    """Ask users to review an open pull request. May be repeated; who is asked already is told nothing.

    Raises NotFound (``pull_request_not_found``; ``user_not_found``: there is none of that name who may read the
    repository), Invalid (``own_pull_request``: its author is named), Conflict (``pull_request_closed``,
    ``too_many_reviewers``), NotSignedIn, Denied.
    """
    pull = get_open(work, actor=actor, repository_id=repository_id, number=number)
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    keys = {fold_name(name) for name in names if is_storable(name)}
    found = work.session.scalars(
        select(User).join(User.namespace).where(Namespace.path_key.in_(keys), User.is_active)
    ).all()
    people = [
        user for user in found if can(work, Actor.of_user(user, via="session"), Action.REPOSITORY_READ, repository)
    ]
    if not keys or len(people) != len({*names}):
        raise NotFound("One of them is no user who may read this repository.", code="user_not_found")
    if any(user.id == pull.discussion.user_id for user in people):
        raise Invalid("The author of a pull request does not review it.", code="own_pull_request")
    now = work.now()
    rows = [
        {"discussion_id": pull.discussion_id, "user_id": user.id, "asked_by_id": actor.user_id, "created_at": now}
        for user in people
    ]
    fresh = {key.user_id for key in insert_new_keys(work.session, ReviewRequest, rows)}
    asked = select(func.count()).where(ReviewRequest.discussion_id == pull.discussion_id)
    if (work.session.scalar(asked) or 0) > MAX_ASKED:
        raise Conflict(f"At most {MAX_ASKED} are asked to review at a time.", code="too_many_reviewers")
    for user in people:
        if user.id in fresh:
            _record(work, pull, user, actor, is_withdrawn=False)
            publish(work, events.ReviewRequested(pull.discussion_id, repository_id, user.id, actor.user_id))
    log.info("review_requested", discussion_id=pull.discussion_id, count=len(fresh), actor_id=actor.user_id)
    return pull


def withdraw_request(work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, name: str) -> PullRequest:
    """Ask somebody no more: for the author, who may write to the repository, and whoever was asked.

    Raises NotFound (``pull_request_not_found``, ``request_not_found``), NotSignedIn, Denied.
    """
    pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    is_named = Namespace.path_key == fold_name(name)
    user = work.session.scalar(select(User).join(User.namespace).where(is_named)) if is_storable(name) else None
    if user is None or user.id != actor.user_id:
        discussions.require_author(work, actor, repository, pull.discussion.user_id, or_writer=True)
    gone = delete(ReviewRequest).where(
        ReviewRequest.discussion_id == pull.discussion_id, ReviewRequest.user_id == (user.id if user else 0)
    )
    if user is None or not discussions.count_of(work, gone):
        raise NotFound("Nobody of that name is asked to review this.", code="request_not_found")
    _record(work, pull, user, actor, is_withdrawn=True)
    return pull


def _record(work: UnitOfWork, pull: PullRequest, user: User, actor: Actor, *, is_withdrawn: bool) -> None:
    data = {"user": user.name, "is_withdrawn": is_withdrawn}
    discussions.record(work, pull.discussion, DiscussionEventType.REVIEW_REQUEST, data, user_id=actor.user_id)
