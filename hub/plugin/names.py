"""Which names a plugin may have: its name is the first word of all that it adds."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

from hub.base.context import Context
from hub.db.base import Model
from hub.jobs.schedule import SCHEDULES
from hub.jobs.service import JOBS
from hub.plugin.discovery import Installed

# Names of tables, of at most 63 bytes on PostgreSQL, begin with it.
_NAME = re.compile(r"[a-z][a-z0-9_]{1,29}\Z")

# What is the core's is known by the owner's name "hub"; the tables of the other hold the revisions.
_OWN = frozenset({"hub", "alembic_version"})
# The commands of ``hub``: a plugin's group would never be reached. A test holds them together with the real ones.
COMMANDS = frozenset(
    {"serve", "web", "worker", "scheduler", "ssh", "user", "org", "token", "license", "db", "config", "plugin"}
    | {"doctor", "gc", "reconcile", "jobs", "openapi", "webhook", "mail", "gateway"}
    | {"index", "scan", "search", "prompt", "lineage", "run", "usage", "workload", "sku", "supervisor", "schedules"}
)


def find_name_fault(context: Context, installed: Installed) -> str | None:
    """Why a plugin cannot run under its name, before anything of it is imported or migrated; None: it can."""
    name = installed.name
    if not _NAME.match(name):
        return "a plugin's name has 2 to 30 lower-case letters, digits and underscores, a letter first"
    if EntryPoint.pattern.match(installed.target) is None or ":" not in installed.target:
        return f"its entry point {installed.target!r} is not written 'package.module:Class'"
    if installed.rivals:
        names = ", ".join((installed.distribution, *installed.rivals))
        return f"several distributions bring a plugin of this name: {names}; uninstall all but one"
    if name in _OWN | COMMANDS or name in _first_words(context) or _begins_a_table(name):
        return f"the name {name!r} is the hub's own"
    return None


def _first_words(context: Context) -> set[str]:
    """The first words of the core's jobs and schedules."""
    names = [entry.name for entry in context[JOBS].entries() if entry.owner == "hub"]
    names += [entry.name for entry in context[SCHEDULES].entries() if entry.owner == "hub"]
    return {name.partition(".")[0] for name in names}


def _begins_a_table(name: str) -> bool:
    tables = (mapper.local_table for mapper in Model.registry.mappers if mapper.class_.__module__.startswith("hub."))
    return any(str(table.name).startswith(f"{name}_") for table in tables if hasattr(table, "name"))
