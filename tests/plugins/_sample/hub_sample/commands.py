"""``hub sample``."""

from __future__ import annotations

import click

from hub.plugin.cli import current_context, print_json
from hub.plugin.db import unit_of_work
from hub_sample import service


@click.group()
def sample() -> None:
    """Look at notes."""


@sample.command()
def count() -> None:
    """Count the notes that are kept."""
    print_json({"notes": service.NoteCounter(current_context()).count()})


@sample.command()
def expire() -> None:
    """Forget the notes whose time is over."""
    with unit_of_work(current_context()) as work:
        click.echo(f"Forgot {service.expire_notes(work)} notes.")
