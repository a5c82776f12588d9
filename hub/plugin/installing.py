"""Putting what a plugin contributes into the rooms' registries; what needs Flask is in ``mounting.py``."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hub.accounts.policy import PERMISSIONS, Permission
from hub.accounts.service.departures import DEPARTURES
from hub.assets.indexing import Indexer, add_indexer
from hub.assets.runtypes import RunType, add_run_type
from hub.assets.security.files import Checker, add_checker
from hub.base.context import Context
from hub.base.dotted import load_dotted
from hub.base.drivers import DRIVER_GROUPS, DriverGroup
from hub.base.health import HEALTH
from hub.base.metrics import METRICS, Metric
from hub.base.registry import Registry
from hub.base.topics import TOPICS, Topic
from hub.db.base import Model
from hub.db.uow import UnitOfWork
from hub.jobs.schedule import SCHEDULES, Schedule
from hub.jobs.service import JOBS, JobSpec
from hub.metering.service import USAGE_READERS
from hub.metering.usage import Usage
from hub.plugin.loading import blaming
from hub.plugin.manifest import CheckPoint, Plugin
from hub.plugin.names import COMMANDS
from hub.plugin.services import SERVICES, Service
from hub.plugin.states import PluginError
from hub.repos.checks import CHECKS, DELETE_CHECKS
from hub.repos.kinds import KINDS, RepositoryKind, add_kind
from hub.repos.lfs.sources import SOURCES
from hub.web.navigation import NavItem, Panel, add_nav_item, add_panel

_COMMAND = re.compile(r"[a-z][a-z0-9_-]{1,29}\Z")


def install_plugin(context: Context, plugin: Plugin) -> list[str]:
    """Add all that a plugin contributes, and say which extension points it uses.

    Raises PluginError for a contribution that is not what it must be, or that another owner has; nothing of the
    plugin is left then.
    """
    points: list[str] = []
    try:
        with blaming():
            for point, install in _INSTALLERS.items():
                if install(context, plugin):
                    points.append(point)
    except PluginError:
        discard(context, plugin.name)
        raise
    return points


def discard(context: Context, name: str) -> None:
    """Take back all that a plugin has contributed."""
    for registry in context.registries():
        registry.discard(name)
    context.events.discard(name)


def _each(plugin: Plugin, contribution: str, kind: type[Any]) -> list[Any]:
    """What the method of that name gives. Raises PluginError when something of it is of another kind."""
    found = getattr(plugin, contribution)()
    if not isinstance(found, Iterable):
        raise PluginError(f"{contribution}() gives {found!r} instead of a tuple")
    items = list(found)
    for item in items:
        if not isinstance(item, kind):
            raise PluginError(f"{contribution}() gives {item!r}, which is no {kind.__name__}")
    return items


def _each_function(plugin: Plugin, contribution: str, *, dotted: bool = True) -> Mapping[Any, Any]:
    """What the method of that name maps to functions. Raises PluginError when it is something else.

    dotted: whether a function may also be named as "module:name".
    """
    found = getattr(plugin, contribution)()
    if not isinstance(found, Mapping):
        raise PluginError(f"{contribution}() gives {found!r} instead of a mapping")
    for function in found.values():
        _judge_function(contribution, function, dotted=dotted)
    return found


def _judge_function(contribution: str, function: object, *, dotted: bool) -> None:
    if dotted and isinstance(function, str) and ":" in function:
        _judge_dotted(contribution, function)
    elif not callable(function):
        raise PluginError(f"{contribution}() gives {function!r}, which is no function")


def _judge_dotted(contribution: str, name: str) -> None:
    """Whether there is such a module; only when the function is called is it imported."""
    module = name.partition(":")[0]
    try:
        is_there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise PluginError(f"{contribution} names {name!r}, and there is no module {module!r}")


def _named(plugin: Plugin, contribution: str, name: str, prefix: str) -> str:
    if not name.startswith(prefix):
        raise PluginError(f"{contribution}: {name!r} does not begin with {prefix!r}")
    return name


def _install_models(_context: Context, plugin: Plugin) -> int:
    if plugin.models is None:
        return 0
    before = set(Model.metadata.tables)
    module = importlib.import_module(plugin.models)
    prefix, package = f"{plugin.name}_", module.__name__.rpartition(".")[0] or module.__name__
    mappers = [m for m in Model.registry.mappers if f"{m.class_.__module__}.".startswith(f"{package}.")]
    # The tables of its classes, whenever they were imported, and whatever else has come with the module.
    tables = {str(getattr(mapper.local_table, "name", "")) for mapper in mappers} | set(Model.metadata.tables) - before
    strangers = {name for name in tables if not name.startswith(prefix)}
    if strangers:
        raise PluginError(f"its tables {', '.join(sorted(strangers))} do not begin with {prefix!r}")
    return sum(1 for name in Model.metadata.tables if name.startswith(prefix))


def _install_permissions(context: Context, plugin: Plugin) -> int:
    for permission in plugin.permissions:
        assert isinstance(permission, Permission)
        context[PERMISSIONS].add(permission.name, permission, owner=plugin.name)
    return len(plugin.permissions)


def _install_kinds(context: Context, plugin: Plugin) -> int:
    kinds = _each(plugin, "kinds", RepositoryKind)
    for kind in kinds:
        add_kind(context[KINDS], kind, owner=plugin.name)
    return len(kinds)


def _install_indexers(context: Context, plugin: Plugin) -> int:
    indexers = _each(plugin, "indexers", Indexer)
    for indexer in indexers:
        _judge_function("indexers", indexer.run, dotted=True)
        _named(plugin, "indexers()", indexer.name, f"{plugin.name}.")
        add_indexer(context, indexer, owner=plugin.name)
    return len(indexers)


def _install_run_types(context: Context, plugin: Plugin) -> int:
    types = _each(plugin, "run_types", RunType)
    for type in types:
        if type.name != plugin.name:
            _named(plugin, "run_types()", type.name, f"{plugin.name}.")
        add_run_type(context, type, owner=plugin.name)
    return len(types)


def _install_checkers(context: Context, plugin: Plugin) -> int:
    checkers = _each(plugin, "file_checkers", Checker)
    for checker in checkers:
        _judge_function("file_checkers", checker.check, dotted=False)
        _named(plugin, "file_checkers()", checker.name, f"{plugin.name}.")
        add_checker(context, checker, owner=plugin.name)
    return len(checkers)


def _install_jobs(context: Context, plugin: Plugin) -> int:
    jobs = _each(plugin, "jobs", JobSpec)
    for spec in jobs:
        _judge_function("jobs", spec.function, dotted=True)
        context[JOBS].add(_named(plugin, "jobs()", spec.name, f"{plugin.name}."), spec, owner=plugin.name)
    return len(jobs)


def _install_schedules(context: Context, plugin: Plugin) -> int:
    schedules = _each(plugin, "schedules", Schedule)
    for schedule in schedules:
        name = _named(plugin, "schedules()", schedule.name, f"{plugin.name}.")
        if schedule.job not in context[JOBS]:
            raise PluginError(f"the schedule {name!r} asks for the job {schedule.job!r}, which nobody has")
        context[SCHEDULES].add(name, schedule, owner=plugin.name)
    return len(schedules)


def _install_listeners(context: Context, plugin: Plugin) -> int:
    listeners = _each_function(plugin, "listeners")
    for event_class, function in listeners.items():
        if not isinstance(event_class, type):
            raise PluginError(f"listeners() names {event_class!r}, which is no class of events")
        context.events.subscribe(event_class, _listener(context, function), owner=plugin.name)
    return len(listeners)


def _listener(context: Context, function: str | Callable[[Context, Any], None]) -> Callable[[Any], None]:
    def listen(event: Any) -> None:
        load_dotted(function)(context, event)

    return listen


def _install_recorders(context: Context, plugin: Plugin) -> int:
    functions = {}
    for event_class, function in _each_function(plugin, "recorders").items():
        if not isinstance(event_class, type):
            raise PluginError(f"recorders() names {event_class!r}, which is no class of events")
        functions[event_class] = function
    if functions:
        context.events.record_with(_recorder(functions), owner=plugin.name)
    return len(functions)


def _recorder(
    functions: Mapping[type, str | Callable[[UnitOfWork, Any], None]],
) -> Callable[[UnitOfWork, object], None]:
    def record(work: UnitOfWork, event: object) -> None:
        if (function := functions.get(type(event))) is not None:
            load_dotted(function)(work, event)

    return record


def _install_topics(context: Context, plugin: Plugin) -> int:
    topics = _each(plugin, "topics", Topic)
    for topic in topics:
        _judge_function("topics", topic.describe, dotted=False)
        name = _named(plugin, "topics()", topic.name, f"{plugin.name}.")
        context[TOPICS].add(name, topic, owner=plugin.name)
    return len(topics)


def _install_usage_reader(context: Context, plugin: Plugin) -> int:
    reader = plugin.usage_reader()
    if reader is None:
        return 0
    _judge_function("usage_reader", reader, dotted=True)

    def read(work: UnitOfWork, usages: Sequence[Usage]) -> None:
        load_dotted(reader)(work, usages)

    context[USAGE_READERS].add(plugin.name, read, owner=plugin.name)
    return 1


def _install_checks(context: Context, plugin: Plugin) -> int:
    registries: Mapping[CheckPoint, Registry[Any]] = {
        CheckPoint.PRE_RECEIVE: context[CHECKS],
        CheckPoint.BEFORE_REPOSITORY_DELETE: context[DELETE_CHECKS],
        CheckPoint.BEFORE_USER_DELETE: context[DEPARTURES],
    }
    checks = _each_function(plugin, "checks")
    for point, function in checks.items():
        if point not in registries:
            raise PluginError(f"checks() names {point!r}, which is no member of CheckPoint")
        # Imported now: one that is not there would refuse every push.
        registries[point].add(plugin.name, load_dotted(function), owner=plugin.name)
    return len(checks)


def _install_driver_groups(context: Context, plugin: Plugin) -> int:
    groups = _each(plugin, "driver_groups", DriverGroup)
    for group in groups:
        context[DRIVER_GROUPS].add(group.name, group, owner=plugin.name)
    return len(groups)


def _install_content_sources(context: Context, plugin: Plugin) -> int:
    sources = plugin.content_sources()
    for name, source in sources.items():
        context[SOURCES].add(_named(plugin, "content_sources()", name, plugin.name), source, owner=plugin.name)
    return len(sources)


def _install_services(context: Context, plugin: Plugin) -> int:
    services = _each_function(plugin, "services", dotted=False)
    for name, make in services.items():
        context[SERVICES].add(name, Service(make), owner=plugin.name)
    return len(services)


def _install_metrics(context: Context, plugin: Plugin) -> int:
    metrics = _each(plugin, "metrics", Metric)
    for metric in metrics:
        name = _named(plugin, "metrics()", metric.name, plugin.metric_prefix or f"hub_{plugin.name}_")
        context[METRICS].add(name, metric, owner=plugin.name)
    return len(metrics)


def _install_health(context: Context, plugin: Plugin) -> int:
    check = plugin.health()
    if check is None:
        return 0
    _judge_function("health", check, dotted=False)
    context[HEALTH].add(plugin.name, check, owner=plugin.name)
    return 1


def _install_navigation(context: Context, plugin: Plugin) -> int:
    items = _each(plugin, "nav_items", NavItem)
    for item in items:
        _named(plugin, "nav_items()", item.endpoint, f"{plugin.name}_web")
        add_nav_item(context, item, owner=plugin.name)
    return len(items)


def _install_panels(context: Context, plugin: Plugin) -> int:
    panels = _each(plugin, "panels", Panel)
    for panel in panels:
        _named(plugin, "panels()", panel.name, f"{plugin.name}.")
        _judge_function("panels", panel.render, dotted=True)
        add_panel(context, panel, owner=plugin.name)
    return len(panels)


def _install_commands(_context: Context, plugin: Plugin) -> int:
    groups = {**plugin.commands, **({plugin.name: plugin.cli} if plugin.cli is not None else {})}
    for name, dotted in groups.items():
        if name in COMMANDS or not _COMMAND.match(name):
            raise PluginError(f"commands names {name!r}, which is the hub's own or no word")
        _judge_dotted("cli" if name == plugin.name else "commands", dotted)
    return len(groups)


def _note_attribute(attribute: str) -> Callable[[Context, Plugin], int]:
    """For what the host reads elsewhere: whether it is declared."""
    return lambda _context, plugin: bool(getattr(plugin, attribute))


_INSTALLERS: Mapping[str, Callable[[Context, Plugin], int]] = {
    "licence": _note_attribute("feature"),
    "settings": _note_attribute("settings"),
    "tables": _install_models,
    "migrations": _note_attribute("migrations"),
    "permissions": _install_permissions,
    "kinds": _install_kinds,
    "indexers": _install_indexers,
    "file checkers": _install_checkers,
    "run types": _install_run_types,
    "jobs": _install_jobs,
    "schedules": _install_schedules,
    "listeners": _install_listeners,
    "recorders": _install_recorders,
    "topics": _install_topics,
    "usage": _install_usage_reader,
    "checks": _install_checks,
    "driver groups": _install_driver_groups,
    "content sources": _install_content_sources,
    "services": _install_services,
    "metrics": _install_metrics,
    "health": _install_health,
    "navigation": _install_navigation,
    "panels": _install_panels,
    "commands": _install_commands,
}
