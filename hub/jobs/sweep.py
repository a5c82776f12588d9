"""The sweep: brings back what a lost Redis or a dead worker dropped, and sends what has become due."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import redis
from sqlalchemy import select, tuple_

from hub.base.context import Context
from hub.base.log import get_logger
from hub.db.uow import reading
from hub.jobs.models import Job, JobState
from hub.jobs.queue import QUEUE, RedisQueue, delivery_id
from hub.jobs.run import settle_dead

log = get_logger(__name__)

# Six missed heartbeats; a database that is away for a moment costs fewer.
STALE_S = 30.0
# A job this fresh is still being sent by whoever asked for it, or claimed by a worker.
GRACE_S = 5.0
_PAGE = 500


@dataclass(frozen=True)
class SweepResult:
    """How many queued jobs were sent (again), and how many running ones had lost their worker."""

    sent: int
    revived: int


def sweep(context: Context) -> SweepResult:
    """Look at every live job once. Safe to run twice at a time: a job that is sent twice runs once."""
    revived = revive(context)
    return SweepResult(send_missing(context), revived)


def revive(context: Context) -> int:
    """Settle running jobs whose heartbeat has stopped: queued again while attempts are left, else failed."""
    with reading(context) as work:
        stale = work.session.execute(
            select(Job.uuid, Job.attempt).where(
                Job.state == JobState.RUNNING, Job.heartbeat_at < work.now() - timedelta(seconds=STALE_S)
            )
        ).all()
    for uuid, attempt in stale:
        settle_dead(context, uuid, attempt=attempt, reason="The worker died or lost the database.")
    return len(stale)


def is_stale(job: Job, now: datetime) -> bool:
    """Whether a running job's worker gives no sign of life; the sweep settles it soon."""
    heard_at = job.heartbeat_at
    return job.state == JobState.RUNNING and heard_at is not None and now - heard_at > timedelta(seconds=STALE_S)


def send_missing(context: Context) -> int:
    """Send queued jobs that are due and not in Redis. Reads each queue's list of ids once; 0 while Redis is away."""
    queue = context[QUEUE]
    if not isinstance(queue, RedisQueue):
        return 0
    sent = 0
    waiting: dict[str, set[str]] = {}
    after = None
    while True:
        jobs = _due(context, after)
        try:
            for job in jobs:
                if job.queue not in waiting:
                    waiting[job.queue] = queue.waiting(job.queue)
        except (redis.RedisError, OSError) as error:
            log.warning("sweep_without_redis", reason=type(error).__name__)
            return sent
        counts: dict[str, int] = defaultdict(int)
        for job in jobs:
            if delivery_id(job) not in waiting[job.queue] and queue.send(job):
                counts[job.queue] += 1
        if counts:
            log.info("jobs_sent_again", **counts)
            sent += sum(counts.values())
        if len(jobs) < _PAGE:
            return sent
        after = (jobs[-1].run_after, jobs[-1].id)


def _due(context: Context, after: tuple[object, int] | None) -> list[Job]:
    with reading(context) as work:
        query = select(Job).where(
            Job.state == JobState.QUEUED, Job.run_after <= work.now() - timedelta(seconds=GRACE_S)
        )
        if after is not None:
            query = query.where(tuple_(Job.run_after, Job.id) > after)
        return list(work.session.scalars(query.order_by(Job.run_after, Job.id).limit(_PAGE)))


def send_due(context: Context, *, since_s: float) -> int:
    """Send the jobs whose pause has ended in the last ``since_s`` seconds; how many.

    The cheap look between two sweeps, so that a retry starts when it is due and not up to a sweep later.
    """
    with reading(context) as work:
        now = work.now()
        jobs = work.session.scalars(
            select(Job)
            .where(
                Job.state == JobState.QUEUED,
                Job.run_after <= now,
                Job.run_after > now - timedelta(seconds=since_s),
                # A job without a pause was sent by whoever asked for it.
                Job.run_after > Job.created_at,
            )
            .limit(_PAGE)
        ).all()
    return sum(context[QUEUE].send(job) for job in jobs)
