"""Pull requests that follow a branch: of their repository, or of a fork of it.

``refs/pr/<number>`` goes where the branch is while the pull request is open: after each push there (a job), and once
more before a merge. From a fork it follows in its author's name, who must still be able to read the fork, and to write
to it where it is private. When the branch or the fork goes, the pull request is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import contains_eager

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can
from hub.base.context import Context
from hub.base.errors import Conflict, HubError
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.community import events
from hub.community.models import Discussion, DiscussionEventType, DiscussionStatus, PullRequest
from hub.community.service import discussions
from hub.community.service.pulls import find_pull, get_source
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.merge import holds
from hub.git.repository import find_revision, list_refs
from hub.git.types import ZERO_OID, RefChange
from hub.repos import refs
from hub.repos.checks import Purpose
from hub.repos.lookup import get_for, is_live, may_read, repository_path
from hub.repos.models import Repository
from hub.repos.proposals import proposal_ref
from hub.repos.transplants import bring_commits

log = get_logger(__name__)

_AT_ONCE = 200


def sources_of(work: UnitOfWork, actor: Actor, pulls: Sequence[PullRequest]) -> dict[int, str]:
    """The paths of the repositories that pull requests follow a branch of, by id, where the actor may see them.

    One query.
    """
    ids = {pull.source_repository_id for pull in pulls if pull.source_repository_id is not None}
    if not ids:
        return {}
    found = work.session.scalars(select(Repository).where(Repository.id.in_(ids), is_live(), may_read(actor)))
    return {repository.id: repository.path for repository in found}


def follow_pull(context: Context, pull: PullRequest, *, by: Actor | None = None) -> str | None:
    """Bring an open pull request to where its branch is; the commit, or None: it follows none, or was closed.

    by: in whose name, where the branch is one of the repository itself: who pushed there, or merges; None: the author.
    Raises Denied, NotFound where the author may not have it any more, and what a push may raise.
    """
    if not pull.source_ref:
        return None
    number, is_fork = pull.discussion.number, pull.source_repository_id != pull.repository_id
    with reading(context) as work:
        fresh = find_pull(work, pull.repository_id, number)
        target = work.session.scalar(select(Repository).where(Repository.id == pull.repository_id, is_live()))
        source = work.session.scalar(select(Repository).where(Repository.id == pull.source_repository_id, is_live()))
        if fresh is None or target is None or fresh.discussion.status not in discussions.OPEN:
            return None
        author = fresh.discussion.user
        actor = by if by is not None and not is_fork else _actor_of(author)
    tip = offload(find_revision, repository_path(context.settings, source), pull.source_ref) if source else None
    path = repository_path(context.settings, target)
    tips = offload(list_refs, path)
    head, base = tips.get(proposal_ref(number)), tips.get(pull.base_ref)
    if source is None or tip is None:
        # A branch that was merged by hand and removed at once is for ``settle_pulls``.
        if base is None or head is None or not offload(holds, path, base, head):
            _close(context, fresh)
        return None
    if tip == head or actor is None:
        return head
    if is_fork:
        with reading(context) as work:
            get_source(work, actor, target, source.id)
        limit = context.settings.max_push_size_bytes
        bring_commits(context, actor=actor, source=source, target=target, commit_id=tip, max_bytes=limit)
    refs.receive(
        context,
        actor=actor,
        repository=target,
        changes=[RefChange(proposal_ref(number), head or ZERO_OID, tip)],
        via="follow",
        action=Action.REPOSITORY_PROPOSE,
        purpose=Purpose.FOLLOW,
    )
    log.info("pull_request_followed", discussion_id=pull.discussion_id, commit_id=tip)
    return tip


def _actor_of(user: User | None) -> Actor | None:
    return Actor.of_user(user, via="session") if user is not None and user.is_active else None


def _close(context: Context, pull: PullRequest) -> None:
    discussion = pull.discussion
    with unit_of_work(context) as work:
        changed = update(Discussion).where(Discussion.id == discussion.id, Discussion.status.in_(discussions.OPEN))
        if discussions.count_of(work, changed.values(status=DiscussionStatus.CLOSED, updated_at=work.now())):
            data = {"status": DiscussionStatus.CLOSED.value, "reason": "source_gone"}
            discussions.record(work, discussion, DiscussionEventType.STATUS_CHANGE, data, user_id=None)
            publish(work, events.PullRequestClosed(discussion.id, pull.repository_id, None))
    log.info("pull_request_closed", discussion_id=discussion.id, reason="source_gone")


def follow_pulls(
    context: Context, *, repository_id: int, source_refs: Sequence[str] | None, actor_id: int | None
) -> int:
    """Bring the open pull requests to where these branches of a repository are now; how many were looked at.

    source_refs: None: all of them, as when the repository is gone. actor_id: who pushed. What stands against one leaves
    the others alone. May be repeated.
    """
    with reading(context) as work:
        by = _actor_of(work.session.get(User, actor_id)) if actor_id is not None else None
    count, last_id = 0, 0
    while True:
        with reading(context) as work:
            query = (
                select(PullRequest)
                .join(PullRequest.discussion)
                .where(
                    PullRequest.source_repository_id == repository_id,
                    Discussion.status.in_(discussions.OPEN),
                    PullRequest.discussion_id > last_id,
                )
                .options(contains_eager(PullRequest.discussion).joinedload(Discussion.user))
                .order_by(PullRequest.discussion_id)
                .limit(_AT_ONCE)
            )
            if source_refs is not None:
                query = query.where(PullRequest.source_ref.in_(source_refs))
            pulls = work.session.scalars(query).all()
        for pull in pulls:
            try:
                follow_pull(context, pull, by=by)
            except HubError as error:
                log.info("pull_request_not_followed", discussion_id=pull.discussion_id, code=error.code)
        count += len(pulls)
        if len(pulls) < _AT_ONCE:
            return count
        last_id = pulls[-1].discussion_id


def may_write_source(work: UnitOfWork, *, actor: Actor, pull: PullRequest) -> bool:
    """Whether the actor may push to the branch that a pull request follows; no where it follows none, or it is gone."""
    if not pull.source_ref or pull.source_repository_id is None:
        return False
    source = work.session.scalar(select(Repository).where(Repository.id == pull.source_repository_id, is_live()))
    return source is not None and can(work, actor, Action.REPOSITORY_WRITE, source)


def update_source(
    context: Context,
    repository: Repository,
    pull: PullRequest,
    *,
    actor: Actor,
    head: str,
    commit_id: str,
    via: str,
) -> None:
    """Move what a pull request proposes from its head to a commit of the repository: its ref, or the branch it follows.

    Raises NotFound, NotSignedIn, Denied, Conflict (``ref_changed``), and what a push may raise.
    """
    if not pull.source_ref:
        change = RefChange(proposal_ref(pull.discussion.number), head, commit_id)
        refs.receive(
            context,
            actor=actor,
            repository=repository,
            changes=[change],
            via=via,
            action=Action.REPOSITORY_PROPOSE,
        )
        return
    source_id = pull.source_repository_id
    assert source_id is not None  # a branch is of some repository
    with reading(context) as work:
        source = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=source_id)
    if source.id != repository.id:
        limit = context.settings.max_push_size_bytes
        bring_commits(context, actor=actor, source=repository, target=source, commit_id=commit_id, max_bytes=limit)
    change = RefChange(pull.source_ref, head, commit_id)
    refs.receive(context, actor=actor, repository=source, changes=[change], via=via)
    follow_pull(context, pull, by=actor)


def remove_source(context: Context, pull: PullRequest, *, actor: Actor, head: str, via: str) -> bool:
    """Remove the branch that a merged pull request followed, where it is still what was merged; whether it went.

    What stands against it (a protected branch, a right that the actor lacks) leaves it there.
    """
    if not pull.source_ref or pull.source_repository_id is None:
        return False
    try:
        with reading(context) as work:
            source = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=pull.source_repository_id)
            is_base = select(PullRequest.discussion_id).join(PullRequest.discussion)
            is_base = is_base.where(
                PullRequest.repository_id == source.id,
                PullRequest.base_ref == pull.source_ref,
                Discussion.status.in_(discussions.OPEN),
            )
            if work.session.scalar(is_base.limit(1)) is not None:
                raise Conflict("Other pull requests are for this branch.", code="branch_is_base")
        change = RefChange(pull.source_ref, head, ZERO_OID)
        refs.receive(context, actor=actor, repository=source, changes=[change], via=via)
    except HubError as error:
        log.info("source_branch_kept", discussion_id=pull.discussion_id, code=error.code)
        return False
    return True
