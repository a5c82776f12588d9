"""The manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.plugin import Plugin, setting

if TYPE_CHECKING:
    from flask import Blueprint


@dataclass(frozen=True)
class MonitoringSettings:
    """Who may read the figures."""

    token: str = setting("", "bearer token by which Prometheus scrapes; empty: administrators only", secret=True)


class MonitoringPlugin(Plugin):
    """Monitoring

    The hub's figures in the text format of Prometheus, at /-/metrics: repositories, storage, users, queues, plugins,
    the days that the licence has left, and whatever other plugins add.
    """

    name = "monitoring"
    settings = MonitoringSettings
    url_prefixes = ("/-/metrics",)

    def web_blueprints(self) -> Iterable[Blueprint]:
        from plugins.monitoring.web import blueprint

        return (blueprint,)
