"""The seam: telling what was used, by events or by the time that something runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.base.context import Context
from hub.db.base import Model
from hub.metering.service import USAGE_WRITER, Running, record, start_interval, stop_interval
from hub.metering.usage import Power, Scene, Tokens, Unit, Usage

__all__ = [
    "Power",
    "Running",
    "Scene",
    "Tokens",
    "Unit",
    "Usage",
    "record",
    "start_interval",
    "stop_interval",
    "write_usage",
]


def write_usage(
    context: Context, *usages: Usage, beside: Mapping[type[Model], Sequence[Mapping[str, Any]]] | None = None
) -> None:
    """Return when the events are safe, together with those of other requests of this moment.

    beside: new rows of the plugin's own tables, in the same transaction. Not inside a unit of work: there ``record``
    joins the transaction that is open. Raises Invalid.
    """
    context[USAGE_WRITER].write(*usages, beside=beside)
