"""API keys: a person's, an organisation's for its administrators, and everybody's for those of the site."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from hub.plugin import Actor
from hub.plugin.db import PageArgs, UnitOfWork, reading
from hub.plugin.errors import NotFound
from hub.plugin.policy import Namespace, get_namespace
from hub.plugin.web import (
    create_pages,
    current_context,
    head_of_organization,
    open_organization,
    page_args,
    render_in_console,
    render_page,
    render_settings,
    require_console,
    require_viewer,
    wants_part,
)
from plugins.inference import bounds, keys
from plugins.inference.budgets import Purse, budgets_of_key
from plugins.inference.keys import Limits
from plugins.inference.limits import FREE, MAX_ALIASES, MAX_DETAILS, MAX_MODEL_BUDGETS, describe_rules, rules_of
from plugins.inference.models import ApiKey
from plugins.inference.money import MAX_BUDGETS, Budget
from plugins.inference.web.accounts import own_namespace
from plugins.inference.web.budgets import budget_views
from plugins.inference.web.snippets import ways_to_call
from plugins.inference.web.words import PERIODS, currency, money, period_title, plain_amount

blueprint = create_pages("inference_web_keys", "plugins.inference", url_prefix="")

_PER_PAGE = 20
# What a dialog is of, beside the number of a key: "member" for a new budget, "member:NAME" for one that there is.
NEW, OWNER, LIMITS, MEMBER = "new", "owner", "limits", "member"
_MEMBERS_SHOWN, _NAMES_OFFERED = 50, 200
BLOCKED = "blocked"
_MAX_SEARCH = 255


@blueprint.get("/settings/api-keys")
def show_own() -> Response:
    """The viewer's own keys. ``key``: the number of one to change, or "new"; "owner", "limits": of all together."""
    actor = require_viewer()
    with reading(current_context()) as work:
        namespace = own_namespace(work, actor)
        values = _find_values(work, actor, namespace)
    if wants_part():
        return render_page("inference/key_dialog.html", **values)
    return render_settings("inference/keys_own.html", section="api-keys", **values)


@blueprint.get("/organizations/<namespace>/api-keys")
def show_organization(namespace: str) -> Response:
    """An organisation's keys, for its administrators. ``key``: as for one's own; "member", "member:NAME"."""
    actor = require_viewer()
    with reading(current_context()) as work:
        organization = open_organization(work, namespace)
        values = _find_values(work, actor, organization.namespace)
        if not wants_part():
            values |= head_of_organization(work, actor, organization)
    if wants_part():
        return render_page("inference/key_dialog.html", **values)
    return render_page("inference/keys_organization.html", page="O-api-keys", **values)


@blueprint.get("/admin_panel/gateway/accounts")
def show_accounts() -> Response:
    """The accounts that have keys, for site administrators. ``search``; ``state``: blocked."""
    args, search = page_args(default=_PER_PAGE), request.args.get("search", "")[:_MAX_SEARCH]
    state = BLOCKED if request.args.get("state") == BLOCKED else ""
    with reading(current_context()) as work:
        actor = require_console(work)
        found = bounds.list_accounts(work, actor=actor, search=search, is_blocked=bool(state), page=args)
        purses = [Purse("owner", one.namespace.uuid, zone=one.namespace.time_zone) for one in found.items]
        each = zip(purses, found.items, strict=True)
        budgets = budget_views(work, {purse.id: [(purse, budget) for budget in one.budgets] for purse, one in each})
    return render_in_console(
        "inference/accounts.html",
        section="gateway-accounts",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        search=search,
        chosen=state,
        budgets=budgets,
        money=money,
    )


@blueprint.get("/admin_panel/gateway/accounts/<namespace>")
def show_account(namespace: str) -> Response:
    """The keys of any account, for site administrators, who may block them. ``key``: as for one's own."""
    with reading(current_context()) as work:
        actor = require_console(work)
        found = get_namespace(work, namespace)
        values = _find_values(work, actor, found) | {"may_block": True}
    if wants_part():
        return render_page("inference/key_dialog.html", **values)
    return render_in_console("inference/account.html", section="gateway-account", **values)


def _find_values(work: UnitOfWork, actor: Actor, namespace: Namespace) -> dict[str, Any]:
    """What the templates see. Raises NotSignedIn, Denied."""
    args, asked = page_args(default=_PER_PAGE), request.args.get("key", "")
    # The right to see them is asked first, whatever is shown.
    found = keys.list_keys(work, actor=actor, namespace=namespace, page=args)
    own = bounds.get_owner_budgets(work, actor=actor, namespace=namespace)
    values: dict[str, Any] = {
        "namespace": namespace,
        "is_organization": namespace.kind.value == "organization",
        "api": f"/api/v1/namespaces/{namespace.uuid}",
        "own_address": request.path,
        "asked": asked,
        "periods": {period: period_title(period) for period in PERIODS},
        "most_budgets": MAX_BUDGETS,
        "most_of_models": MAX_MODEL_BUDGETS,
        "most_aliases": MAX_ALIASES,
        "most_notes": MAX_DETAILS,
        "money": money,
        "plain_amount": plain_amount,
        "currency": currency(),
        "period_title": period_title,
        "now": work.now(),
    }
    if asked == OWNER:
        values |= {"budgets": own}
    elif asked == LIMITS:
        values |= {"owner_limits": bounds.get_owner_limits(work, actor=actor, namespace=namespace)}
    elif asked == MEMBER:
        names = bounds.list_member_names(work, actor=actor, namespace=namespace, most=_NAMES_OFFERED)
        values |= {"budgets": (), "member_names": names}
    elif asked.startswith(f"{MEMBER}:"):
        name = asked.partition(":")[2]
        member, budgets = bounds.get_member_budgets(work, actor=actor, namespace=namespace, name=name)
        values |= {"member": member, "budgets": budgets}
    elif asked:
        key = None if asked == NEW else _find_key(work, actor, namespace, asked)
        limits = keys.limits_of(key) if key else Limits()
        rules = rules_of(key) if key else FREE
        values |= {"key": key, "limits": limits, "rules": rules, "budgets": limits.budgets}
        # What the form does not show stays as it is.
        values["base"] = describe_rules(rules)
    if wants_part():
        return values
    zone, rows = namespace.time_zone, found.items
    # All that is shown is asked for at once: those of each key by its id, of each member by name, of all together.
    bounded: dict[int | str, list[tuple[Purse, Budget]]] = {
        key.id: budgets_of_key(key.id, zone, key.budgets, key.model_budgets) for key in rows
    }
    bounded[""] = [(Purse("owner", namespace.uuid, zone=zone), budget) for budget in own]
    if values["is_organization"]:
        members = bounds.list_member_budgets(work, actor=actor, namespace=namespace, page=PageArgs(per=_MEMBERS_SHOWN))
        values["member_budgets"] = members
        for user, of_member in members.items:
            purse = Purse("member", namespace.uuid, user.id, zone=zone)
            bounded[user.name] = [(purse, budget) for budget in of_member]
    return values | {
        "state": "ready" if rows else "empty",
        "found": found,
        "args": args,
        "limits_by_id": {key.id: keys.limits_of(key) for key in rows},
        "rules_by_id": {key.id: rules_of(key) for key in rows},
        "bars": budget_views(work, bounded),
        "owner_limits": bounds.get_owner_limits(work, actor=actor, namespace=namespace),
        "ways": ways_to_call(),
        "whole_body": _whole_body,
    }


def _whole_body(key: ApiKey, **changes: bool) -> dict[str, Any]:
    """A key as the API takes it, with some members changed."""
    limits = keys.limits_of(key)
    return {
        "name": key.name,
        "models": limits.models,
        "rpm_limit": limits.requests,
        "tpm_limit": limits.tokens,
        "max_parallel_requests": limits.parallel,
        "budgets": [vars(budget) for budget in limits.budgets],
        "expired_at": key.expires_at.isoformat() if key.expires_at else None,
        "is_active": key.is_active,
        **describe_rules(rules_of(key)),
        **changes,
    }


def _find_key(work: UnitOfWork, actor: Actor, namespace: Namespace, asked: str) -> ApiKey:
    if not asked.isdecimal() or len(asked) > 18:
        raise NotFound("There is no such key.", code="key_not_found")
    return keys.read_key(work, actor=actor, namespace=namespace, key_id=int(asked))
