"""The seam: a plugin's own settings, and the hub's."""

from __future__ import annotations

from typing import TypeVar

from hub.base.context import Context
from hub.base.settings import Settings, setting, split_names
from hub.plugin.host import PLUGINS

__all__ = ["Settings", "setting", "settings_of", "split_names"]

S = TypeVar("S")


def settings_of(context: Context, cls: type[S]) -> S:
    """The plugin's settings: an instance of the class that its manifest names as ``settings``."""
    return context[PLUGINS].settings_of(cls)
