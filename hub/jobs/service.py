"""What can be done with jobs: ask for one, look at it, cancel it, try it again.

A job exists when its row is committed; Redis only carries its id. So nothing is queued that the database did not
commit, and what Redis loses is sent again by ``hub.jobs.sweep``. Who may look at or cancel a job is decided by the
callers on higher floors: accounts are above this room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from hub.base.context import Context, Key
from hub.base.dotted import load_dotted
from hub.base.errors import Conflict, NotFound
from hub.base.paging import Page, PageArgs
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.queue import QUEUE, send_after_commit

# In the order of preference: what waits for strangers' servers comes last and delays nothing of the hub's own.
QUEUE_NAMES = ("default", "index", "compute", "dataflow", "billing", "mirror", "webhooks")

KEEP_FINISHED_S = 30 * 24 * 3600
_PRUNE_BATCH = 500
# Two enqueuers of one key can chase each other only as often as a worker claims the row between their two looks.
_UNIQUE_TRIES = 5


@dataclass(frozen=True)
class JobSpec:
    """A kind of job: its name, what runs, where, for how long, and how often it is tried.

    function: ``"package.module:name"`` (imported in the worker, at the first run) or a callable; it is called as
    ``function(run, **args)`` with a ``hub.jobs.run.JobRun``. It may run twice or late: it re-reads the state first.
    backoff_s: the pauses before the second, third, ... attempt; the last one repeats.
    """

    name: str
    function: str | Callable[..., Any]
    queue: str = "default"
    timeout_s: int = 300
    max_attempts: int = 3
    backoff_s: tuple[float, ...] = (10, 60, 300)

    def __post_init__(self) -> None:
        if self.queue not in QUEUE_NAMES:
            raise ValueError(f"job {self.name!r}: no worker listens on the queue {self.queue!r}")
        if self.timeout_s < 1 or self.max_attempts < 1 or not self.backoff_s:
            raise ValueError(f"job {self.name!r}: time limit, attempts and back-off must be positive")

    def load(self) -> Callable[..., Any]:
        """The function itself. Raises ImportError or AttributeError when the dotted path leads nowhere."""
        return load_dotted(self.function)

    def backoff_after(self, attempt: int) -> float:
        """Seconds to wait after the attempt of that number (from 1) has failed."""
        return self.backoff_s[min(attempt, len(self.backoff_s)) - 1]


JobRegistry = Registry[JobSpec]
JOBS: Key[JobRegistry] = Key("jobs.registry")


def create_registry() -> JobRegistry:
    """An empty registry; ``hub.app.build_context`` fills it through ``register``."""
    return Registry("jobs")


def register(context: Context, spec: JobSpec, *, owner: str = "hub") -> None:
    """Add one kind of job under its name. Raises RegistryError when the name is taken."""
    context[JOBS].add(spec.name, spec, owner=owner)


def enqueue(
    work: UnitOfWork,
    name: str,
    *,
    args: Mapping[str, Any] | None = None,
    unique_key: str | None = None,
    run_after: datetime | None = None,
    subject: tuple[str, int] | None = None,
    actor_id: int | None = None,
    timeout_s: int | None = None,
) -> Job:
    """Ask for a job: the row is written now and sent to a worker once the unit of work has committed.

    args: small JSON, ids rather than rows, never secrets. unique_key: while a job with this key is queued (not yet
    running), that one is returned instead of a second. run_after: not before this moment; None: at once.
    subject: (type, id) of the thing whose page shows the job. Redis being away fails nothing: the job waits in the
    database. Raises KeyError when no job of that name is registered.
    """
    spec = work.context[JOBS][name]
    now = work.now()

    def new_job() -> Job:
        return Job(
            name=name,
            queue=spec.queue,
            args=dict(args or {}),
            state=JobState.QUEUED,
            unique_key=unique_key,
            subject_type=subject[0] if subject else "",
            subject_id=subject[1] if subject else None,
            actor_id=actor_id,
            attempt=0,
            max_attempts=spec.max_attempts,
            timeout_s=timeout_s or spec.timeout_s,
            run_after=run_after or now,
            created_at=now,
        )

    if unique_key is None:
        job = new_job()
        work.session.add(job)
        work.session.flush()
    else:
        job, is_new = _add_unique(work, unique_key, new_job)
        if not is_new:
            return job
    _send_when_due(work, job)
    return job


def _add_unique(work: UnitOfWork, unique_key: str, new_job: Callable[[], Job]) -> tuple[Job, bool]:
    """The queued job of that key, and whether it is the new one.

    The partial unique index decides: of two at once the second insert fails, whatever either saw before.
    """
    for _ in range(_UNIQUE_TRIES):
        waiting = find_queued(work, unique_key)
        if waiting is not None:
            return waiting, False
        job = new_job()
        try:
            with work.session.begin_nested():
                work.session.add(job)
        except IntegrityError:
            continue
        return job, True
    raise Conflict("The job is being asked for again and again; try later.", code="job_contended")


def find_queued(work: UnitOfWork, unique_key: str) -> Job | None:
    """The job of that key that waits to run, or None."""
    return work.session.scalar(select(Job).where(Job.unique_key == unique_key, Job.state == JobState.QUEUED))


def _send_when_due(work: UnitOfWork, job: Job) -> None:
    if job.run_after <= work.now():
        send_after_commit(work, job)


def get_job(work: UnitOfWork, uuid: str) -> Job:
    """The job of that uuid. Raises NotFound (code ``job_not_found``)."""
    job = work.session.scalar(select(Job).where(Job.uuid == uuid))
    if job is None:
        raise NotFound("There is no such job.", code="job_not_found")
    return job


def list_jobs(
    work: UnitOfWork,
    *,
    state: JobState | None = None,
    name: str | None = None,
    queue: str | None = None,
    subject: tuple[str, int] | None = None,
    page: PageArgs | None = None,
) -> Page[Job]:
    """Jobs, the newest first, narrowed by state, name, queue or subject."""
    page = page or PageArgs()
    query = select(Job)
    if state is not None:
        query = query.where(Job.state == state)
    if name is not None:
        query = query.where(Job.name == name)
    if queue is not None:
        query = query.where(Job.queue == queue)
    if subject is not None:
        query = query.where(Job.subject_type == subject[0], Job.subject_id == subject[1])
    total = work.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = work.session.scalars(query.order_by(Job.id.desc()).offset(page.offset).limit(page.per)).all()
    return Page(rows, total)


def cancel_job(work: UnitOfWork, uuid: str) -> Job:
    """Stop a job: a queued one is cancelled now, a running one is told to stop and ends within about 10 s.

    Cancelling a cancelled job changes nothing. Raises NotFound, and Conflict (``job_finished``) for one that has
    succeeded or failed.
    """
    job = _lock(work, uuid)
    if job.state == JobState.QUEUED:
        job.state = JobState.CANCELLED
        job.is_cancel_requested = True
        job.finished_at = work.now()
    elif job.state == JobState.RUNNING:
        job.is_cancel_requested = True
        if QUEUE in work.context:
            queue = work.context[QUEUE]
            work.after_commit(lambda: queue.stop(job))
    elif job.state != JobState.CANCELLED:
        raise Conflict("The job has already ended.", code="job_finished")
    return job


def retry_job(work: UnitOfWork, uuid: str) -> Job:
    """Queue a failed or cancelled job again, with all its attempts.

    When another job with its unique key waits already, that one is returned. Raises NotFound, and Conflict
    (``job_not_finished``, ``job_finished``) for one that is live or has succeeded, (``job_unknown``) for one whose
    plugin does not run.
    """
    job = _lock(work, uuid)
    if not job.state.is_final:
        raise Conflict("The job has not ended yet.", code="job_not_finished")
    if job.state == JobState.SUCCEEDED:
        raise Conflict("The job has succeeded; ask for a new one.", code="job_finished")
    if job.unique_key is not None:
        waiting = find_queued(work, job.unique_key)
        if waiting is not None:
            return waiting
    job.state = JobState.QUEUED
    job.is_cancel_requested = False
    spec = work.context[JOBS].find(job.name)
    if spec is None:
        raise Conflict("The plugin that this job belongs to does not run.", code="job_unknown")
    # Attempts are counted on, never back: the number tells one run from another.
    job.max_attempts = job.attempt + spec.max_attempts
    job.run_after = work.now()
    job.error = ""
    job.finished_at = None
    work.session.flush()
    _send_when_due(work, job)
    return job


def _lock(work: UnitOfWork, uuid: str) -> Job:
    job = work.session.scalar(select(Job).where(Job.uuid == uuid).with_for_update())
    if job is None:
        raise NotFound("There is no such job.", code="job_not_found")
    return job


def prune(context: Context) -> int:
    """Forget jobs that ended more than 30 days ago; how many they were. Commits batch by batch."""
    removed = 0
    while True:
        with unit_of_work(context) as work:
            finals = [state for state in JobState if state.is_final]
            old = (
                select(Job.id)
                .where(Job.state.in_(finals), Job.finished_at < work.now() - timedelta(seconds=KEEP_FINISHED_S))
                .limit(_PRUNE_BATCH)
            )
            ids = list(work.session.scalars(old))
            if ids:
                work.session.execute(delete(Job).where(Job.id.in_(ids)))
        removed += len(ids)
        if len(ids) < _PRUNE_BATCH:
            return removed
