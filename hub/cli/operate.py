"""``hub db`` and ``hub config``."""

from __future__ import annotations

import dataclasses

import click

from hub.base.settings import Settings
from hub.cli.main import load_context, load_settings, print_json, print_table

MASK = "********"


@click.group()
def db() -> None:
    """Migrate the database."""


@db.command()
def upgrade() -> None:
    """Apply the migrations that the database lacks; harmless when it lacks none."""
    from hub.db import migrate
    from hub.db.engine import DATABASE

    changed = migrate.upgrade(load_context()[DATABASE])
    click.echo("The database is up to date now." if changed else "The database was up to date.")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show which revisions the database has and which it needs; exit status 1 when they differ."""
    from hub.db import migrate
    from hub.db.engine import DATABASE

    database = load_context()[DATABASE]
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
def revision(message: str, revision_id: str) -> None:
    """Write a migration from the difference between models and database (for developers)."""
    from hub.db import migrate
    from hub.db.engine import DATABASE

    migrate.create_revision(load_context()[DATABASE], message, revision_id=revision_id)


@click.group()
def config() -> None:
    """Show the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show every setting: value, where it came from, and what it is for. Secrets are masked."""
    loaded = load_settings()
    rows = []
    for item in dataclasses.fields(Settings):
        value = getattr(loaded.settings, item.name)
        if item.metadata["secret"] and value:
            value = MASK
        rows.append(
            {
                "name": item.name,
                "value": value,
                "origin": loaded.origins[item.name],
                "unit": item.metadata["unit"],
                "help": item.metadata["help"],
            }
        )
    if as_json:
        print_json(rows)
    else:
        print_table(
            ["SETTING", "VALUE", "FROM", "WHAT FOR"], [[r["name"], r["value"], r["origin"], r["help"]] for r in rows]
        )
