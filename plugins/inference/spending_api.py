"""REST of the account of calls, for who may see what an account has spent, and of all for site administrators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import Response

from hub.plugin.api import (
    PREFIX,
    RepositoryBlueprint,
    current_actor,
    current_context,
    enveloped,
    ok,
    page_args,
    send_csv,
)
from hub.plugin.db import PageArgs, UnitOfWork, reading
from hub.plugin.policy import Namespace
from hub.plugin.settings import settings_of
from plugins.inference import spending
from plugins.inference import spending_schemas as schemas
from plugins.inference.models import Call
from plugins.inference.settings import InferenceSettings
from plugins.inference.spending import CallFilter, Group
from plugins.inference.spending_words import describe_call, describe_group

blp = RepositoryBlueprint(
    "inference_api_spending", __name__, url_prefix=PREFIX, description="The gateway: calls and what they cost"
)

_OF_ACCOUNT = "/namespaces/<uuid>"
_CALL = "<string(maxlength=128):call_id>"
# Groups as CSV: all that a spreadsheet shows.
_AT_ONCE, _PAGES = 100, 100
_DEFAULT_SPAN = timedelta(days=27)


def _currency() -> str:
    return settings_of(current_context(), InferenceSettings).currency


def _filter(query: Mapping[str, Any]) -> CallFilter:
    return CallFilter(
        query["key"],
        query["user"],
        query["model"],
        query["route"],
        query["status"],
        query["request_id"],
        query["start"],
        query["end"],
    )


def _owner(work: UnitOfWork, uuid: str | None) -> Namespace | None:
    return spending.find_owner(work, actor=current_actor(), uuid=uuid) if uuid is not None else None


def _calls(query: dict[str, Any], uuid: str | None) -> dict[str, Any] | Response:
    context, actor, wanted, currency = current_context(), current_actor(), _filter(query), _currency()
    with reading(context) as work:
        owner = _owner(work, uuid)
        if query["format"] == "json":
            page = spending.list_calls(work, actor=actor, owner=owner, wanted=wanted, page=page_args())
            names = spending.key_names(work, page.items)
            shown = [describe_call(call, names.get(call.key_id, ""), currency) for call in page.items]
            return ok(shown, total=page.total, is_estimate=page.is_estimate)
    calls = spending.iter_calls(context, actor=actor, owner=owner, wanted=wanted)
    return send_csv(_CALL_COLUMNS, _call_rows(calls, currency), "calls.csv")


_CALL_COLUMNS = tuple(name for name in schemas.CallSchema._declared_fields if name not in ("key_name", "tags"))


def _call_rows(calls: Iterator[Call], currency: str) -> Iterator[Sequence[Any]]:
    for call in calls:
        described = describe_call(call, "", currency)
        yield ["" if described[name] is None else described[name] for name in _CALL_COLUMNS]


def _call(uuid: str | None, call_id: str) -> dict[str, Any]:
    with reading(current_context()) as work:
        call = spending.get_call(work, actor=current_actor(), owner=_owner(work, uuid), uuid=call_id)
        return ok(describe_call(call, spending.key_names(work, [call]).get(call.key_id, ""), _currency()))


def _spending(query: dict[str, Any], uuid: str | None) -> dict[str, Any] | Response:
    context, actor, currency = current_context(), current_actor(), _currency()
    last = query["last"] or context.clock.now().date()
    span = {"first": query["first"] or last - _DEFAULT_SPAN, "last": last}
    with reading(context) as work:
        owner = _owner(work, uuid)

        def read(page: PageArgs) -> Any:
            return spending.sum_spending(work, actor=actor, owner=owner, group_by=query["group_by"], page=page, **span)

        if query["format"] == "json":
            found = read(page_args())
            shown = [describe_group(group, currency) for group in found.items]
            return ok(shown, total=found.total, is_estimate=found.is_estimate)
        groups: list[Group] = []
        for number in range(1, _PAGES + 1):
            more = read(PageArgs(number, _AT_ONCE)).items
            groups += more
            if len(more) < _AT_ONCE:
                break
    rows = ([*describe_group(group, currency).values()] for group in groups)
    return send_csv((*schemas.SpentGroupSchema._declared_fields,), rows, "spending.csv")


@blp.get(f"{_OF_ACCOUNT}/calls")
@blp.arguments(schemas.CallsQuery, location="query")
@blp.response(200, enveloped(schemas.CallSchema, many=True))
def list_calls(query: dict[str, Any], uuid: str) -> dict[str, Any] | Response:
    """The calls on an account, the newest first; as CSV all of them, the oldest first."""
    return _calls(query, uuid)


@blp.get(f"{_OF_ACCOUNT}/calls/{_CALL}")
@blp.response(200, enveloped(schemas.CallSchema))
def show_call(uuid: str, call_id: str) -> dict[str, Any]:
    """One of them, by its UUID or by the id of its request."""
    return _call(uuid, call_id)


@blp.get(f"{_OF_ACCOUNT}/spending")
@blp.arguments(schemas.SpendingQuery, location="query")
@blp.response(200, enveloped(schemas.SpentGroupSchema, many=True))
def show_spending(query: dict[str, Any], uuid: str) -> dict[str, Any] | Response:
    """What calls on an account have cost and used in some days, by day, model, key, user or route."""
    return _spending(query, uuid)


@blp.get("/calls")
@blp.arguments(schemas.CallsQuery, location="query")
@blp.response(200, enveloped(schemas.CallSchema, many=True))
def list_all_calls(query: dict[str, Any]) -> dict[str, Any] | Response:
    """The calls on all accounts, the newest first, for site administrators."""
    return _calls(query, None)


@blp.get(f"/calls/{_CALL}")
@blp.response(200, enveloped(schemas.CallSchema))
def show_any_call(call_id: str) -> dict[str, Any]:
    """A call on any account, for site administrators."""
    return _call(None, call_id)


@blp.get("/spending")
@blp.arguments(schemas.SpendingQuery, location="query")
@blp.response(200, enveloped(schemas.SpentGroupSchema, many=True))
def show_all_spending(query: dict[str, Any]) -> dict[str, Any] | Response:
    """What all calls have cost and used in some days, for site administrators."""
    return _spending(query, None)
