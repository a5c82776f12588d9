"""Migrating the tables of plugins: each by itself, so that one that fails stops nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, update
from sqlalchemy.exc import SQLAlchemyError

from hub.base.context import Context
from hub.base.errors import Conflict, HubError, NotFound
from hub.base.log import get_logger
from hub.db import revisions
from hub.db.engine import DATABASE
from hub.db.revisions import Branch
from hub.db.uow import unit_of_work
from hub.jobs.models import Job, JobState, ScheduleRun
from hub.plugin.discovery import Installed, find_installed
from hub.plugin.host import wanted
from hub.plugin.loading import describe
from hub.plugin.models import PluginFault
from hub.plugin.names import find_name_fault
from hub.plugin.states import PluginError
from hub.repos.lfs.sources import count_kept

log = get_logger(__name__)


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did: the names of the plugins whose tables changed, and name -> reason of those that failed."""

    changed: tuple[str, ...]
    failed: dict[str, str]


def upgrade_plugins(context: Context, installed: Iterable[Installed] | None = None) -> Upgraded:
    """Apply the migrations of every plugin that an edition or the settings ask for; after the core's own.

    A plugin that fails keeps the tables it had, and its fault is remembered for all processes to tell.
    Raises PluginError for the first fault where the start is strict.
    """
    from hub.db import migrate  # deliberate: Alembic is 8 MB that only those who migrate carry

    installed = find_installed().values() if installed is None else installed
    changed, failed = [], {}
    for plugin in wanted(context, installed):
        branch = plugin.find_branch()
        if branch is None:
            continue
        try:
            if migrate.upgrade(context[DATABASE], branch):
                changed.append(plugin.name)
                log.info("plugin_migrated", plugin=plugin.name)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed[plugin.name] = describe(error)
            log.exception("plugin_migration_failed", plugin=plugin.name)
            if context.settings.plugins_strict:
                raise PluginError(f"the migration of the plugin {plugin.name!r} failed: {describe(error)}") from error
        _remember(context, plugin.name, failed.get(plugin.name))
    return Upgraded(tuple(changed), failed)


def _remember(context: Context, name: str, reason: str | None) -> None:
    with unit_of_work(context) as work:
        work.session.execute(delete(PluginFault).where(PluginFault.name == name))
        if reason:
            work.session.add(PluginFault(name=name, reason=reason, happened_at=work.now()))


def migration_state(context: Context, installed: Installed | None) -> str:
    """Of a plugin's tables: "none" (it has none), "current", "pending", "absent" or "unknown" (no database)."""
    branch = None
    if installed is not None and find_name_fault(context, installed) is None:
        branch = installed.find_branch()
    if branch is None:
        return "none"
    try:
        if not revisions.current_revisions(context[DATABASE], branch):
            return "absent"
        return "current" if revisions.is_current(context[DATABASE], branch) else "pending"
    except (SQLAlchemyError, HubError, OSError, ValueError, KeyError, SyntaxError):
        return "unknown"


def find_removable(context: Context, name: str) -> Branch:
    """The history of a plugin whose tables may be taken away.

    Raises NotFound when the plugin is not installed (its own migrations are what takes its tables away) or has no
    tables, Conflict (``plugin_wanted``) while an edition or the settings ask for it, (``plugin_keeps_contents``) while
    contents of repositories are kept by it alone.
    """
    installed = find_installed()
    plugin = installed.get(name)
    if plugin is None:
        raise NotFound(f"No plugin {name!r} is installed; only its own migrations can take its tables away.")
    if fault := find_name_fault(context, plugin):
        raise Conflict(f"The plugin {name!r} cannot be removed: {fault}.", code="plugin_broken")
    if wanted(context, [plugin]):
        raise Conflict(
            f"The plugin {name!r} is in use. Take it out of HUB_PLUGINS, or name it in HUB_PLUGINS_DISABLED, and let "
            "the hub start again; then remove it.",
            code="plugin_wanted",
        )
    branch = plugin.find_branch()
    if branch is None or not revisions.current_revisions(context[DATABASE], branch):
        raise NotFound(f"The plugin {name!r} has no tables.", code="plugin_without_tables")
    if kept := count_kept(context, name):
        raise Conflict(
            f"The plugin {name!r} keeps {kept} large files of repositories, which nobody could read any more. Delete "
            "them while the plugin runs, or upload them once more, by Git LFS, while it does not; then remove it.",
            code="plugin_keeps_contents",
        )
    return branch


def remove_plugin(context: Context, name: str) -> None:
    """Take a plugin's tables away, with all that is in them, and what waits to run for it. Raises as above."""
    from hub.db import migrate  # deliberate, as above

    branch = find_removable(context, name)
    pattern = f"{name.replace('_', '!_')}.%"
    # The tables last: as long as they are there, a removal that was cut off can be done again.
    with unit_of_work(context) as work:
        work.session.execute(delete(PluginFault).where(PluginFault.name == name))
        work.session.execute(delete(ScheduleRun).where(ScheduleRun.name.like(pattern, escape="!")))
        work.session.execute(
            update(Job)
            .where(Job.name.like(pattern, escape="!"), Job.state == JobState.QUEUED)
            .values(state=JobState.CANCELLED, is_cancel_requested=True, finished_at=work.now())
            .execution_options(synchronize_session=False)
        )
    migrate.downgrade(context[DATABASE], branch)
    log.info("plugin_removed", plugin=name)
