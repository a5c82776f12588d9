"""The seam: figures, for the plugin that shows them."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.metrics import METRICS, Metric, MetricKind, Sample

__all__ = ["Metric", "MetricKind", "Sample", "list_metrics"]


def list_metrics(context: Context) -> list[Metric]:
    """Every family of figures of the hub and its plugins, by name."""
    return sorted(context[METRICS].values(), key=lambda metric: metric.name)
