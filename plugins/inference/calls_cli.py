"""``hub calls``: single calls of the gateway, and what they cost. Days are of UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import click
from sqlalchemy import select

from hub.plugin import Context
from hub.plugin.cli import Day, current_context, print_json, print_table
from hub.plugin.db import PageArgs, UnitOfWork, reading
from hub.plugin.policy import SYSTEM, Namespace
from hub.plugin.settings import settings_of
from plugins.inference import spending
from plugins.inference.models import Call
from plugins.inference.money import NANO
from plugins.inference.settings import InferenceSettings
from plugins.inference.spending import GROUPS, STATUSES, CallFilter, Group
from plugins.inference.spending_words import describe_call, describe_group

_MAX_SHOWN = 1000
_AT_ONCE = 100


@click.group()
def calls() -> None:
    """Calls of the gateway, and what they cost. Days are of UTC."""


def _find(work: UnitOfWork, account: str) -> Namespace | None:
    if not account:
        return None
    found = work.session.scalar(select(Namespace).where(Namespace.path_key == account.lower()))
    if found is None:
        raise click.ClickException(f"There is no account {account!r}.")
    return found


@calls.command("list")
@click.argument("account", default="")
@click.option("--key", type=int, help="Only calls with the key of this id.")
@click.option("--model", default="", help="Only calls of this model.")
@click.option("--status", default="", help=f"{', '.join(STATUSES)}, or three digits.")
@click.option("--request", "request_id", default="", help="Only those of this request id.")
@click.option("--from", "first", type=Day(), help="The first day.")
@click.option("--to", "last", type=Day(), help="The last day.")
@click.option("--limit", type=click.IntRange(1, _MAX_SHOWN), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_calls(
    account: str,
    key: int | None,
    model: str,
    status: str,
    request_id: str,
    first: date | None,
    last: date | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the last calls, of one ACCOUNT (a user's or an organisation's name) or of all."""
    context = current_context()
    wanted = CallFilter(
        key_id=key,
        model=model,
        status=status,
        request_id=request_id,
        start=spending.midnight(first) if first else None,
        end=spending.midnight(last + timedelta(days=1)) if last else None,
    )
    with reading(context) as work:
        page = PageArgs(1, limit)
        found = spending.list_calls(work, actor=SYSTEM, owner=_find(work, account), wanted=wanted, page=page).items
        names = spending.key_names(work, found)
    currency = _currency(context)
    if as_json:
        print_json([describe_call(call, names.get(call.key_id, ""), currency) for call in found])
        return
    header = ["TIME", "REQUEST", "KEY", "MODEL", "STATUS", "TOKENS", "COST", "MS"]
    print_table(header, [_row(call, names.get(call.key_id, str(call.key_id))) for call in found])


def _row(call: Call, key: str) -> list[str]:
    return [
        f"{call.started_at:%Y-%m-%d %H:%M:%S}",
        call.request_id,
        key,
        call.model,
        str(call.status),
        str(call.prompt_tokens + call.completion_tokens),
        f"{call.cost_nano / NANO:.6f}",
        str(call.latency_ms),
    ]


@calls.command()
@click.argument("account", default="")
@click.option("--by", "group_by", type=click.Choice(GROUPS), default="day", show_default=True)
@click.option("--from", "first", type=Day(), help="The first day; default: four weeks before the last.")
@click.option("--to", "last", type=Day(), help="The last day; default: today.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def spent(account: str, group_by: str, first: date | None, last: date | None, as_json: bool) -> None:
    """Print sums, of one ACCOUNT or of all."""
    context = current_context()
    last = last or datetime.now(UTC).date()
    first = first or last - timedelta(days=27)
    with reading(context) as work:
        owner = _find(work, account)
        groups = list(_groups(work, owner, group_by, first, last))
    currency = _currency(context)
    if as_json:
        print_json([describe_group(group, currency) for group in groups])
        return
    rows = [
        [
            group.title or group.name or "-",
            str(group.sums.calls),
            str(group.sums.failed),
            str(group.sums.prompt_tokens),
            str(group.sums.completion_tokens),
            f"{group.sums.cost_nano / NANO:.6f}",
        ]
        for group in groups
    ]
    print_table([group_by.upper(), "CALLS", "FAILED", "PROMPT", "COMPLETION", currency], rows)
    if len(groups) == _MAX_SHOWN:
        click.echo(f"Only the first {_MAX_SHOWN} are shown.", err=True)


def _groups(work: UnitOfWork, owner: Namespace | None, group_by: str, first: date, last: date) -> Iterator[Group]:
    for number in range(1, _MAX_SHOWN // _AT_ONCE + 1):
        page = PageArgs(number, _AT_ONCE)
        more = spending.sum_spending(
            work, actor=SYSTEM, owner=owner, group_by=group_by, first=first, last=last, page=page
        ).items
        yield from more
        if len(more) < _AT_ONCE:
            return


def _currency(context: Context) -> str:
    return settings_of(context, InferenceSettings).currency
