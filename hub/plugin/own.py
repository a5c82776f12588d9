"""What the host itself contributes: a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hub.base.context import Context
from hub.base.metrics import Metric, Sample, add_metric
from hub.plugin.host import PLUGINS
from hub.plugin.states import PluginState


def install(context: Context) -> None:
    """Add it; done once, by ``build_context``."""
    add_metric(context, Metric("hub_plugins", "Plugins by state.", count_plugins, labels=("state",)))


def count_plugins(context: Context) -> Iterator[Sample]:
    """How many plugins are in each state, in the process that answers."""
    found = Counter(hosted.state for hosted in context[PLUGINS].list_all()) if PLUGINS in context else Counter()
    return (Sample(found[state], {"state": state.value}) for state in PluginState)
