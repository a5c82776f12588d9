"""Lineage's part in what happens: names that lead somewhere now, and targets that are gone for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.assets.events import RunFinished
from hub.assets.models_lineage import Run
from hub.assets.runtypes import RUN_TYPES, create_run_types
from hub.assets.service.claims import forget_orphans, lead_to, let_go, named_somewhere, named_targets
from hub.base.context import Context
from hub.base.topics import TOPICS, Told, Topic, add_topic
from hub.db.uow import UnitOfWork
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.events import (
    RepositoryCreated,
    RepositoryDeleted,
    RepositoryMoved,
    RepositoryPurged,
    RepositoryUndeleted,
)

JOB = "assets.lead_names"
LET_GO = "assets.let_names_go"
_AT_ONCE = 500


def install(context: Context) -> None:
    """Register the jobs and what asks for it, types of runs, and what is told of them; done once."""
    context.provide(RUN_TYPES, create_run_types())
    add_topic(context[TOPICS], Topic("run.finished", "A run succeeded, failed or was cancelled.", RunFinished, _tell))
    register(context, JobSpec(JOB, "hub.assets.lineage_jobs:lead_names", queue="index", timeout_s=3600))
    register(context, JobSpec(LET_GO, "hub.assets.lineage_jobs:let_names_go", queue="index", timeout_s=3600))
    context.events.record_all_with(_follow, owner="hub")


def _follow(work: UnitOfWork, events: Sequence[object]) -> None:
    """Ask for names to be led to where a repository is now, in the transaction that puts it there."""
    ids = [e.repository_id for e in events if isinstance(e, RepositoryCreated | RepositoryMoved | RepositoryUndeleted)]
    for start in range(0, len(ids), _AT_ONCE):
        for repository_id in named_somewhere(work, repository_ids=ids[start : start + _AT_ONCE]):
            enqueue(work, JOB, args={"repository_id": repository_id}, unique_key=f"{JOB}:{repository_id}")
    ids = [event.repository_id for event in events if isinstance(event, RepositoryDeleted)]
    for start in range(0, len(ids), _AT_ONCE):
        for repository_id in named_targets(work, repository_ids=ids[start : start + _AT_ONCE]):
            enqueue(work, LET_GO, args={"repository_id": repository_id}, unique_key=f"{LET_GO}:{repository_id}")
    if any(isinstance(event, RepositoryPurged) for event in events):
        forget_orphans(work)


def _tell(work: Any, event: RunFinished) -> Told | None:
    run = work.session.get(Run, event.run_id)
    if run is None:
        return None
    data = {
        "run": {
            "uuid": run.uuid,
            "type": run.type,
            "title": run.title,
            "namespace": run.namespace.path,
            "state": run.state.value,
            "error": run.error[:1000],
            "private": run.is_private,
        }
    }
    return Told(data, namespace_id=run.namespace_id)


def lead_names(run: JobRun, *, repository_id: int) -> None:
    """Let relations that name the path of a repository lead to it; see ``lead_to``."""

    def note(done: int) -> None:
        run.check_cancelled()
        run.progress(done, None, "relations")

    run.log(f"{lead_to(run.context, repository_id=repository_id, note=note)} repositories named it.")


def let_names_go(run: JobRun, *, repository_id: int) -> None:
    """Let relations that lead to a deleted repository by a name be that name again; see ``let_go``."""

    def note(done: int) -> None:
        run.check_cancelled()
        run.progress(done, None, "relations")

    run.log(f"{let_go(run.context, repository_id=repository_id, note=note)} repositories named it.")
