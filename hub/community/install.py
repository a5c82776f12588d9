"""What this room gives the application context."""

from __future__ import annotations

from hub.base.context import Context
from hub.community import (
    activities,
    deliveries,
    departures,
    jobs,
    mail,
    mentions,
    notices,
    outbox,
    pulls,
    security,
    topics,
)
from hub.community.service import searching


def install(context: Context) -> None:
    """Register the room's jobs, schedules and topics; done once, by ``build_context``."""
    departures.install(context)
    activities.install(context)
    topics.install(context)
    jobs.install(context)
    mail.install(context)
    pulls.install(context)
    mentions.install(context)
    notices.install(context)
    security.install(context)
    deliveries.install(context)
    outbox.install(context)
    searching.install(context)
