"""Importing manifests with stevedore, judging what they declare, and ordering them by what they require."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import EntryPoint
from typing import Any, get_type_hints

from stevedore import ExtensionManager

from hub.accounts.models import Role, TokenScope
from hub.accounts.policy import Permission, Subject
from hub.base.registry import RegistryError
from hub.base.settings import SETTING_TYPES, Settings
from hub.plugin.discovery import GROUP, Installed
from hub.plugin.manifest import Plugin, WhenExpired
from hub.plugin.states import PluginError

_PERMISSION = re.compile(r"[a-z0-9_]+:[a-z0-9_]+:[a-z0-9_]+\Z")
# Below a thing of the hub's, one segment may be a variable of the route: "/api/v1/namespaces/<uuid>/keys".
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+(/<[a-z_]+>(/[A-Za-z0-9._~-]+)+)?\Z")


def load_plugin(installed: Installed) -> Plugin:
    """The plugin's manifest: its module imported, its declarations judged, its class instantiated.

    Raises PluginError with the reason for whatever goes wrong, an interpreter that the module wants to exit included.
    """
    with blaming():
        [found] = [extension.plugin for extension in _OneEntryPoint(installed)]
        judge_class(installed.name, found)
        plugin: Plugin = found()
        judge_declarations(plugin)
    return plugin


class _OneEntryPoint(ExtensionManager[Any]):
    """stevedore's manager of one entry point, which the host has found already.

    One by one, because stevedore lets an AssertionError of one plugin stop all of them; and without its cache of entry
    points, which a process that lives on and an upgrade a minute ago make stale.
    """

    def __init__(self, installed: Installed) -> None:
        self._point = EntryPoint(installed.name, installed.target, GROUP)
        super().__init__(GROUP, on_load_failure_callback=_raise)

    def list_entry_points(self) -> list[EntryPoint]:
        return [self._point]


@contextmanager
def blaming() -> Iterator[None]:
    """Run a plugin's code: whatever it raises becomes a PluginError, but for an interruption from the keyboard.

    Not only errors: a module may call ``sys.exit``, and native code raises panics that are no ``Exception``.
    """
    try:
        yield
    except (PluginError, KeyboardInterrupt):
        raise
    except RegistryError as error:
        raise PluginError(str(error)) from error
    except BaseException as error:
        raise PluginError(describe(error)) from error


def _raise(_manager: Any, _entry_point: Any, error: BaseException) -> None:
    raise error


def describe(error: BaseException) -> str:
    """An error of a plugin in one line."""
    try:
        text = " ".join(str(error).split())[:300]
    except Exception:
        text = "it cannot even be told"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def judge_class(name: str, found: object) -> None:
    """Return for a class that can be a plugin of that name. Raises PluginError."""
    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise PluginError(f"its entry point names {found!r}, which does not derive hub.plugin.Plugin")
    if found.name != name:
        raise PluginError(f"its class calls it {found.name!r}, its entry point {name!r}")
    if not (found.__doc__ or "").strip():
        raise PluginError("its class has no docstring, whose first line is the plugin's title")


def judge_declarations(plugin: Plugin) -> None:
    """Return when the class attributes are what they must be. Raises PluginError."""
    if not _are_words(plugin.requires) or plugin.name in plugin.requires:
        raise PluginError("'requires' is a tuple of names of other plugins")
    if plugin.feature is not None and not (isinstance(plugin.feature, str) and plugin.feature):
        raise PluginError("'feature' is a word of the licence, or None")
    if not isinstance(plugin.when_expired, WhenExpired):
        raise PluginError("'when_expired' is a member of WhenExpired")
    for attribute in ("url_prefixes", "repository_paths"):
        paths = getattr(plugin, attribute)
        if not isinstance(paths, tuple) or not all(isinstance(path, str) and _PATH.match(path) for path in paths):
            raise PluginError(f"'{attribute}' is a tuple of paths such as '/reports', without a slash at the end")
    singles = plugin.wsgi_addresses
    if not _are_words(singles) or not all(_PATH.match(path) and path.count("/") > 1 for path in singles):
        raise PluginError("'wsgi_addresses' is a tuple of paths of two parts or more, such as '/acme/reports'")
    _judge_permissions(plugin)
    _judge_settings(plugin)


def _are_words(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(word, str) and word for word in value)


def _judge_permissions(plugin: Plugin) -> None:
    if not isinstance(plugin.permissions, tuple):
        raise PluginError("'permissions' is a tuple of Permission")
    for permission in plugin.permissions:
        if not isinstance(permission, Permission):
            raise PluginError("'permissions' is a tuple of Permission")
        if not _PERMISSION.match(permission.name) or not permission.name.startswith(f"{plugin.name}:"):
            raise PluginError(f"the permission {permission.name!r} is not named '{plugin.name}:resource:action'")
        if not permission.meaning:
            raise PluginError(f"the permission {permission.name!r} does not say what it allows")
        words = ((permission.on, Subject), (permission.role, Role), (permission.scope, TokenScope))
        if not all(isinstance(value, kind) for value, kind in words):
            raise PluginError(f"the permission {permission.name!r} is made of Subject, Role and TokenScope")


def _judge_settings(plugin: Plugin) -> None:
    cls = plugin.settings
    if cls is None:
        return
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise PluginError("'settings' is a dataclass whose fields are made by hub.plugin.setting")
    core = {item.name for item in dataclasses.fields(Settings)}
    kinds = get_type_hints(cls)
    for item in dataclasses.fields(cls):
        if not item.metadata.get("help") or not {"unit", "secret"} <= set(item.metadata):
            raise PluginError(f"the setting {item.name!r} does not say what it is for; make it by hub.plugin.setting")
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise PluginError(f"the setting {item.name!r} has no default")
        if kinds[item.name] not in SETTING_TYPES:
            words = ", ".join(kind.__name__ for kind in SETTING_TYPES)
            raise PluginError(f"the setting {item.name!r} is of no type that a setting can have: {words}")
        if item.name.endswith(("_s", "_bytes")) and not item.metadata.get("unit"):
            raise PluginError(f"the setting {item.name!r} does not say its unit")
        if f"{plugin.name}_{item.name}" in core:
            variable = f"HUB_{plugin.name}_{item.name}".upper()
            raise PluginError(f"the setting {item.name!r} would share the variable {variable} with one of the hub's")


def order(plugins: Iterable[Plugin]) -> tuple[list[Plugin], Mapping[str, str]]:
    """The plugins so that each comes after those it requires; beside them, name -> reason of those that cannot run.

    plugins: those that would run. Among plugins that do not require each other the order is that of their names.
    """
    found = {plugin.name: plugin for plugin in sorted(plugins, key=lambda plugin: plugin.name)}
    reasons: dict[str, str] = {}
    while True:
        missing = {
            name: needed
            for name, plugin in found.items()
            for needed in plugin.requires
            if needed not in found and name not in reasons
        }
        for name, needed in missing.items():
            reasons[name] = f"it requires the plugin {needed!r}, which does not run"
            del found[name]
        if missing:
            continue
        try:
            sorter = TopologicalSorter({name: sorted(plugin.requires) for name, plugin in found.items()})
            return [found[name] for name in sorter.static_order()], reasons
        except CycleError as error:
            names = error.args[1]
            for name in set(names):
                reasons[name] = f"the plugins require each other: {' -> '.join(reversed(names))}"
                del found[name]
