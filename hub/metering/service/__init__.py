"""What can be done with usage: record it, let it be read, ask for sums of it."""

from hub.metering.service.intervals import Running, start_interval, stop_interval, tell_intervals
from hub.metering.service.queries import (
    GROUPS,
    Group,
    Span,
    find_owner,
    iter_events,
    list_events,
    report_usage,
)
from hub.metering.service.readers import USAGE_READERS, Read, create_readers, replay, tell_readers
from hub.metering.service.recording import USAGE_WRITER, UsageWriter, record
from hub.metering.service.sums import add_up_anew

__all__ = [
    "GROUPS",
    "USAGE_READERS",
    "USAGE_WRITER",
    "Group",
    "Read",
    "Running",
    "Span",
    "UsageWriter",
    "add_up_anew",
    "create_readers",
    "find_owner",
    "iter_events",
    "list_events",
    "record",
    "replay",
    "report_usage",
    "start_interval",
    "stop_interval",
    "tell_intervals",
    "tell_readers",
]
