"""The room's periodic work."""

from __future__ import annotations

from hub.accounts import topics
from hub.accounts.service import email_codes, invitations, own_data, resets
from hub.accounts.service.departures import (
    DEPARTURES,
    ORGANIZATION_DEPARTURES,
    create_departures,
    drop_ownerless_namespaces,
)
from hub.accounts.service.jwts import delete_expired_jwts
from hub.accounts.service.renaming import RENAMES
from hub.accounts.service.sessions import delete_expired_sessions
from hub.accounts.service.setup import SET_UP, SetUp
from hub.accounts.service.users import count_active_users
from hub.base.context import Context
from hub.base.registry import Registry
from hub.db.uow import unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register
from hub.licensing import service as licensing
from hub.licensing.usage import USAGE


def install(context: Context) -> None:
    """Register the room's jobs, schedules and topics, the steps of departures and renames, and the count of seats.

    Done once, by ``build_context``.

    The check of the licence is here because the licences' room stands beside the jobs', not above it.
    """
    register(context, JobSpec("accounts.expire_sessions", "hub.accounts.jobs:expire_sessions"))
    register_schedule(context, Schedule("accounts.expire_sessions", "5 * * * *", "accounts.expire_sessions"))
    register(context, JobSpec("licensing.check", "hub.accounts.jobs:check_license"))
    register_schedule(context, Schedule("licensing.check", "35 * * * *", "licensing.check"))
    register(context, JobSpec("accounts.drop_namespaces", "hub.accounts.jobs:drop_namespaces"))
    register_schedule(context, Schedule("accounts.drop_namespaces", "50 4 * * *", "accounts.drop_namespaces"))
    register(context, JobSpec("accounts.sweep_pictures", "hub.accounts.jobs:sweep_pictures"))
    register_schedule(context, Schedule("accounts.sweep_pictures", "40 4 * * *", "accounts.sweep_pictures"))
    context.provide(DEPARTURES, create_departures())
    context.provide(ORGANIZATION_DEPARTURES, Registry("organization departures"))
    context.provide(RENAMES, Registry("renames"))
    context.provide(SET_UP, SetUp())
    resets.install(context)
    invitations.install(context)
    own_data.install(context)
    email_codes.install(context)
    topics.install(context)
    context[USAGE].add("users", count_active_users)


def expire_sessions(run: JobRun) -> None:
    """Forget what ended by itself: browser sessions, remembered devices, revocations of session tokens."""
    # Deliberately late, here and below: few processes have to do with these.
    from hub.accounts.service.second_factors import delete_expired_devices

    with unit_of_work(run.context) as work:
        count, revoked = delete_expired_sessions(work), delete_expired_jwts(work)
        devices = delete_expired_devices(work)
    run.log(f"Forgot {count} sessions, {devices} devices and {revoked} revoked tokens.")


def sweep_pictures(run: JobRun) -> None:
    """Remove the pictures of accounts that nobody has any more, and copies of people's data that are old."""
    from hub.accounts.service import pictures

    run.log(f"Removed {own_data.sweep_copies(run.context, now=run.context.clock.now())} copies of people's data.")
    run.log(f"Removed {pictures.sweep_pictures(run.context, now=run.context.clock.now())} pictures.")


def drop_namespaces(run: JobRun) -> None:
    """Remove the namespaces of accounts that went, as far as nothing is left in them."""
    run.log(f"Removed {drop_ownerless_namespaces(run.context)} namespaces.")


def check_license(run: JobRun) -> None:
    """Judge the licence afresh; see ``hub.licensing.service.check``."""
    standing = licensing.check(run.context)
    run.log(f"{standing.state.value}: {standing.message}")
