"""What happens to repositories in the background."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from hub.base.context import Context
from hub.base.errors import HubError
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import maintain, repository_size_bytes
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register
from hub.licensing.marks import WITNESSES
from hub.repos import activities, deleted_branches, departures, refs, reports, samples
from hub.repos.lookup import is_live, repository_path
from hub.repos.models import Push, Repository
from hub.repos.service import PURGE_JOB, PURGE_MANY_JOB, purge_repository, reconcile_creating

log = get_logger(__name__)

# Every pack and every loose object is one more place to look in; beyond these a push is followed by light upkeep.
_MANY_PACKS = 8
_MANY_LOOSE_FOLDERS = 128  # of 256; with half of them in use there are about 180 loose objects

# A little more than the day between two runs, so that no push falls between them.
_RECENTLY_PUSHED = timedelta(hours=26)


def install(context: Context) -> None:
    """Register the room's jobs, schedules and steps for accounts that go, and a witness of the clock.

    Done once, by ``build_context``.
    """
    departures.install(context)
    activities.install(context)
    register(context, JobSpec("repos.after_push", "hub.repos.jobs:after_push", timeout_s=1800))
    register(context, JobSpec("repos.reconcile", "hub.repos.jobs:reconcile", timeout_s=3600))
    register(context, JobSpec(PURGE_JOB, "hub.repos.jobs:purge", timeout_s=3600))
    register(context, JobSpec(PURGE_MANY_JOB, "hub.repos.jobs:purge_many", timeout_s=6 * 3600))
    register(context, JobSpec("repos.maintain", "hub.repos.jobs:maintain_recent", timeout_s=6 * 3600))
    register_schedule(context, Schedule("repos.reconcile", "*/5 * * * *", "repos.reconcile"))
    drift = {"look_for_drift": True}
    register_schedule(context, Schedule("repos.reconcile_all", "20 4 * * *", "repos.reconcile", drift))
    register_schedule(context, Schedule("repos.maintain", "40 2 * * *", "repos.maintain"))
    context[WITNESSES].add("repos.pushes", _latest_push_at)
    deleted_branches.install(context)
    samples.install(context)
    reports.install(context)


def after_push(run: JobRun, *, repository_id: int) -> None:
    """Keep a repository in order after its refs moved: pack what lies about, and note its size."""
    with reading(run.context) as work:
        repository = work.session.get(Repository, repository_id)
    if repository is None:
        return
    path = repository_path(run.context.settings, repository)
    if _is_scattered(path) and maintain(path):
        run.log("Packed the repository.")
    _note_size(run.context, repository_id, path)


def reconcile(run: JobRun, *, look_for_drift: bool = False) -> None:
    """Finish what a crash cut off: repositories in the making, then pushes; see ``refs.reconcile``."""
    if count := reconcile_creating(run.context):
        run.log(f"Settled {count} repositories that were being made.")
    done = refs.reconcile(run.context, look_for_drift=look_for_drift)
    run.log(f"Recorded {done.settled} pushes late, gave up {done.abandoned}, found {done.recorded} unrecorded moves.")


def purge(run: JobRun, *, repository_id: int) -> None:
    """Remove a deleted repository for good, when its time is over; see ``service.purge_repository``."""
    if purge_repository(run.context, repository_id=repository_id):
        run.log("Removed the repository.")


def purge_many(run: JobRun, *, repository_ids: list[int]) -> None:
    """As ``purge``, for all the repositories of an account that went."""
    count = 0
    for number, repository_id in enumerate(repository_ids, start=1):
        run.check_cancelled()
        count += purge_repository(run.context, repository_id=repository_id)
        run.progress(number, len(repository_ids), "repositories")
    run.log(f"Removed {count} of {len(repository_ids)} repositories.")


def maintain_recent(run: JobRun) -> None:
    """Put every repository that was pushed to since yesterday into its best order for readers: one pack, a bitmap."""
    with reading(run.context) as work:
        recent = Repository.pushed_at > work.now() - _RECENTLY_PUSHED
        repositories = work.session.scalars(select(Repository).where(is_live(), recent).order_by(Repository.id)).all()
    for number, repository in enumerate(repositories, start=1):
        run.check_cancelled()
        path = repository_path(run.context.settings, repository)
        try:
            maintain(path, full=True)
            _note_size(run.context, repository.id, path)
        except (HubError, OSError) as error:
            log.warning("maintenance_failed", repository_id=repository.id, reason=repr(error))
            run.log(f"Repository {repository.id} was passed over: its files could not be read or written.")
        run.progress(number, len(repositories), "repositories")


def _latest_push_at(work: UnitOfWork) -> datetime | None:
    """When the hub last recorded a push, by its own clock (a commit's times are its author's)."""
    return work.session.scalar(select(Push.created_at).order_by(Push.id.desc()).limit(1))


def _is_scattered(path: Path) -> bool:
    packs = sum(1 for _ in (path / "objects" / "pack").glob("*.pack"))
    return packs >= _MANY_PACKS or sum(1 for _ in (path / "objects").glob("??")) >= _MANY_LOOSE_FOLDERS


def _note_size(context: Context, repository_id: int, path: Path) -> None:
    size_bytes = offload(repository_size_bytes, path)
    with unit_of_work(context) as work:
        # Not through the row: its updated_at is the time of its last change by a person.
        work.session.execute(update(Repository).where(Repository.id == repository_id).values(git_size_bytes=size_bytes))
