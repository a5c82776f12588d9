"""``hub xnet``: what is kept in chunks, and the work on it."""

from __future__ import annotations

import click
from sqlalchemy import func, select

from hub.plugin import Context
from hub.plugin.cli import current_context, print_json, print_table
from hub.plugin.db import reading, unit_of_work
from hub.plugin.jobs import enqueue
from plugins.xnet.models import File, Xorb

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("xnet")
def group() -> None:
    """Contents in chunks that files share."""


@group.command("status")
@json_option
def show_status(as_json: bool) -> None:
    """How many contents are in chunks, and how much room they take."""
    figures = read_figures(current_context())
    if as_json:
        print_json(figures)
    else:
        print_table(["figure", "value"], [[name, value] for name, value in figures.items()])


@group.command("convert")
def start_conversion() -> None:
    """Ask for contents that came whole to be cut into chunks now; a worker does it."""
    with unit_of_work(current_context()) as work:
        job = enqueue(work, "xnet.convert_objects", unique_key="xnet.convert_objects")
        click.echo(f"Job {job.uuid} is queued.")


@group.command("gc")
@json_option
def remove_unused(as_json: bool) -> None:
    """Remove chunks that no content has used or named for long; it is done when the command ends."""
    from plugins.xnet.garbage import collect_garbage

    done = collect_garbage(current_context())
    if as_json:
        print_json({"xorbs": done.xorbs, "orphans": done.orphans, "size_bytes": done.size_bytes})
    else:
        click.echo(f"Removed {done.xorbs} unused xorbs and {done.orphans} leftovers, {done.size_bytes} bytes.")


def read_figures(context: Context) -> dict[str, int | float]:
    """Contents in chunks and their bytes; xorbs, their bytes uncompressed and stored; how much room is saved.

    ratio: stored bytes for one byte of contents; 1 where there are none.
    """
    with reading(context) as work:
        files, file_bytes = work.session.execute(
            select(func.count(), func.coalesce(func.sum(File.size_bytes), 0)).select_from(File)
        ).one()
        xorbs, raw_bytes, stored_bytes = work.session.execute(
            select(
                func.count(),
                func.coalesce(func.sum(Xorb.raw_bytes), 0),
                func.coalesce(func.sum(Xorb.stored_bytes), 0),
            ).select_from(Xorb)
        ).one()
    return {
        "files": files,
        "file_bytes": int(file_bytes),
        "xorbs": xorbs,
        "raw_bytes": int(raw_bytes),
        "stored_bytes": int(stored_bytes),
        "ratio": round(int(stored_bytes) / int(file_bytes), 4) if file_bytes else 1.0,
    }
