"""The manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hub.plugin import JobSpec, Metric, Plugin, Schedule
from plugins.xnet.settings import XnetSettings

if TYPE_CHECKING:
    from flask import Blueprint

    from hub.plugin.lfs import ContentSource


class XnetPlugin(Plugin):
    """Xnet

    Contents in chunks that files share, by the protocol Xet: clients of huggingface_hub send and fetch only the
    chunks that they do not have.
    """

    name = "xnet"
    settings = XnetSettings
    url_prefixes = ("/xet",)
    models = "plugins.xnet.models"
    migrations = True
    cli = "plugins.xnet.cli:group"

    def web_blueprints(self) -> Iterable[Blueprint]:
        # Each adds its routes to the same one.
        from plugins.xnet import api, downloads

        return tuple({module.blueprint for module in (api, downloads)})

    def jobs(self) -> Iterable[JobSpec]:
        return (
            JobSpec("xnet.collect_garbage", "plugins.xnet.garbage:collect", timeout_s=6 * 3600),
            # One content of a terabyte takes hours; after a minute of smaller ones it lets others work.
            JobSpec("xnet.convert_objects", "plugins.xnet.conversion:convert", queue="index", timeout_s=12 * 3600),
        )

    def schedules(self) -> Iterable[Schedule]:
        return (
            # After the hub's own collection, by which files go.
            Schedule("xnet.collect_garbage", "10 5 * * *", "xnet.collect_garbage"),
            Schedule("xnet.convert_objects", "*/10 * * * *", "xnet.convert_objects"),
        )

    def metrics(self) -> Iterable[Metric]:
        from plugins.xnet.figures import list_figures

        return list_figures()

    def content_sources(self) -> Mapping[str, ContentSource]:
        from plugins.xnet.source import XnetSource

        return {self.name: XnetSource()}
