"""The host: decides which plugins run in this process, loads and installs them, and says what became of each.

The set follows from three things: what the settings ask for, what the active edition names, and what the licence
carries. All but the last stand for the life of a process; when the licence changes the set, ``watch.py`` has the
process replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from hub.accounts.service.namespaces import RESERVED_PATHS
from hub.base.context import Context, Key
from hub.base.errors import FeatureLocked, HubError
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.base.settings import SectionValues, SettingsError, load_section, split_names
from hub.db import revisions
from hub.db.engine import DATABASE
from hub.db.revisions import Branch
from hub.db.uow import reading
from hub.licensing.service import LICENSING, Licensing
from hub.plugin.discovery import Installed, find_installed
from hub.plugin.installing import discard, install_plugin
from hub.plugin.judging import Judgement, judge_plugins, locked_error
from hub.plugin.loading import blaming, describe, load_plugin, order
from hub.plugin.manifest import Plugin
from hub.plugin.models import PluginFault
from hub.plugin.names import find_name_fault
from hub.plugin.services import SERVICES
from hub.plugin.states import HostedPlugin, PluginError, PluginState

log = get_logger(__name__)

S = TypeVar("S")


class PluginHost:
    """The plugins of one application. Built at the start of each process; afterwards only read."""

    def __init__(self, context: Context, values: SectionValues | None = None, *, is_strict: bool | None = None) -> None:
        self._context = context
        self._values = values or SectionValues()
        self._is_strict = context.settings.plugins_strict if is_strict is None else is_strict
        self._hosted: dict[str, HostedPlugin] = {}
        self._order: list[Plugin] = []
        self._settings: dict[type, Any] = {}
        self._origins: dict[str, dict[str, str]] = {}
        self._judged: Mapping[str, Judgement] = {}
        self._awaited: list[Branch] = []

    # What became of the plugins.

    def list_all(self) -> list[HostedPlugin]:
        """Every plugin that is installed or asked for, by name."""
        return [self._hosted[name] for name in sorted(self._hosted)]

    def find(self, name: str) -> HostedPlugin | None:
        """The plugin of that name, or None."""
        return self._hosted.get(name)

    def active(self) -> list[HostedPlugin]:
        """The plugins that run, each after those it requires."""
        found = [self._hosted[plugin.name] for plugin in self._order]
        return [hosted for hosted in found if hosted.state.is_active]

    def locked(self) -> list[HostedPlugin]:
        """The plugins that the edition or the licence does not have."""
        return [hosted for hosted in self.list_all() if hosted.state == PluginState.LOCKED]

    def locked_error(self, hosted: HostedPlugin) -> FeatureLocked:
        """How a request to a locked plugin, or a write to a read-only one, is refused."""
        return locked_error(self._context, hosted, self._judge()[hosted.name])

    def is_licensable(self, hosted: HostedPlugin) -> bool:
        """Whether some licence would open a locked plugin."""
        return self._judged[hosted.name].is_licensable

    def settings_of(self, cls: type[S]) -> S:
        """A plugin's settings. Raises KeyError when no plugin that is loaded declares the class."""
        return cast(S, self._settings[cls])

    def settings_origins(self) -> Mapping[str, Mapping[str, str]]:
        """Where each value of each loaded plugin's settings came from: plugin -> setting -> origin."""
        return self._origins

    # The start.

    def start(self, installed: Mapping[str, Installed] | None = None) -> None:
        """Load, order and install the plugins that run here.

        installed: the plugins that there are; None: those of the distributions. Raises SettingsError for settings
        that no plugin has, and, where the start is strict, PluginError for a plugin that is broken.
        """
        installed = find_installed() if installed is None else installed
        self._find(installed)
        for hosted in self._hosted.values():
            if hosted.state not in (PluginState.DISABLED, PluginState.BROKEN):
                self._load(hosted)
        self._load_settings(installed)
        self._judged = self._judge()
        for name, judgement in self._judged.items():
            self._hosted[name].state, self._hosted[name].reason = judgement.state, judgement.reason
            self._reserve_paths(name)
        faults = self._read_faults()
        runnable = [h.plugin for h in self._hosted.values() if h.plugin is not None and h.state.is_active]
        self._order, reasons = order(plugin for plugin in runnable if self._is_migrated(plugin, faults))
        for name, reason in reasons.items():
            self.set_broken(name, reason)
        for plugin in list(self._order):
            self._install(plugin)
        for hosted in self.active():
            log.debug("plugin_started", plugin=hosted.name, state=hosted.state.value)

    def set_broken(self, name: str, reason: str) -> None:
        """Note that a plugin cannot run, and take back what it has contributed, with those that require it.

        Raises PluginError where the start is strict.
        """
        hosted = self._hosted[name]
        hosted.state, hosted.reason, hosted.points = PluginState.BROKEN, reason, []
        log.error("plugin_broken", plugin=name, reason=reason)
        if self._is_strict:
            raise PluginError(f"the plugin {name!r} is broken: {reason}")
        if hosted.plugin is not None:  # else it has contributed nothing, and its name may be anybody's
            discard(self._context, name)
        for other in self._order:
            if name in other.requires and self._hosted[other.name].state.is_active:
                self.set_broken(other.name, f"it requires the plugin {name!r}, which does not run")

    def freeze(self) -> None:
        """Close all registries: nothing is contributed after the start."""
        for registry in self._context.registries():
            registry.freeze()
        self._context.events.freeze()

    def is_stale(self) -> bool:
        """Whether another set of plugins would start now: the licence has changed, or tables have come."""
        self._licensing.refresh()
        was = {name: judgement.state for name, judgement in self._judged.items()}
        if {name: judgement.state for name, judgement in self._judge().items()} != was:
            return True
        # A process that starts before the database is migrated must not stay without its plugins.
        return any(revisions.is_current(self._context[DATABASE], branch) for branch in self._awaited)

    @property
    def _licensing(self) -> Licensing:
        return self._context[LICENSING]

    def _find(self, installed: Mapping[str, Installed]) -> None:
        """Every plugin that is installed or asked for, and what can be said before anything is imported."""
        settings = self._context.settings
        asked = set(split_names(settings.plugins))
        in_editions = {name for edition in self._licensing.editions.values() for name in edition.plugins}
        disabled = set(split_names(settings.plugins_disabled))
        for name in sorted({*installed, *asked, *in_editions}):
            hosted = HostedPlugin(name, installed.get(name), PluginState.ENABLED)
            self._hosted[name] = hosted
            if name in disabled:
                hosted.state, hosted.reason = PluginState.DISABLED, "HUB_PLUGINS_DISABLED names it"
            elif name not in asked | in_editions:
                hosted.state = PluginState.DISABLED
                hosted.reason = f"no edition has it; HUB_PLUGINS={name} runs it"
            elif hosted.installed is None:
                self.set_broken(name, "it is not installed in this environment; pip can do that")
            elif fault := find_name_fault(self._context, hosted.installed):
                self.set_broken(name, fault)

    def _load(self, hosted: HostedPlugin) -> None:
        assert hosted.installed is not None
        try:
            hosted.plugin = load_plugin(hosted.installed)
        except PluginError as error:
            self.set_broken(hosted.name, str(error))

    def _load_settings(self, installed: Mapping[str, Installed]) -> None:
        for name in self._values.tables:
            if name not in installed:
                raise SettingsError(f"[plugin.{name}]: no plugin of that name is installed")
        for hosted in self._hosted.values():
            if hosted.plugin is None:
                continue
            cls = hosted.plugin.settings
            if cls is None:
                if self._values.tables.get(hosted.name):
                    raise SettingsError(f"[plugin.{hosted.name}]: the plugin has no settings")
                continue
            try:
                self._load_section(cls, hosted.name, installed)
            except PluginError as error:
                hosted.plugin = None
                self.set_broken(hosted.name, str(error))

    def _load_section(self, cls: type[Any], name: str, installed: Iterable[str]) -> None:
        if cls in self._settings:
            raise PluginError(f"its settings class {cls.__name__} is another plugin's, too")
        refused: SettingsError | None = None
        with blaming():
            try:
                self._settings[cls], self._origins[name] = load_section(cls, name, self._values_of(name, installed))
            except SettingsError as error:
                refused = error
        if refused is not None:
            # What the operator wrote is at fault, not the plugin.
            raise refused

    def _values_of(self, name: str, installed: Iterable[str]) -> SectionValues:
        """What has been set, without the variables of plugins whose names begin with this one's."""
        longer = tuple(f"HUB_{other.upper()}_" for other in installed if other.startswith(f"{name}_"))
        environ = {key: raw for key, raw in self._values.environ.items() if not key.startswith(longer)}
        return SectionValues(self._values.tables, environ)

    def _reserve_paths(self, name: str) -> None:
        """Keep namespaces off the plugin's pages, locked or not: it may run at any time."""
        for prefix in self._hosted[name].url_prefixes:
            first = prefix.split("/")[1].lower()
            if first not in ("api", "-") and first not in self._context[RESERVED_PATHS]:
                self._context[RESERVED_PATHS].add(first, prefix, owner=name)

    def _judge(self) -> dict[str, Judgement]:
        """For each loaded plugin what the edition and the licence of this moment make of it."""
        loaded = {hosted.name: hosted.plugin for hosted in self._hosted.values() if hosted.plugin is not None}
        return judge_plugins(self._context, loaded)

    def _read_faults(self) -> Mapping[str, str]:
        try:
            with reading(self._context) as work:
                return {fault.name: fault.reason for fault in work.session.scalars(select(PluginFault))}
        except (SQLAlchemyError, HubError):
            return {}

    def _is_migrated(self, plugin: Plugin, faults: Mapping[str, str]) -> bool:
        """Whether the plugin's tables are as its code expects; notes it as broken when they are not."""
        if not plugin.migrations:
            return True
        installed = self._hosted[plugin.name].installed
        branch = installed.find_branch() if installed else None
        if branch is None:
            self.set_broken(plugin.name, "its package has no folder 'migrations'")
            return False
        try:
            if revisions.is_current(self._context[DATABASE], branch):
                return True
        except (SQLAlchemyError, HubError):
            # A database that is away says nothing about the plugin; who needs the tables will hear of it.
            return True
        except (OSError, ValueError, KeyError, SyntaxError) as error:
            self.set_broken(plugin.name, f"its migrations cannot be read: {describe(error)}")
            return False
        self._awaited.append(branch)
        fault = faults.get(plugin.name)
        self.set_broken(
            plugin.name,
            f"its migration failed: {fault}" if fault else "the database lacks its migrations; run `hub db upgrade`",
        )
        return False

    def _install(self, plugin: Plugin) -> None:
        hosted = self._hosted[plugin.name]
        if not hosted.state.is_active:  # one that it requires has turned out broken
            return
        try:
            hosted.points = install_plugin(self._context, plugin)
        except PluginError as error:
            self.set_broken(plugin.name, str(error))


PLUGINS: Key[PluginHost] = Key("plugin.host")


def install(context: Context, values: SectionValues | None = None, *, is_strict: bool | None = None) -> PluginHost:
    """Start the plugins of a process; done once, after ``build_context`` and before any use. Raises as ``start``.

    is_strict: whether a broken plugin stops the start; None: as the settings say.
    """
    context.provide(SERVICES, Registry("services"))
    host = context.provide(PLUGINS, PluginHost(context, values, is_strict=is_strict))
    host.start()
    return host


def wanted(context: Context, installed: Iterable[Installed]) -> list[Installed]:
    """The installed plugins that some edition or the settings ask for: those whose tables are migrated.

    Also those that the licence locks: it may come at any moment, and finds the tables ready.
    """
    settings = context.settings
    names = {name for edition in context[LICENSING].editions.values() for name in edition.plugins}
    names |= set(split_names(settings.plugins))
    names -= set(split_names(settings.plugins_disabled))
    return [plugin for plugin in installed if plugin.name in names and not find_name_fault(context, plugin)]
