"""Lineage's part in what happens: names that lead somewhere now, and targets that are gone for good."""

from __future__ import annotations

from collections.abc import Sequence

from hub.assets.service.claims import forget_orphans, lead_to, named_somewhere
from hub.base.context import Context
from hub.db.uow import UnitOfWork
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.events import RepositoryCreated, RepositoryMoved, RepositoryPurged, RepositoryUndeleted

JOB = "assets.lead_names"
_AT_ONCE = 500


def install(context: Context) -> None:
    """Register the job and what asks for it; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.assets.lineage_jobs:lead_names", queue="index", timeout_s=3600))
    context.events.record_all_with(_follow, owner="hub")


def _follow(work: UnitOfWork, events: Sequence[object]) -> None:
    """Ask for names to be led to where a repository is now, in the transaction that puts it there."""
    ids = [e.repository_id for e in events if isinstance(e, RepositoryCreated | RepositoryMoved | RepositoryUndeleted)]
    for start in range(0, len(ids), _AT_ONCE):
        for repository_id in named_somewhere(work, repository_ids=ids[start : start + _AT_ONCE]):
            enqueue(work, JOB, args={"repository_id": repository_id}, unique_key=f"{JOB}:{repository_id}")
    if any(isinstance(event, RepositoryPurged) for event in events):
        forget_orphans(work)


def lead_names(run: JobRun, *, repository_id: int) -> None:
    """Let relations that name the path of a repository lead to it; see ``lead_to``."""

    def note(done: int) -> None:
        run.check_cancelled()
        run.progress(done, None, "relations")

    run.log(f"{lead_to(run.context, repository_id=repository_id, note=note)} repositories named it.")
