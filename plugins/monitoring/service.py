"""The figures as Prometheus reads them. Source: its text exposition format, version 0.0.4."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from hub.plugin import Actor, Context, Metric, MetricKind, get_logger
from hub.plugin.db import reading
from hub.plugin.metrics import list_metrics
from hub.plugin.policy import require_site_admin
from hub.plugin.settings import settings_of
from plugins.monitoring.plugin import MonitoringSettings

log = get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def is_scraper(context: Context, authorization: str) -> bool:
    """Whether the ``Authorization`` header carries the token of the settings; never while that is empty."""
    token = settings_of(context, MonitoringSettings).token
    return bool(token) and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def render_metrics(context: Context, *, actor: Actor | None) -> bytes:
    """Every figure of the hub and its plugins at this moment.

    actor: who asks; None: a scraper whose token was right. Raises NotSignedIn, Denied for who is no administrator.
    """
    if actor is not None:
        with reading(context) as work:
            require_site_admin(work, actor)
    registry = CollectorRegistry()
    registry.register(_Figures(context))
    return generate_latest(registry)


_Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class _Figures(Collector):
    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[_Family]:
        """None: the figures are read once, when they are asked for."""
        return []

    def collect(self) -> Iterator[_Family]:
        """One family after the other; one that cannot be read is logged and left out."""
        for metric in list_metrics(self._context):
            try:
                yield self._read(metric)
            except Exception:
                log.exception("metric_failed", metric=metric.name)

    def _read(self, metric: Metric) -> _Family:
        if metric.kind == MetricKind.HISTOGRAM:
            return self._read_histogram(metric)
        make = CounterMetricFamily if metric.kind == MetricKind.COUNTER else GaugeMetricFamily
        # What is of a wrong type must fail here: later it would take the whole page along.
        family = make(metric.name, str(metric.help), labels=metric.labels)
        for sample in metric.read(self._context):
            family.add_metric([str(sample.labels[label]) for label in metric.labels], float(sample.value))
        return family

    def _read_histogram(self, metric: Metric) -> HistogramMetricFamily:
        family = HistogramMetricFamily(metric.name, str(metric.help), labels=metric.labels)
        for sample in metric.read(self._context):
            labels = [str(sample.labels[label]) for label in metric.labels]
            buckets = [(str(bound), float(count)) for bound, count in sample.buckets]
            family.add_metric(labels, buckets=buckets, sum_value=float(sample.value))
        return family
