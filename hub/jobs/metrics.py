"""The room's figures. Names: deployment contract, section 19."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from hub.base.context import Context
from hub.base.metrics import Metric, Sample, add_metric
from hub.db.uow import reading
from hub.jobs.models import Job, JobState


def install(context: Context) -> None:
    """Add them; done once, by ``build_context``."""
    add_metric(context, Metric("hub_queue_depth", "Jobs that wait, by queue.", read_depths, labels=("queue",)))
    add_metric(
        context,
        Metric("hub_queue_oldest_seconds", "How long the oldest due job has waited.", read_ages, labels=("queue",)),
    )


def read_depths(context: Context) -> Iterator[Sample]:
    """How many jobs wait in each queue that has any."""
    with reading(context) as work:
        rows = work.session.execute(
            select(Job.queue, func.count()).where(Job.state == JobState.QUEUED).group_by(Job.queue)
        ).all()
    return (Sample(count, {"queue": queue}) for queue, count in rows)


def read_ages(context: Context) -> Iterator[Sample]:
    """For how long the oldest job that is due has waited, in each queue that has any."""
    with reading(context) as work:
        now = work.now()
        rows = work.session.execute(
            select(Job.queue, func.min(Job.run_after))
            .where(Job.state == JobState.QUEUED, Job.run_after <= now)
            .group_by(Job.queue)
        ).all()
    return (Sample((now - oldest).total_seconds(), {"queue": queue}) for queue, oldest in rows)
