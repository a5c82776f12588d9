"""What this room gives the application context, and its own periodic work."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.settings import Settings
from hub.jobs.queue import QUEUE, REDIS, RedisQueue, connect
from hub.jobs.run import JobRun
from hub.jobs.schedule import SCHEDULES, Schedule, create_schedules, register_schedule
from hub.jobs.service import JOBS, JobSpec, create_registry, prune, register


def install(context: Context) -> None:
    """Provide Redis, the queue and the registries, and register the room's own jobs; done once, by ``build_context``.

    A queue that is already provided (an ``InlineQueue``) stays.
    """
    settings: Settings = context.settings
    client = context.provide(REDIS, connect(settings))
    if QUEUE not in context:
        context.provide(QUEUE, RedisQueue(client))
    context.provide(JOBS, create_registry())
    context.provide(SCHEDULES, create_schedules())
    register(context, JobSpec("jobs.prune", "hub.jobs.core:prune_job", timeout_s=1800))
    register_schedule(context, Schedule("jobs.prune", "17 3 * * *", "jobs.prune"))


def prune_job(run: JobRun) -> None:
    """Forget jobs that ended more than 30 days ago."""
    run.log(f"Forgot {prune(run.context)} jobs.")
