"""The room's figures. Names: deployment contract, section 19."""

from __future__ import annotations

from collections.abc import Iterator

from hub import __version__
from hub.base.context import Context
from hub.base.metrics import Metric, Sample, add_metric
from hub.licensing.service import LICENSING


def install(context: Context) -> None:
    """Add them; done once, by ``build_context``."""
    add_metric(context, Metric("hub_licence_days_left", "Days until the licence expires, if it does.", read_days_left))
    add_metric(
        context,
        Metric("hub_build_info", "Always 1; which release and edition this is.", read_build, ("edition", "version")),
    )


def read_days_left(context: Context) -> Iterator[Sample]:
    """The days, negative once it has expired; nothing without a licence or for a perpetual one."""
    days_left = context[LICENSING].standing().days_left
    if days_left is not None:
        yield Sample(days_left, {})


def read_build(context: Context) -> Iterator[Sample]:
    """The release and the active edition."""
    yield Sample(1, {"edition": context[LICENSING].edition.name, "version": __version__})
