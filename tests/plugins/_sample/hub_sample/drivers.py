"""One driver for a group of the hub's, one for the plugin's own."""

from __future__ import annotations

from hub.plugin.drivers import FileStore, ObjectStore, Settings
from hub_sample.greeters import Greeter


class ShelfStore(FileStore):
    """Files, under another scheme: ``shelf:///path``."""

    @classmethod
    def from_settings(cls, settings: Settings) -> ObjectStore:
        """As the settings of files."""
        from dataclasses import replace

        return super().from_settings(replace(settings, storage_url=settings.storage_url.replace("shelf:", "file:")))


class PoliteGreeter(Greeter):
    """Greets as one does."""

    def greet(self, name: str) -> str:
        return f"Good day, {name}."
