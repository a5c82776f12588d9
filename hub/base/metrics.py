"""Figures that the hub can be asked for. Rooms and plugins name them; what shows them asks when it is asked itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.base.context import Context, Key
from hub.base.registry import Registry

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class MetricKind(StrEnum):
    """``counter`` only grows while the hub's data stand, ``gauge`` goes up and down; ``histogram`` is how often what
    was seen lay below each of some bounds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Sample:
    """One figure: the values of its labels, and the number.

    Of a histogram the number is the sum of all that was seen, and buckets say how often it was no more than each
    bound, in their order; the last bound is "+Inf".
    """

    value: float
    labels: Mapping[str, str]
    buckets: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Metric:
    """One family of figures.

    name: ``hub_...`` with its unit (``hub_jobs``, ``hub_storage_bytes``); a plugin's begins with ``hub_PLUGIN_``.
    labels: the names that each sample gives a value for. read: what the figures are now; it is called at each
    scrape, in any process, so it asks the database or Redis and keeps nothing, and is quick.
    """

    name: str
    help: str
    read: Callable[[Context], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    kind: MetricKind = MetricKind.GAUGE

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"metric {self.name!r}: a name has lower-case letters, digits and underscores")
        if not all(_NAME.match(label) for label in self.labels) or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"metric {self.name!r}: its labels {self.labels} are no names, or not all different")


METRICS: Key[Registry[Metric]] = Key("base.metrics")


def create_metrics() -> Registry[Metric]:
    """An empty registry; rooms and plugins add theirs."""
    return Registry("metrics")


def add_metric(context: Context, metric: Metric, *, owner: str = "hub") -> None:
    """Add one family of figures under its name. Raises RegistryError when the name is taken."""
    context[METRICS].add(metric.name, metric, owner=owner)
