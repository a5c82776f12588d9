"""The room's periodic work."""

from __future__ import annotations

from hub.accounts.service.sessions import delete_expired_sessions
from hub.base.context import Context
from hub.db.uow import unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register


def install(context: Context) -> None:
    """Register the room's jobs and their schedules; done once, by ``build_context``."""
    register(context, JobSpec("accounts.expire_sessions", "hub.accounts.jobs:expire_sessions"))
    register_schedule(context, Schedule("accounts.expire_sessions", "5 * * * *", "accounts.expire_sessions"))


def expire_sessions(run: JobRun) -> None:
    """Forget the browser sessions that ended by themselves."""
    with unit_of_work(run.context) as work:
        count = delete_expired_sessions(work)
    run.log(f"Forgot {count} sessions.")
