"""The ``hub`` command: names of groups and commands, each imported when it is called.

Exit status: 0 done, 1 refused or failed, 2 wrong usage.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

import click

from hub import __version__
from hub.base.dotted import load_dotted
from hub.base.errors import HubError
from hub.base.loading import loading
from hub.base.output import print_json, print_table
from hub.base.settings import LoadedSettings, SettingsError, load

if TYPE_CHECKING:
    from hub.base.context import Context

__all__ = ["COMMANDS", "cli", "load_context", "load_settings", "main", "print_json", "print_table"]

# name -> ("module:attribute", the line that `hub --help` shows)
COMMANDS = {
    "serve": ("hub.cli.serve:serve", "Run everything on this machine: web, worker, scheduler, SSH, Redis."),
    "web": ("hub.cli.processes:web", "Run the web server: pages, REST, Git over HTTP, LFS."),
    "gateway": ("hub.cli.processes:gateway", "Run a server of its own for /v1: models as programs call them."),
    "worker": ("hub.cli.processes:worker", "Run a job worker."),
    "scheduler": ("hub.cli.processes:scheduler", "Run the scheduler of periodic jobs."),
    "ssh": ("hub.cli.processes:ssh", "Run the SSH server."),
    "supervisor": ("hub.cli.processes:supervisor", "Run the supervisor of workloads on this machine."),
    "user": ("hub.cli.accounts:user", "Create and manage users."),
    "org": ("hub.cli.accounts:org", "Create and manage organisations."),
    "token": ("hub.cli.accounts:token", "Create and revoke access tokens."),
    "lineage": ("hub.cli.lineage:lineage", "Show what repositories come from, and what comes from them."),
    "run": ("hub.cli.lineage:run", "Show what was done with repositories: trainings, evaluations ..."),
    "webhook": ("hub.cli.webhook:webhook", "Set up webhooks, and see what became of their messages."),
    "mail": ("hub.cli.mail:mail", "See whether e-mail goes out."),
    "usage": ("hub.cli.usage:usage", "Say what was used, by whom and when."),
    "prompt": ("hub.cli.prompt:prompt", "List the prompts of the hub, read and write many at once."),
    "license": ("hub.cli.license:license", "Show, check, import and remove the licence."),
    "db": ("hub.cli.operate:db", "Migrate the database."),
    "config": ("hub.cli.operate:config", "Show the settings."),
    "plugin": ("hub.cli.plugin:plugin", "List plugins and drivers, remove a plugin's tables."),
    "index": ("hub.cli.index:index", "Say how far files are indexed, and index them again."),
    "search": ("hub.cli.search:search", "Search names, descriptions, cards and code."),
    "openapi": ("hub.cli.openapi:openapi", "Write the description of the REST API."),
    "doctor": ("hub.cli.doctor:doctor", "Check everything the hub stands on, and say what to do."),
    "gc": ("hub.cli.maintenance:gc", "Remove what nothing refers to."),
    "reconcile": ("hub.cli.maintenance:reconcile", "Finish what a crash cut off."),
    "scan": ("hub.cli.scan:scan", "Look through a repository's files for what could do harm."),
    "workload": ("hub.cli.workload:workload", "See what runs for people, stop it, read its logs."),
    "sku": ("hub.cli.sku:sku", "See and change what workloads can be run on."),
    "jobs": ("hub.cli.maintenance:jobs", "List, retry and cancel background jobs."),
    "schedules": ("hub.cli.maintenance:schedules", "List, pause, resume and run periodic jobs."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is called.

    A name that is none of the core's is looked for among the plugins.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return cast(click.Command, load_dotted(COMMANDS[cmd_name][0]))
        from hub.cli.plugin import find_command

        return find_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hub.cli.plugin import list_commands

        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])
        rows = list_commands()
        if rows:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hub")
def cli() -> None:
    """The hub: models, datasets, code and apps of a company, in Git."""


def load_settings() -> LoadedSettings:
    """The settings of this process. Exits with status 1 and the reason when they cannot be used."""
    try:
        return load()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def load_context(
    *, migrate: bool = False, plugins: bool = True, freeze: bool = False, is_strict: bool | None = None
) -> Context:
    """The context for a command: settings, logs to standard error, database, plugins.

    migrate: bring a database up to date first, so that ``hub user create`` works before the first ``hub serve``.
    plugins: whether they run; without them a command works on the tables alone. freeze: nothing is added later.
    is_strict: whether a broken plugin refuses the command; None: as the settings say.
    Exits with status 1 and the reason when settings cannot be used, or a strict start meets a broken plugin.
    """
    with loading():
        context = _load_context(migrate=migrate, plugins=plugins, is_strict=is_strict)
    if freeze:
        from hub.plugin.host import PLUGINS

        context[PLUGINS].freeze()
    return context


def _load_context(*, migrate: bool, plugins: bool, is_strict: bool | None) -> Context:
    from hub.app import build_context
    from hub.base import log
    from hub.db.engine import DATABASE
    from hub.plugin import host, migrations
    from hub.plugin.states import PluginError

    loaded = load_settings()
    log.configure(level=loaded.settings.log_level, style=loaded.settings.log_style)
    try:
        context = build_context(loaded.settings, origins=loaded.origins)
        command = click.get_current_context(silent=True)  # none in a thread that a server has started
        if command is not None:
            command.call_on_close(context[DATABASE].dispose)
        if migrate:
            from hub.db import migrate as core

            core.upgrade(context[DATABASE])
            migrations.upgrade_plugins(context)
        if plugins:
            host.install(context, loaded.sections, is_strict=is_strict)
    except (SettingsError, PluginError) as error:
        raise click.ClickException(str(error)) from None
    return context


def main() -> None:
    """Entry point of the ``hub`` command."""
    try:
        cli(prog_name="hub")
    except HubError as error:
        click.echo(f"hub: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if not _is_missing_table(error):
            raise
        click.echo("hub: the database lacks tables of this release; `hub db upgrade` makes them", err=True)
        sys.exit(1)


def _is_missing_table(error: Exception) -> bool:
    # SQLAlchemy is not imported for this: a command that did not use it cannot have raised one of its errors.
    return type(error).__module__ == "sqlalchemy.exc" and any(
        words in str(error) for words in ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")
    )
