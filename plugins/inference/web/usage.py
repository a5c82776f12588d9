"""Calls and what they cost: a person's, an organisation's, and all for site administrators. Days are of UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from hub.plugin import Actor
from hub.plugin.db import PageArgs, UnitOfWork, reading
from hub.plugin.errors import Invalid
from hub.plugin.policy import Namespace
from hub.plugin.web import (
    create_pages,
    current_context,
    gettext,
    head_of_organization,
    open_organization,
    page_args,
    render_in_console,
    render_page,
    render_settings,
    require_console,
    require_viewer,
)
from plugins.inference import keys, spending
from plugins.inference.spending import CallFilter, Group
from plugins.inference.web.accounts import own_namespace
from plugins.inference.web.words import money

blueprint = create_pages("inference_web_usage", "plugins.inference", url_prefix="")

_PER_PAGE = 20
_SPAN = timedelta(days=27)
_SHOWN_DAYS = 100  # as bars
SUMS, CALLS = "sums", "calls"


@blueprint.get("/settings/usage")
def show_own() -> Response:
    """What the viewer's own keys have used."""
    actor = require_viewer()
    with reading(current_context()) as work:
        values = _find_values(work, actor, own_namespace(work, actor))
    return render_settings("inference/usage_own.html", section="usage", **values)


@blueprint.get("/organizations/<namespace>/usage")
def show_organization(namespace: str) -> Response:
    """What an organisation's keys have used, for who may see its usage."""
    actor = require_viewer()
    with reading(current_context()) as work:
        organization = open_organization(work, namespace)
        values = _find_values(work, actor, organization.namespace) | head_of_organization(work, actor, organization)
    return render_page("inference/usage_organization.html", page="O-usage", **values)


@blueprint.get("/admin_panel/gateway/usage")
def show_all() -> Response:
    """What all keys have used, for site administrators."""
    with reading(current_context()) as work:
        values = _find_values(work, require_console(work), None)
    return render_in_console("inference/usage_all.html", section="gateway-usage", **values)


@dataclass(frozen=True)
class Bar:
    """A day of the chart. share: of the dearest day, in per cent."""

    day: date
    group: Group | None
    share: int


def _find_values(work: UnitOfWork, actor: Actor, owner: Namespace | None) -> dict[str, Any]:
    """What the templates see. ``view``: sums or calls; ``first`` and ``last``: the days. Raises as the services."""
    query, today = request.args, work.now().date()
    last = _day(query.get("last", ""), today)
    first = _day(query.get("first", ""), last - _SPAN)
    view = CALLS if query.get("view") == CALLS else SUMS
    api = f"/api/v1/namespaces/{owner.uuid}" if owner else "/api/v1"
    values: dict[str, Any] = {"view": view, "first": first, "last": last, "today": today, "money": money}
    if view == CALLS:
        return values | _find_calls(work, actor, owner, first, last, api)
    return values | _find_sums(work, actor, owner, first, last, api)


def _day(text: str, default: date) -> date:
    try:
        return date.fromisoformat(text) if text else default
    except ValueError:
        raise Invalid("A day is written as in 2026-01-31.", code="day_invalid") from None


def _find_sums(
    work: UnitOfWork, actor: Actor, owner: Namespace | None, first: date, last: date, api: str
) -> dict[str, Any]:
    titles = group_titles() if owner else {"owner": gettext("Account")} | group_titles()
    by, args = request.args.get("by", ""), page_args(default=_PER_PAGE)
    by = by if by in titles else next(iter(titles))
    asked: dict[str, Any] = {"actor": actor, "owner": owner, "first": first, "last": last}
    days: list[Group] = []
    for number in range(1, spending.MAX_DAYS // _SHOWN_DAYS + 2):
        more = spending.sum_spending(work, group_by="day", page=PageArgs(number, _SHOWN_DAYS), **asked).items
        days += more
        if len(more) < _SHOWN_DAYS:
            break
    found = spending.sum_spending(work, group_by=by, page=args, **asked)
    names = {name: sum(getattr(day.sums, name) for day in days) for name in spending.SUM_NAMES}
    return {
        "state": "ready" if days else "empty",
        "titles": titles,
        "by": by,
        "found": found,
        "args": args,
        "bars": _bars(days, first, last),
        "days": days,
        "whole": spending.Sums(**names),
        "csv": f"{api}/spending?{urlencode({'format': 'csv', 'group_by': by, 'first': first, 'last': last})}",
    }


def _bars(days: Sequence[Group], first: date, last: date) -> list[Bar]:
    by_day = {day.name: day for day in days}
    costs = any(day.sums.cost_nano for day in days)

    def weigh(group: Group) -> int:
        # Where nothing costs anything, what was used is shown.
        return group.sums.cost_nano if costs else group.sums.prompt_tokens + group.sums.completion_tokens

    most = max((weigh(day) for day in days), default=0) or 1
    shown = [last - timedelta(days=ago) for ago in range(min((last - first).days + 1, _SHOWN_DAYS))][::-1]
    found = [(day, by_day.get(day.isoformat())) for day in shown]
    return [Bar(day, group, -(-weigh(group) * 100 // most) if group else 0) for day, group in found]


def _find_calls(
    work: UnitOfWork, actor: Actor, owner: Namespace | None, first: date, last: date, api: str
) -> dict[str, Any]:
    query, args = request.args, page_args(default=_PER_PAGE)
    key = query.get("key", "")
    chosen = {name: query.get(name, "")[:255] for name in ("model", "status", "request")} | {"key": key}
    wanted = CallFilter(
        key_id=int(key) if key.isdecimal() and len(key) < 19 else None,
        model=chosen["model"],
        status=chosen["status"],
        request_id=chosen["request"],
        start=spending.midnight(first),
        end=spending.midnight(last + timedelta(days=1)),
    )
    found = spending.list_calls(work, actor=actor, owner=owner, wanted=wanted, page=args)
    told = {"format": "csv", "start": wanted.start, "end": wanted.end, "key": wanted.key_id, "model": wanted.model}
    told |= {"status": wanted.status, "request_id": wanted.request_id}
    sent = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in told.items() if value}
    return {
        "state": "ready" if found.items else "empty",
        "found": found,
        "args": args,
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
        "key_names": spending.key_names(work, found.items),
        "keys": keys.list_keys(work, actor=actor, namespace=owner, page=PageArgs(per=keys.MAX_KEYS)).items
        if owner
        else (),
        "statuses": spending.STATUSES,
        "csv": f"{api}/calls?{urlencode(sent)}",
    }


def group_titles() -> dict[str, str]:
    """By what spending can be summed up."""
    return {
        "model": gettext("Model"),
        "key": gettext("Key"),
        "user": gettext("User"),
        "route": gettext("Kind of call"),
        "day": gettext("Day"),
    }
