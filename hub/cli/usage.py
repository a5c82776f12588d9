"""``hub usage``: what was used, by whom and when; and telling the readers of it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from hub.accounts.models import Namespace
from hub.accounts.policy import SYSTEM
from hub.accounts.service import get_namespace
from hub.base.output import Day
from hub.base.paging import MAX_PER, PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.metering import service
from hub.metering.service import GROUPS, Group, Span
from hub.metering.service.sums import SUMS

_MAX_GROUPS = 1000


@click.group()
def usage() -> None:
    """What was used, by whom and when. Days are of UTC."""


@usage.command()
@click.argument("account", default="")
@click.option("--by", "group_by", type=click.Choice([*GROUPS]), default="day", show_default=True)
@click.option("--from", "first", type=Day(), help="The first day; default: four weeks before the last.")
@click.option("--to", "last", type=Day(), help="The last day; default: today.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(account: str, group_by: str, first: date | None, last: date | None, as_json: bool) -> None:
    """Print sums, of one ACCOUNT (a user's or an organisation's name) or of all."""
    context = load_context()
    last = last or datetime.now(UTC).date()
    span = Span(first or last - timedelta(days=27), last)
    with reading(context) as work:
        groups = _groups(work, get_namespace(work, account) if account else None, span, group_by)
    if as_json:
        print_json([_described(group) for group in groups])
        return
    rows = [
        [group.title or group.name or "-", str(group.sums.quantity), group.unit, str(group.sums.events)]
        + ([f"{group.gpu_hours:.2f}", f"{group.cpu_hours:.2f}"] if group.unit == "second" else ["", ""])
        for group in groups
    ]
    print_table([group_by.upper(), "QUANTITY", "UNIT", "EVENTS", "GPU HOURS", "CPU HOURS"], rows)


def _groups(work: UnitOfWork, owner: Namespace | None, span: Span, group_by: str) -> Sequence[Group]:
    found: list[Group] = []
    while len(found) < _MAX_GROUPS:
        page = PageArgs(len(found) // MAX_PER + 1, MAX_PER)
        more = service.report_usage(work, actor=SYSTEM, owner=owner, span=span, group_by=group_by, page=page).items
        found += more
        if len(more) < MAX_PER:
            break
    return found


def _described(group: Group) -> dict[str, Any]:
    hours = {"gpu_hours": group.gpu_hours, "cpu_core_hours": group.cpu_hours, "mem_gib_hours": group.memory_gib_hours}
    return {"group": group.name, "title": group.title, "unit": group.unit} | vars(group.sums) | hours


@usage.command()
@click.argument("reader", default=SUMS)
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(reader: str, yes: bool) -> None:
    """Let a READER hear of all events from the first one; without a name, make the sums of days anew.

    A plugin's reader must have forgotten what it made of them before.
    """
    context = load_context()
    if not yes:
        click.confirm(f"Tell {reader!r} of everything again?", abort=True, err=True)
    with unit_of_work(context) as work:
        if reader == SUMS:
            service.add_up_anew(work)
        else:
            service.replay(work, reader)
    service.tell_intervals(context)
    service.tell_readers(context)
    print("Told.", file=sys.stderr)
