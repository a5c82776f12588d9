"""How the background work stands: what waits in each queue, and when each periodic job runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from hub.db.uow import UnitOfWork
from hub.jobs.models import Job, JobState, SchedulePause, ScheduleRun
from hub.jobs.schedule import SCHEDULES
from hub.jobs.service import QUEUE_NAMES


@dataclass
class QueueStanding:
    """One queue. counts: jobs by state, as far as they are kept. oldest_due_at: of the longest waiting; None: none."""

    name: str
    counts: dict[JobState, int] = field(default_factory=lambda: dict.fromkeys(JobState, 0))
    oldest_due_at: datetime | None = None


@dataclass(frozen=True)
class ScheduleStanding:
    """One periodic job. last_run_at, next_run_at: None until a scheduler has seen it. paused_at: None: it is not."""

    name: str
    cron_utc: str
    job: str
    last_run_at: datetime | None
    next_run_at: datetime | None
    paused_at: datetime | None = None


def list_queues(work: UnitOfWork) -> list[QueueStanding]:
    """Every queue, two queries in all."""
    queues = {name: QueueStanding(name) for name in QUEUE_NAMES}
    counted = select(Job.queue, Job.state, func.count()).group_by(Job.queue, Job.state)
    for name, state, count in work.session.execute(counted):
        queues.setdefault(name, QueueStanding(name)).counts[state] = count
    oldest = select(Job.queue, func.min(Job.run_after)).where(Job.state == JobState.QUEUED, Job.run_after <= work.now())
    for name, moment in work.session.execute(oldest.group_by(Job.queue)):
        queues[name].oldest_due_at = moment
    return list(queues.values())


@dataclass(frozen=True)
class Failure:
    """A job that failed. error: its last line, which names the exception; without credentials, like the job's row."""

    job: str
    name: str
    failed_at: datetime | None
    error: str


def list_failures(work: UnitOfWork, *, limit: int) -> list[Failure]:
    """The jobs that failed last."""
    query = select(Job.uuid, Job.name, Job.finished_at, Job.error).where(Job.state == JobState.FAILED)
    rows = work.session.execute(query.order_by(Job.id.desc()).limit(limit))
    return [Failure(uuid, name, at, error.strip().rpartition("\n")[2][:500]) for uuid, name, at, error in rows]


def list_schedules(work: UnitOfWork) -> list[ScheduleStanding]:
    """Every periodic job that is registered here, in two queries."""
    paused = dict(work.session.execute(select(SchedulePause.name, SchedulePause.paused_at)).all())
    last_runs = {row.name: row.last_run_at for row in work.session.scalars(select(ScheduleRun))}
    standings = []
    for schedule in work.context[SCHEDULES].values():
        last = last_runs.get(schedule.name)
        since = paused.get(schedule.name)
        following = schedule.next_after(last) if last is not None and since is None else None
        standings.append(ScheduleStanding(schedule.name, schedule.cron_utc, schedule.job, last, following, since))
    return standings
