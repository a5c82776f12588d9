"""Keeping what is written down true: the drivers are asked, after every restart, and what was lost is done again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import lazyload

from hub.base.context import Context
from hub.base.errors import Unavailable
from hub.base.log import get_logger
from hub.compute.machines import MACHINES
from hub.compute.models import Desired, Workload
from hub.compute.reports import Status
from hub.compute.service import applying
from hub.compute.service.naming import RECONCILE_JOB, START_JOB, STOP_JOB
from hub.compute.service.skus import seed_skus
from hub.compute.service.workloads import SUBJECT, request_stop
from hub.compute.snapshots import digest_of, sweep_snapshots
from hub.compute.spec import Kind, parse_spec
from hub.compute.states import Code, Reason
from hub.compute.transitions import MOVING
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import JobRun
from hub.jobs.service import enqueue

log = get_logger(__name__)

# A start that its driver does not speak of for so long has failed. Source: compute contract, 1.4.
UNREACHABLE_S = 900
_BATCH = 500
# While something is on its way it is looked at so often; the schedule does the rest.
_SOON_S = 5
# What the driver should know of, once it was handed over.
_HANDED = frozenset({Code.DEPLOYING, Code.STARTUP, Code.RUNNING, Code.SLEEPING})
_WAITING = frozenset({Code.PENDING, Code.BUILD_SUCCESS})


def refresh(context: Context, workload_ids: Collection[int]) -> None:
    """Ask the driver about these and write down what is new; one round trip. Raises Unavailable."""
    _refresh(context, Workload.id.in_(list(workload_ids)))


def refresh_names(context: Context, svc_names: Collection[str]) -> None:
    """As ``refresh``, by the names that the driver knows: for its hints. Names that nobody knows are no error."""
    _refresh(context, Workload.svc_name.in_(list(svc_names)))


def _refresh(context: Context, condition: ColumnElement[bool]) -> None:
    with reading(context) as work:
        rows = _load(work, condition, Workload.desired == Desired.RUNNING)
    if rows:
        _apply(context, rows, context[MACHINES].driver.statuses([row.svc_name for row in rows]))


def _load(work: UnitOfWork, *conditions: ColumnElement[bool]) -> Sequence[Workload]:
    query = select(Workload).where(*conditions).options(lazyload(Workload.namespace)).order_by(Workload.id)
    return work.session.scalars(query.limit(_BATCH)).all()


def _apply(context: Context, rows: Sequence[Workload], statuses: dict[str, Status]) -> list[Workload]:
    """Write down what is new; return those whose newest start the driver does not know."""
    unknown = []
    for row in rows:
        status = statuses.get(row.svc_name)
        if status is None or status.task_id < row.task_number:
            unknown.append(row)
        elif applying.tells_news(row, status):
            with unit_of_work(context) as work:
                applying.apply_status(work, row.id, status)
    return unknown


def reconcile(context: Context) -> None:
    """Make what is written down true, and what is wanted so, for all workloads. May be repeated at any time."""
    seed_skus(context)
    try:
        for rows in _batches(context, Workload.desired == Desired.RUNNING):
            statuses = context[MACHINES].driver.statuses([row.svc_name for row in rows])
            for row in _apply(context, rows, statuses):
                _mend(context, row)
        _purge_unknown(context)
    except Unavailable as error:
        log.warning("compute_driver_away", reason=str(error))
        _give_up(context)
    for rows in _batches(context, Workload.desired != Desired.RUNNING, Workload.released_at.is_(None)):
        for row in rows:
            with unit_of_work(context) as work:
                if not _is_worked_on(work, row, STOP_JOB):
                    request_stop(work, row)


def _batches(context: Context, *conditions: ColumnElement[bool]) -> Iterator[Sequence[Workload]]:
    last = 0
    while True:
        with reading(context) as work:
            rows = _load(work, Workload.id > last, *conditions)
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _is_worked_on(work: UnitOfWork, row: Workload, job: str) -> bool:
    live = (JobState.QUEUED, JobState.RUNNING)
    query = select(Job.id).where(
        Job.subject_type == SUBJECT, Job.subject_id == row.id, Job.name == job, Job.state.in_(live)
    )
    return work.session.scalar(query.limit(1)) is not None


def _mend(context: Context, row: Workload) -> None:
    """The driver does not know the start that is wanted: it was never told, or has lost what it knew."""
    if row.state not in _HANDED | _WAITING:
        return
    with unit_of_work(context) as work:
        locked = applying.lock_workload(work, row.id)
        is_same = locked is not None and locked.task_number == row.task_number and locked.code == row.code
        if locked is None or not is_same or locked.desired is not Desired.RUNNING:
            return
        if _is_worked_on(work, row, START_JOB):
            return
        if row.kind == Kind.JOB and row.has_run:
            # It may have done half its work; only its owner knows whether it can be done again.
            message = "What became of it is not known: its driver has lost it."
            applying.note_failed(work, row.id, row.task_number, reason=Reason.NOT_FOUND, message=message)
            return
        log.warning("workload_lost", workload_id=row.id, code=row.code)
        enqueue(
            work,
            START_JOB,
            args={"workload_id": row.id, "task": row.task_number},
            unique_key=f"{START_JOB}:{row.id}:{row.task_number}",
            subject=(SUBJECT, row.id),
        )


def _purge_unknown(context: Context) -> None:
    """Have the driver forget what this hub knows nothing of: its namespace is gone."""
    driver = context[MACHINES].driver
    names = sorted(driver.names())
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        with reading(context) as work:
            known = set(work.session.scalars(select(Workload.svc_name).where(Workload.svc_name.in_(batch))))
        for name in set(batch) - known:
            log.warning("workload_unknown", svc_name=name)
            driver.purge(name)


def _give_up(context: Context) -> None:
    """Nobody answers for the driver: what is on its way for long has failed; what ran may still run."""
    before = context.clock.now() - timedelta(seconds=UNREACHABLE_S)
    codes = [int(code) for code in MOVING]
    for rows in _batches(
        context, Workload.desired == Desired.RUNNING, Workload.code.in_(codes), Workload.status_at < before
    ):
        for row in rows:
            with unit_of_work(context) as work:
                message = "What should run it does not answer."
                applying.note_failed(work, row.id, row.task_number, reason=Reason.DRIVER, message=message)


# The jobs.


def reconcile_job(run: JobRun) -> None:
    """Reconcile; and soon again, while something is on its way."""
    context = run.context
    reconcile(context)
    with unit_of_work(context) as work:
        codes = [int(code) for code in MOVING]
        moving = select(Workload.id).where(Workload.desired == Desired.RUNNING, Workload.code.in_(codes)).limit(1)
        if work.session.scalar(moving) is not None:
            soon = work.now() + timedelta(seconds=_SOON_S)
            enqueue(work, RECONCILE_JOB, unique_key=f"{RECONCILE_JOB}:soon", run_after=soon)


def sweep_job(run: JobRun) -> None:
    """Remove the snapshots that no workload needs."""
    used: set[str] = set()
    for rows in _batches(run.context, Workload.desired == Desired.RUNNING):
        for row in rows:
            used |= {digest_of(mount) for mount in parse_spec(row.spec).mounts}
    removed = sweep_snapshots(run.context, used)
    run.log(f"Removed {len(removed)} snapshots.")
