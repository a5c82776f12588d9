"""Looks at the background work: whether somebody does it."""

from __future__ import annotations

import redis

from hub.base.context import Context
from hub.base.health import Check, fail, ok
from hub.jobs.queue import REDIS
from hub.jobs.scheduler import SCHEDULER_KEY

# RQ's set of the workers that it knows; the key of one that is gone expires. Source: rq.worker_registration.
_WORKERS_KEY = "rq:workers"


def count_workers(context: Context) -> int:
    """How many workers are there to run jobs. Raises redis.RedisError, OSError."""
    client = context[REDIS]
    keys = list(client.smembers(_WORKERS_KEY))
    return int(client.exists(*keys)) if keys else 0


def check_workers(context: Context) -> Check:
    """Whether there is a worker that runs jobs."""
    try:
        count = count_workers(context)
    except (redis.RedisError, OSError):
        return fail("workers", "Without Redis nobody can tell.", "See the check of Redis.")
    if not count:
        return fail("workers", "No worker runs: jobs wait.", "Start `hub serve` or `hub worker`.")
    return ok("workers", f"Workers: {count}.")


def check_scheduler(context: Context) -> Check:
    """Whether a scheduler asks for periodic jobs."""
    try:
        is_held = bool(context[REDIS].exists(SCHEDULER_KEY))
    except (redis.RedisError, OSError):
        return fail("scheduler", "Without Redis nobody can tell.", "See the check of Redis.")
    if not is_held:
        return fail(
            "scheduler", "No scheduler runs: nothing periodic is done.", "Start `hub serve` or `hub scheduler`."
        )
    return ok("scheduler", "A scheduler is at work.")
