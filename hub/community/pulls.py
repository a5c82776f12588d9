"""How pull requests follow the refs: what is recorded when refs move, and the job that settles what was merged."""

from __future__ import annotations

from sqlalchemy import select, update

from hub.base.context import Context
from hub.community.models import Discussion, DiscussionEventType, PullRequest
from hub.community.service.discussions import OPEN, record
from hub.community.service.pulls import check_proposals, find_pull, settle_pulls
from hub.db.uow import UnitOfWork
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.checks import BRANCHES, CHECKS
from hub.repos.events import RefsUpdated
from hub.repos.proposals import number_of

SETTLE_JOB = "community.settle_pulls"


def install(context: Context) -> None:
    """Watch over the refs of pull requests; done once, by ``build_context``."""
    context[CHECKS].add("pull_requests", check_proposals)
    context.events.record_with(_record)
    register(context, JobSpec(SETTLE_JOB, "hub.community.pulls:settle", timeout_s=1800))


def settle(run: JobRun, *, repository_id: int, push_id: int) -> None:
    """Note what a push has merged; see ``service.pulls.settle_pulls``."""
    if count := settle_pulls(run.context, repository_id=repository_id, push_id=push_id):
        run.log(f"Noted {count} pull requests as merged.")


def _record(work: UnitOfWork, event: object) -> None:
    """In the transaction that records a move of refs, so that no crash comes between."""
    if not isinstance(event, RefsUpdated):
        return
    for change in event.changes:
        number = number_of(change.ref)
        pull = find_pull(work, event.repository_id, number) if number is not None else None
        if pull is None or change.is_creation or change.is_deletion:
            continue
        record(work, pull.discussion, DiscussionEventType.COMMIT, {"oid": change.new}, user_id=event.actor_id)
        touched = update(Discussion).where(Discussion.id == pull.discussion_id).values(updated_at=work.now())
        work.session.execute(touched.execution_options(synchronize_session=False))
    if any(change.ref.startswith(BRANCHES) and not change.is_deletion for change in event.changes) and _has_open(
        work, event.repository_id
    ):
        args = {"repository_id": event.repository_id, "push_id": event.push_id}
        enqueue(work, SETTLE_JOB, args=args, actor_id=event.actor_id)


def _has_open(work: UnitOfWork, repository_id: int) -> bool:
    found = (
        select(PullRequest.discussion_id)
        .join(PullRequest.discussion)
        .where(PullRequest.repository_id == repository_id, Discussion.status.in_(OPEN))
    )
    return work.session.scalar(found.limit(1)) is not None
