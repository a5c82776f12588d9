"""The plugins and the settings as they are told of.

In ``hub plugin list``, in ``hub config show``, in the admin API and on the page ``/-/plugins``.
"""

from __future__ import annotations

from typing import Any

from hub.base.context import Context
from hub.base.effective import ORIGINS, describe_settings
from hub.base.errors import Invalid
from hub.plugin.host import PLUGINS
from hub.plugin.migrations import migration_state
from hub.plugin.states import HostedPlugin, PluginState


def list_plugins(context: Context, *, state: str = "") -> list[dict[str, Any]]:
    """Every plugin that is installed or asked for, by name. state: one of them, or empty for all.

    Raises Invalid (``REQ-ERR-6``) for a state that there is not.
    """
    if state and state not in list(PluginState):
        allowed = [word.value for word in PluginState]
        raise Invalid(f"'state' must be one of {', '.join(allowed)}.", code="REQ-ERR-6", query="state", allowed=allowed)
    found = context[PLUGINS].list_all() if PLUGINS in context else []
    return [describe_plugin(context, hosted) for hosted in found if not state or hosted.state == state]


def describe_plugin(context: Context, hosted: HostedPlugin) -> dict[str, Any]:
    """One plugin: what it is, what became of it and why, and what it uses."""
    plugin = hosted.plugin
    return {
        "name": hosted.name,
        "title": hosted.title,
        "description": plugin.description if plugin else "",
        "state": hosted.state.value,
        "reason": hosted.reason,
        "version": hosted.version,
        "distribution": hosted.distribution,
        "feature": plugin.feature if plugin else None,
        "requires": list(plugin.requires) if plugin else [],
        "points": hosted.points,
        "migrations": migration_state(context, hosted.installed),
    }


def list_settings(context: Context) -> list[dict[str, Any]]:
    """Every setting in force, the core's, then those of the plugins that are asked for, active or locked.

    As ``hub.base.effective.describe_settings`` has them; a plugin's names begin with ``plugin.NAME.``.
    """
    rows = list(describe_settings(context.settings, context[ORIGINS]))
    if PLUGINS not in context:
        return rows
    host = context[PLUGINS]
    origins = host.settings_origins()
    for hosted in host.list_all():
        if hosted.plugin is not None and hosted.plugin.settings is not None:
            section: Any = host.settings_of(hosted.plugin.settings)
            rows += describe_settings(section, origins[hosted.name], f"plugin.{hosted.name}.")
    return rows
