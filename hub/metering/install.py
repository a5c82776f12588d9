"""What this room gives the application context."""

from __future__ import annotations

from hub.base.context import Context
from hub.metering import jobs
from hub.metering.service import USAGE_READERS, USAGE_WRITER, UsageWriter, create_readers
from hub.metering.service.sums import SUMS, add_up


def install(context: Context) -> None:
    """Provide the writer and the readers of usage, and register the room's job; done once, by ``build_context``."""
    context.provide(USAGE_WRITER, UsageWriter(context))
    context.provide(USAGE_READERS, create_readers())
    context[USAGE_READERS].add(SUMS, add_up)
    jobs.install(context)
