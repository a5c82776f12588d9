"""The seam: figures, for the plugin that shows them; and the host's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hub.base.context import Context
from hub.base.metrics import METRICS, Metric, MetricKind, Sample, add_metric
from hub.plugin.host import PLUGINS
from hub.plugin.states import PluginState

__all__ = ["Metric", "MetricKind", "Sample", "list_metrics"]


def list_metrics(context: Context) -> list[Metric]:
    """Every family of figures of the hub and its plugins, by name."""
    return sorted(context[METRICS].values(), key=lambda metric: metric.name)


def count_plugins(context: Context) -> Iterator[Sample]:
    """How many plugins are in each state, in the process that answers."""
    found = Counter(hosted.state for hosted in context[PLUGINS].list_all()) if PLUGINS in context else Counter()
    return (Sample(found[state], {"state": state.value}) for state in PluginState)


def install(context: Context) -> None:
    """Add the host's own figure; done once, by ``build_context``."""
    add_metric(context, Metric("hub_plugins", "Plugins by state.", count_plugins, labels=("state",)))
