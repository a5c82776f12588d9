"""The room's background work: time becomes events, and readers are told of events."""

from __future__ import annotations

from hub.base.context import Context
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register
from hub.metering.service import tell_intervals, tell_readers

TELL_JOB = "metering.tell"


def install(context: Context) -> None:
    """Register the room's job and its schedule; done once, by ``build_context``."""
    register(context, JobSpec(TELL_JOB, "hub.metering.jobs:tell", queue="billing", timeout_s=1800))
    register_schedule(context, Schedule(TELL_JOB, "* * * * *", TELL_JOB))


def tell(run: JobRun) -> None:
    """Tell of what was used since the last minute."""
    if counted := tell_intervals(run.context):
        run.log(f"Counted the time of what runs in {counted} events.")
    if told := tell_readers(run.context):
        run.log(f"Told of {told} events.")
