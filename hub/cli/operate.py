"""``hub db`` and ``hub config``."""

from __future__ import annotations

import click

from hub.cli.main import load_context, print_json, print_table


@click.group()
def db() -> None:
    """Migrate the database."""


@db.command()
def upgrade() -> None:
    """Apply the migrations that the database lacks, the core's and the plugins'; harmless when it lacks none.

    A plugin that cannot be migrated is named, and the rest goes on; with HUB_PLUGINS_STRICT the exit status is 1.
    """
    from hub.db import migrate
    from hub.db.engine import DATABASE
    from hub.plugin.migrations import upgrade_plugins
    from hub.plugin.states import PluginError

    context = load_context(plugins=False)
    changed = migrate.upgrade(context[DATABASE])
    try:
        done = upgrade_plugins(context)
    except PluginError as error:
        raise click.ClickException(str(error)) from None
    click.echo("The database is up to date now." if changed or done.changed else "The database was up to date.")
    for name, reason in done.failed.items():
        click.echo(f"The plugin {name!r} could not be migrated and will not run: {reason}", err=True)


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show which revisions the database has and which it needs; exit status 1 when they differ."""
    from hub.db import migrate
    from hub.db.engine import DATABASE

    database = load_context(plugins=False)[DATABASE]
    current, expected = migrate.current_heads(database), migrate.expected_heads()
    if as_json:
        print_json({"current": sorted(current), "expected": sorted(expected), "is_current": current == expected})
    else:
        click.echo(f"has:   {', '.join(sorted(current)) or 'none'}\nneeds: {', '.join(sorted(expected))}")
    if current != expected:
        raise SystemExit(1)


@db.command(hidden=True)
@click.argument("message")
@click.option("--id", "revision_id", required=True, help="Such as 0002_quotas.")
@click.option("--plugin", "name", default="", help="The plugin whose tables it is about; default: the core's.")
def revision(message: str, revision_id: str, name: str) -> None:
    """Write a migration from the difference between models and database (for developers)."""
    from hub.db import migrate
    from hub.db.engine import DATABASE
    from hub.db.revisions import CORE
    from hub.plugin.discovery import find_installed

    installed = find_installed()
    branch = installed[name].find_branch() if name in installed else CORE if not name else None
    if branch is None:
        raise click.ClickException(f"no plugin {name!r} with a folder 'migrations' is installed")
    migrate.create_revision(load_context()[DATABASE], message, revision_id=revision_id, branch=branch)


@click.group()
def config() -> None:
    """Show the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show every setting, those of plugins too: value, where it came from, what it is for. Secrets are masked."""
    from hub.plugin.overview import list_settings

    rows = list_settings(load_context())
    if as_json:
        print_json(rows)
    else:
        print_table(
            ["SETTING", "VALUE", "FROM", "WHAT FOR"], [[r["name"], r["value"], r["origin"], r["help"]] for r in rows]
        )
