"""The ``hub`` command: names of groups and commands, each imported when it is called.

Exit status: 0 done, 1 refused or failed, 2 wrong usage.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from hub import __version__
from hub.base.errors import HubError
from hub.base.settings import LoadedSettings, SettingsError, load

if TYPE_CHECKING:
    from hub.base.context import Context

# name -> ("module:attribute", the line that `hub --help` shows)
COMMANDS = {
    "serve": ("hub.cli.serve:serve", "Run everything on this machine: web, worker, scheduler, SSH, Redis."),
    "web": ("hub.cli.processes:web", "Run the web server: pages, REST, Git over HTTP, LFS."),
    "worker": ("hub.cli.processes:worker", "Run a job worker."),
    "scheduler": ("hub.cli.processes:scheduler", "Run the scheduler of periodic jobs."),
    "ssh": ("hub.cli.processes:ssh", "Run the SSH server."),
    "user": ("hub.cli.accounts:user", "Create and manage users."),
    "org": ("hub.cli.accounts:org", "Create and manage organisations."),
    "token": ("hub.cli.accounts:token", "Create and revoke access tokens."),
    "license": ("hub.cli.license:license", "Show, check, import and remove the licence."),
    "db": ("hub.cli.operate:db", "Migrate the database."),
    "config": ("hub.cli.operate:config", "Show the settings."),
    "doctor": ("hub.cli.doctor:doctor", "Check everything the hub stands on, and say what to do."),
    "gc": ("hub.cli.maintenance:gc", "Remove what nothing refers to."),
    "reconcile": ("hub.cli.maintenance:reconcile", "Finish what a crash cut off."),
    "jobs": ("hub.cli.maintenance:jobs", "List, retry and cancel background jobs."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


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


def load_context(*, migrate: bool = False) -> Context:
    """The context for a command: settings, logs to standard error, database.

    migrate: bring a database up to date first, so that ``hub user create`` works before the first ``hub serve``.
    """
    from hub.app import build_context
    from hub.base import log
    from hub.db.engine import DATABASE

    settings = load_settings().settings
    log.configure(level=settings.log_level, style=settings.log_style)
    context = build_context(settings)
    click.get_current_context().call_on_close(context[DATABASE].dispose)
    if migrate:
        from hub.db import migrate as migrations

        migrations.upgrade(context[DATABASE])
    return context


def print_json(value: Any) -> None:
    """Write a value to standard output as JSON, times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_table(headers: list[str], rows: list[list[Any]]) -> None:
    """Write rows under their headers in columns wide enough; nothing but the headers when there are none."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(header), *(len(row[i]) for row in texts)]) for i, header in enumerate(headers)]
    for line in [headers, *texts]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


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
