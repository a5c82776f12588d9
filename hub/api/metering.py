"""REST of what was used: events, sums, CSV. Source: CSGHub contract, section 4.8; ``/usage`` is ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response

from hub.accounts.models import Namespace
from hub.api import metering_schemas as schemas
from hub.api.csv_answers import send_csv
from hub.api.envelope import enveloped, ok
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, RepositoryBlueprint
from hub.metering import service
from hub.metering.service import Group, Span
from hub.metering.usage import Unit, Usage

blp = RepositoryBlueprint("metering", __name__, url_prefix=PREFIX, description="What was used")

_STATEMENTS = "/accounting/metering/<string(maxlength=36):uuid>"
# Source: gateways contract, section 3.1.
_VALUE_TYPES = {Unit.SECOND: 0, Unit.TOKEN: 1}
_OTHER_VALUE_TYPE = 3
# Groups of a report as CSV: all that a spreadsheet shows.
_REPORT_AT_ONCE, _REPORT_PAGES = 100, 100


def _owner(work: UnitOfWork, uuid: str) -> Namespace:
    return service.find_owner(work, actor=current_actor(), uuid=uuid)


def _page(query: dict[str, Any]) -> PageArgs:
    return PageArgs(query["page"], query["per"])


@blp.get(f"{_STATEMENTS}/statements")
@blp.arguments(schemas.StatementsQuery, location="query")
@blp.response(200, enveloped(schemas.StatementSchema, many=True))
def list_statements(query: dict[str, Any], uuid: str) -> dict[str, Any]:
    """The events of usage on an account, the newest first."""
    with reading(current_context()) as work:
        page = service.list_events(
            work,
            owner=_owner(work, uuid),
            start=schemas.moment_of(query["start_time"]),
            end=schemas.moment_of(query["end_time"]),
            scene=query["scene"],
            customer_id=query["instance_name"],
            page=_page(query),
        )
    return ok([_statement(usage) for usage in page.items], total=page.total, is_estimate=page.is_estimate)


def _statement(usage: Usage) -> dict[str, Any]:
    return {
        "event_uuid": usage.id,
        "user_uuid": usage.owner_uuid,
        "value": -(-usage.quantity // 60) if usage.unit == Unit.SECOND else usage.quantity,
        "value_type": _VALUE_TYPES.get(usage.unit, _OTHER_VALUE_TYPE),
        "unit": usage.unit,
        "quantity": usage.quantity,
        "scene": usage.scene,
        "op_uid": "",
        "resource_id": usage.resource_id,
        "resource_name": usage.resource_name,
        "customer_id": usage.customer_id,
        "instance_name": usage.customer_id,
        "prompt_token": usage.tokens.prompt,
        "prompt_cached_token": usage.tokens.cached,
        "completion_token": usage.tokens.completion,
        "token_id": usage.token_id,
        "created_at": usage.occurred_at,
        "extra": usage.details,
    }


_EXPORTED = (
    *("event_uuid", "created_at", "scene", "resource_id", "resource_name", "customer_id", "unit", "quantity"),
    *("prompt_token", "prompt_cached_token", "completion_token", "token_id"),
)


@blp.get(f"{_STATEMENTS}/statements.csv")
@blp.arguments(schemas.ExportQuery, location="query")
@blp.response(200, content_type="text/csv", description="the events")
def export_statements(query: dict[str, Any], uuid: str) -> Response:
    """The events of usage on an account in some days, at most a year's, the oldest first, as CSV."""
    context = current_context()
    with reading(context) as work:
        owner = _owner(work, uuid)
    span = Span(query["from_"], query["to"])
    usages = service.iter_events(context, owner=owner, span=span, scene=query["scene"])
    rows = ([_statement(usage)[name] for name in _EXPORTED] for usage in usages)
    return send_csv(_EXPORTED, rows, "usage.csv")


@blp.get("/accounting/metering/stat")
@blp.arguments(schemas.StatQuery, location="query")
@blp.response(200, enveloped(schemas.UsageGroupSchema, many=True))
def show_stat(query: dict[str, Any]) -> dict[str, Any]:
    """The sums of all accounts in some days, for site administrators."""
    return _report(query, None, Span(query["start_date"], query["end_date"]), "owner")


@blp.get("/usage")
@blp.arguments(schemas.ReportQuery, location="query")
@blp.response(200, enveloped(schemas.UsageGroupSchema, many=True))
def report(query: dict[str, Any]) -> dict[str, Any] | Response:
    """The sums of what was used in some days, by day, resource, instance and more."""
    span = Span(query["from_"], query["to"])
    owner: Namespace | None = None
    if query["owner"]:
        with reading(current_context()) as work:
            owner = _owner(work, query["owner"])
    if query["format"] == "csv":
        return send_csv(_COLUMNS, _iter_report(query, owner, span), "usage-report.csv")
    return _report(query, owner, span, query["group_by"])


def _report(query: dict[str, Any], owner: Namespace | None, span: Span, group_by: str) -> dict[str, Any]:
    with reading(current_context()) as work:
        page = service.report_usage(
            work,
            actor=current_actor(),
            owner=owner,
            span=span,
            group_by=group_by,
            scene=query["scene"],
            page=_page(query),
        )
    return ok([_group(group) for group in page.items], total=page.total, is_estimate=page.is_estimate)


def _iter_report(query: dict[str, Any], owner: Namespace | None, span: Span) -> Sequence[Sequence[Any]]:
    rows: list[Sequence[Any]] = []
    for number in range(1, _REPORT_PAGES + 1):
        asked = query | {"page": number, "per": _REPORT_AT_ONCE}
        groups = _report(asked, owner, span, query["group_by"])["data"]
        rows += [[group[name] for name in _COLUMNS] for group in groups]
        if len(groups) < _REPORT_AT_ONCE:
            break
    return rows


_COLUMNS = tuple(schemas.UsageGroupSchema._declared_fields)


def _group(group: Group) -> dict[str, Any]:
    sums = group.sums
    return {
        "group": group.name,
        "title": group.title,
        "unit": Unit(group.unit),
        "events": sums.events,
        "quantity": sums.quantity,
        "prompt_tokens": sums.prompt_tokens,
        "cached_tokens": sums.cached_tokens,
        "completion_tokens": sums.completion_tokens,
        "gpu_hours": group.gpu_hours,
        "cpu_core_hours": group.cpu_hours,
        "mem_gib_hours": group.memory_gib_hours,
    }
