"""REST of how budgets stand, of what members may spend, and of what an account may do in a minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.plugin.api import PREFIX, RepositoryBlueprint, current_actor, current_context, enveloped, ok, page_args
from hub.plugin.db import reading, unit_of_work
from plugins.inference import bounds, keys, schemas
from plugins.inference.api import budget_views, budgets_of, find_namespace
from plugins.inference.budgets import BudgetState, Purse, budgets_of_key, read_states
from plugins.inference.limits import MinuteLimits
from plugins.inference.money import Budget

blp = RepositoryBlueprint(
    "inference_api_budgets", __name__, url_prefix=PREFIX, description="The gateway: budgets and limits of accounts"
)

_BUDGETS = "/namespaces/<uuid>/budgets"
_MEMBER = f"{_BUDGETS}/members/<string(maxlength=64):name>"


def _states(purse: Purse, budgets: Sequence[Budget]) -> dict[str, Any]:
    return _states_of([(purse, budget) for budget in budgets])


def _states_of(budgets: Sequence[tuple[Purse, Budget]]) -> dict[str, Any]:
    return ok([_state_view(state) for state in read_states(current_context(), budgets)])


def _state_view(state: BudgetState) -> dict[str, Any]:
    return vars(state.budget) | {
        "model": state.purse.model,
        "spent_nano": state.spent_nano,
        "held_nano": state.held_nano,
        "left_nano": state.left_nano,
        "percent": state.percent,
        "period_start": state.start,
        "period_end": state.end,
    }


@blp.get("/namespaces/<uuid>/apikeys/<int:key_id>/budgets")
@blp.response(200, enveloped(schemas.BudgetStateSchema, many=True))
def show_key_budgets(uuid: str, key_id: int) -> dict[str, Any]:
    """How the budgets of an API key stand: its own, then those of single models."""
    with reading(current_context()) as work:
        namespace = find_namespace(work, uuid)
        key = keys.read_key(work, actor=current_actor(), namespace=namespace, key_id=key_id)
        budgets = budgets_of_key(key.id, namespace.time_zone, key.budgets, key.model_budgets)
    return _states_of(budgets)


@blp.get(f"{_BUDGETS}/status")
@blp.response(200, enveloped(schemas.BudgetStateSchema, many=True))
def show_status(uuid: str) -> dict[str, Any]:
    """How the budgets of all API keys of a namespace together stand."""
    with reading(current_context()) as work:
        namespace = find_namespace(work, uuid)
        budgets = bounds.get_owner_budgets(work, actor=current_actor(), namespace=namespace)
        purse = Purse("owner", namespace.uuid, zone=namespace.time_zone)
    return _states(purse, budgets)


@blp.get(f"{_BUDGETS}/limits")
@blp.response(200, enveloped(schemas.MinuteLimitsBody))
def show_limits(uuid: str) -> dict[str, Any]:
    """What all API keys of a namespace together may do in a minute."""
    with reading(current_context()) as work:
        limits = bounds.get_owner_limits(work, actor=current_actor(), namespace=find_namespace(work, uuid))
        return ok({"rpm_limit": limits.requests, "tpm_limit": limits.tokens})


@blp.put(f"{_BUDGETS}/limits")
@blp.arguments(schemas.MinuteLimitsBody)
@blp.response(200, enveloped(schemas.MinuteLimitsBody))
def set_limits(body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """Say what all API keys of a namespace together may do in a minute."""
    limits = MinuteLimits(body["rpm_limit"], body["tpm_limit"])
    with unit_of_work(current_context()) as work:
        bounds.set_owner_limits(work, actor=current_actor(), namespace=find_namespace(work, uuid), limits=limits)
        return ok(body)


@blp.get(f"{_BUDGETS}/members")
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.MemberBudgetsSchema, many=True))
def list_member_budgets(_query: dict[str, Any], uuid: str) -> dict[str, Any]:
    """The members of an organisation who have budgets for the API keys that they made for it, by name."""
    with reading(current_context()) as work:
        namespace = find_namespace(work, uuid)
        page = bounds.list_member_budgets(work, actor=current_actor(), namespace=namespace, page=page_args())
        shown = [{"username": user.name, "budgets": budget_views(budgets)} for user, budgets in page.items]
    return ok(shown, total=page.total)


@blp.get(_MEMBER)
@blp.response(200, enveloped(schemas.BudgetSchema, many=True))
def show_member_budgets(uuid: str, name: str) -> dict[str, Any]:
    """What the API keys that a member made for an organisation may spend together."""
    with reading(current_context()) as work:
        namespace = find_namespace(work, uuid)
        _, budgets = bounds.get_member_budgets(work, actor=current_actor(), namespace=namespace, name=name)
        return ok(budget_views(budgets))


@blp.put(_MEMBER)
@blp.arguments(schemas.BudgetsBody)
@blp.response(200, enveloped(schemas.BudgetSchema, many=True))
def set_member_budgets(body: dict[str, Any], uuid: str, name: str) -> dict[str, Any]:
    """Say what the API keys that a member made for an organisation may spend together."""
    with unit_of_work(current_context()) as work:
        namespace, budgets = find_namespace(work, uuid), budgets_of(body)
        bounds.set_member_budgets(work, actor=current_actor(), namespace=namespace, name=name, budgets=budgets)
        return ok(budget_views(budgets))


@blp.get(f"{_MEMBER}/status")
@blp.response(200, enveloped(schemas.BudgetStateSchema, many=True))
def show_member_status(uuid: str, name: str) -> dict[str, Any]:
    """How a member's budgets stand."""
    with reading(current_context()) as work:
        namespace = find_namespace(work, uuid)
        user, budgets = bounds.get_member_budgets(work, actor=current_actor(), namespace=namespace, name=name)
        purse = Purse("member", namespace.uuid, user.id, zone=namespace.time_zone)
    return _states(purse, budgets)
