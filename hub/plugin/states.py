"""What the host says of a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hub.plugin.discovery import Installed
from hub.plugin.manifest import Plugin


class PluginError(Exception):
    """What is wrong with a plugin, for the operator. It makes the plugin broken, or stops a strict start."""


class PluginState(StrEnum):
    """Where a plugin stands in this process."""

    ENABLED = "enabled"
    READ_ONLY = "read_only"  # the licence has expired: what was begun goes on, nothing new begins
    LOCKED = "locked"  # the edition or the licence does not have it; nothing of it is mounted
    DISABLED = "disabled"  # nobody asked for it; not even its manifest is imported
    BROKEN = "broken"  # it cannot run, and ``reason`` says why

    @property
    def is_active(self) -> bool:
        """Whether the plugin runs."""
        return self in (PluginState.ENABLED, PluginState.READ_ONLY)


@dataclass
class HostedPlugin:
    """A plugin and what became of it. Only the host writes to it, at the start.

    plugin: None while its manifest is not loaded. points: the extension points that it uses.
    """

    name: str
    installed: Installed | None
    state: PluginState
    reason: str = ""
    plugin: Plugin | None = None
    points: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.plugin.title if self.plugin else self.name

    @property
    def url_prefixes(self) -> tuple[str, ...]:
        """What it has declared; none while its manifest is not loaded."""
        return self.plugin.url_prefixes if self.plugin else ()

    @property
    def version(self) -> str:
        """Of the distribution that brought it; empty when it is not installed."""
        return self.installed.version if self.installed else ""

    @property
    def distribution(self) -> str:
        """The distribution that brought it; empty when it is not installed."""
        return self.installed.distribution if self.installed else ""
