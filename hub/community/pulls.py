"""How pull requests follow the refs: what is recorded when refs move, and the job that settles what was merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, select, update

from hub.accounts.service.departures import DEPARTURES, Departure
from hub.base.context import Context
from hub.community.models import Discussion, DiscussionCounter, DiscussionEventType, PullRequest
from hub.community.service.discussions import OPEN, record
from hub.community.service.merging import settle_pulls
from hub.community.service.pull_refs import open_refs_of, remove_lost_refs
from hub.community.service.pulls import FOLLOW_JOB, check_proposals, find_pull
from hub.community.service.sources import follow_pulls
from hub.db.uow import UnitOfWork, reading
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.checks import BRANCHES, CHECKS
from hub.repos.events import RefsUpdated, RepositoryDeleted
from hub.repos.lfs.proposed import TTL, release, was_proposed_to
from hub.repos.lookup import is_live
from hub.repos.models import Repository
from hub.repos.proposals import number_of

SETTLE_JOB = "community.settle_pulls"
TIDY_JOB = "community.tidy_pulls"

# Longer than any pull request is on its way between its ref and its row.
_GRACE = timedelta(days=1)
_REPOSITORIES_AT_ONCE = 200
# Of the branches of one push, so many are looked at; who moves more of them at once moves a mirror.
_REFS_AT_ONCE = 500


def install(context: Context) -> None:
    """Watch over the refs of pull requests; done once, by ``build_context``."""
    context[CHECKS].add("pull_requests", check_proposals)
    context.events.record_with(_record)
    context[DEPARTURES].add("community.pulls", follow_departed)
    register(context, JobSpec(SETTLE_JOB, "hub.community.pulls:settle", timeout_s=1800))
    register(context, JobSpec(FOLLOW_JOB, "hub.community.pulls:follow", timeout_s=3600))
    register(context, JobSpec(TIDY_JOB, "hub.community.pulls:tidy", timeout_s=6 * 3600))
    # Before the garbage of LFS is collected.
    register_schedule(context, Schedule(TIDY_JOB, "50 2 * * *", TIDY_JOB))


def settle(run: JobRun, *, repository_id: int, push_id: int) -> None:
    """Note what a push has merged; see ``service.merging.settle_pulls``."""
    if count := settle_pulls(run.context, repository_id=repository_id, push_id=push_id):
        run.log(f"Noted {count} pull requests as merged.")


def follow(
    run: JobRun, *, repository_id: int, source_refs: list[str] | None = None, actor_id: int | None = None
) -> None:
    """Bring pull requests to where their branches are; see ``service.sources.follow_pulls``."""
    count = follow_pulls(run.context, repository_id=repository_id, source_refs=source_refs, actor_id=actor_id)
    run.log(f"Looked at {count} pull requests.")


def tidy(run: JobRun) -> None:
    """Remove refs of pull requests that never came to be, and large files that no open one names any more."""
    lost, released = 0, 0
    for repository in _pages(run, _has_discussions):
        lost += remove_lost_refs(run.context, repository, before=run.context.clock.now() - _GRACE)
    before = run.context.clock.now() - TTL
    for repository in _pages(run, lambda: was_proposed_to(before)):
        released += release(run.context, repository, before=before, open_refs=open_refs_of(run.context, repository.id))
    run.log(f"Removed {lost} refs of no pull request, and let go of {released} large files of none.")


def _pages(run: JobRun, condition: Callable[[], ColumnElement[bool]]) -> Iterator[Repository]:
    last_id = 0
    while True:
        run.check_cancelled()
        with reading(run.context) as work:
            query = select(Repository).where(is_live(), condition(), Repository.id > last_id)
            page = work.session.scalars(query.order_by(Repository.id).limit(_REPOSITORIES_AT_ONCE)).all()
        yield from page
        if len(page) < _REPOSITORIES_AT_ONCE:
            return
        last_id = page[-1].id


def _has_discussions() -> ColumnElement[bool]:
    """Of a repository: a number was once given in it, and so, maybe, a ref made."""
    return exists().where(DiscussionCounter.repository_id == Repository.id)


def _record(work: UnitOfWork, event: object) -> None:
    """In the transaction that records a move of refs, so that no crash comes between."""
    # With an account they all go at once: ``follow_departed`` asks once.
    if isinstance(event, RepositoryDeleted) and not event.with_account:
        _follow_later(work, event.repository_id, None, event.actor_id)
    if not isinstance(event, RefsUpdated):
        return
    for change in event.changes:
        number = number_of(change.ref)
        pull = find_pull(work, event.repository_id, number) if number is not None else None
        if pull is None or change.is_creation or change.is_deletion:
            continue
        if event.actor_id is None:
            # The hub itself has written the history anew; what has no commits of its own still has none.
            if change.old == pull.opened_commit:
                pull.opened_commit = change.new
            continue
        record(work, pull.discussion, DiscussionEventType.COMMIT, {"oid": change.new}, user_id=event.actor_id)
        touched = update(Discussion).where(Discussion.id == pull.discussion_id).values(updated_at=work.now())
        work.session.execute(touched.execution_options(synchronize_session=False))
    branches = [change.ref for change in event.changes if change.ref.startswith(BRANCHES)]
    if branches:
        _follow_later(work, event.repository_id, branches, event.actor_id)
    if any(change.ref.startswith(BRANCHES) and not change.is_deletion for change in event.changes) and _has_open(
        work, event.repository_id
    ):
        args = {"repository_id": event.repository_id, "push_id": event.push_id}
        enqueue(work, SETTLE_JOB, args=args, actor_id=event.actor_id)


def _follow_later(work: UnitOfWork, repository_id: int, refs: list[str] | None, actor_id: int | None) -> None:
    """Bring what follows these branches to where they are now; refs: None: they are gone."""
    following = (
        select(PullRequest.source_ref)
        .join(PullRequest.discussion)
        .where(PullRequest.source_repository_id == repository_id, Discussion.status.in_(OPEN))
    )
    if refs is None:
        found = {*work.session.scalars(following.limit(1))}
    else:
        found = {*work.session.scalars(following.where(PullRequest.source_ref.in_(refs[:_REFS_AT_ONCE])))}
    if found:
        _enqueue_following(work, repository_id, sorted(found) if refs is not None else None, actor_id)


def follow_departed(work: UnitOfWork, departure: Departure) -> None:
    """Let go of what follows the branches of the account's repositories, which go with it."""
    theirs = (
        select(PullRequest.source_repository_id)
        .join(PullRequest.discussion)
        .join(Repository, Repository.id == PullRequest.source_repository_id)
        .where(Repository.namespace_id == departure.user.namespace_id, Discussion.status.in_(OPEN))
    )
    for repository_id in work.session.scalars(theirs.distinct()).all():
        if repository_id is not None:
            _enqueue_following(work, repository_id, None, departure.actor.user_id)


def _enqueue_following(
    work: UnitOfWork, repository_id: int, source_refs: list[str] | None, actor_id: int | None
) -> None:
    args = {"repository_id": repository_id, "source_refs": source_refs, "actor_id": actor_id}
    enqueue(work, FOLLOW_JOB, args=args, actor_id=actor_id)


def _has_open(work: UnitOfWork, repository_id: int) -> bool:
    found = (
        select(PullRequest.discussion_id)
        .join(PullRequest.discussion)
        .where(PullRequest.repository_id == repository_id, Discussion.status.in_(OPEN))
    )
    return work.session.scalar(found.limit(1)) is not None
