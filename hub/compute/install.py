"""What this room gives the application context."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.drivers import DRIVER_GROUPS
from hub.compute import departures
from hub.compute.driver import DRIVERS
from hub.compute.machines import MACHINES, Machines
from hub.compute.service import rules
from hub.compute.service.naming import RECONCILE_JOB, START_JOB, STOP_JOB
from hub.compute.service.polling import WATCH, Watch
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register

SWEEP_JOB = "compute.sweep"


def install(context: Context) -> None:
    """Register the room's permissions, jobs, schedules and drivers; done once, by ``build_context``."""
    context[DRIVER_GROUPS].add(DRIVERS.name, DRIVERS)
    context.provide(MACHINES, Machines(context))
    context.provide(WATCH, Watch())
    rules.install(context)
    departures.install(context)
    starting, reconciling = "hub.compute.service.starting", "hub.compute.service.reconciling"
    # Copying a model of some hundred gigabytes from S3 takes its time.
    register(context, JobSpec(START_JOB, f"{starting}:start_job", queue="compute", timeout_s=6 * 3600, max_attempts=5))
    register(context, JobSpec(STOP_JOB, f"{starting}:stop_job", queue="compute", timeout_s=300, max_attempts=5))
    register(context, JobSpec(RECONCILE_JOB, f"{reconciling}:reconcile_job", queue="compute", timeout_s=600))
    register(context, JobSpec(SWEEP_JOB, f"{reconciling}:sweep_job", queue="compute", timeout_s=3600))
    register_schedule(context, Schedule(RECONCILE_JOB, "* * * * *", RECONCILE_JOB))
    register_schedule(context, Schedule(SWEEP_JOB, "45 * * * *", SWEEP_JOB))
