"""API keys: a person's, among the settings, and an organisation's, for its administrators."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from hub.plugin import Actor
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import NotFound
from hub.plugin.policy import Namespace
from hub.plugin.web import (
    create_pages,
    current_context,
    head_of_organization,
    open_organization,
    page_args,
    render_page,
    render_settings,
    require_viewer,
    wants_part,
)
from plugins.inference import keys
from plugins.inference.keys import Limits
from plugins.inference.limits import FREE, describe_rules, rules_of
from plugins.inference.models import ApiKey
from plugins.inference.money import MAX_BUDGETS
from plugins.inference.web.accounts import own_namespace
from plugins.inference.web.budgets import budget_views
from plugins.inference.web.snippets import ways_to_call
from plugins.inference.web.words import PERIODS, currency, money, period_title, plain_amount

blueprint = create_pages("inference_web_keys", "plugins.inference", url_prefix="")

_PER_PAGE = 20
NEW, OWNER = "new", "owner"  # what a dialog is of, beside the number of a key


@blueprint.get("/settings/api-keys")
def show_own() -> Response:
    """The viewer's own keys. ``key``: the number of one to change, or "new"; "owner": the budget of all together."""
    actor = require_viewer()
    with reading(current_context()) as work:
        namespace = own_namespace(work, actor)
        values = _find_values(work, actor, namespace)
    if wants_part():
        return render_page("inference/key_dialog.html", **values)
    return render_settings("inference/keys_own.html", section="api-keys", **values)


@blueprint.get("/organizations/<namespace>/api-keys")
def show_organization(namespace: str) -> Response:
    """An organisation's keys, for its administrators. ``key``: as for one's own."""
    actor = require_viewer()
    with reading(current_context()) as work:
        organization = open_organization(work, namespace)
        values = _find_values(work, actor, organization.namespace)
        if not wants_part():
            values |= head_of_organization(work, actor, organization)
    if wants_part():
        return render_page("inference/key_dialog.html", **values)
    return render_page("inference/keys_organization.html", page="O-api-keys", **values)


def _find_values(work: UnitOfWork, actor: Actor, namespace: Namespace) -> dict[str, Any]:
    """What the templates see. Raises NotSignedIn, Denied."""
    args, asked = page_args(default=_PER_PAGE), request.args.get("key", "")
    # The right to see them is asked first, whatever is shown.
    found = keys.list_keys(work, actor=actor, namespace=namespace, page=args)
    own = keys.get_owner_budgets(work, actor=actor, namespace=namespace)
    values: dict[str, Any] = {
        "namespace": namespace,
        "api": f"/api/v1/namespaces/{namespace.uuid}",
        "own_address": request.path,
        "asked": asked,
        "periods": {period: period_title(period) for period in PERIODS},
        "most_budgets": MAX_BUDGETS,
        "money": money,
        "plain_amount": plain_amount,
        "currency": currency(),
        "period_title": period_title,
        "now": work.now(),
    }
    if asked == OWNER:
        values |= {"budgets": own}
    elif asked:
        key = None if asked == NEW else _find_key(work, actor, namespace, asked)
        limits = keys.limits_of(key) if key else Limits()
        rules = rules_of(key) if key else FREE
        values |= {"key": key, "limits": limits, "rules": rules, "budgets": limits.budgets}
        # What the form does not show stays as it is.
        values["base"] = describe_rules(rules)
    if wants_part():
        return values
    limits_by_id = {key.id: keys.limits_of(key) for key in found.items}
    shown = budget_views(work, "key", {id: limits.budgets for id, limits in limits_by_id.items()})
    whole = budget_views(work, "owner", {namespace.uuid: own})[namespace.uuid]
    return values | {
        "state": "ready" if found.items else "empty",
        "found": found,
        "args": args,
        "limits_by_id": limits_by_id,
        "budgets_by_id": shown,
        "owner_budgets": whole,
        "ways": ways_to_call(),
        "whole_body": _whole_body,
    }


def _whole_body(key: ApiKey, limits: Limits, is_active: bool) -> dict[str, Any]:
    """A key as the API takes it, switched on or off."""
    return {
        "name": key.name,
        "models": limits.models,
        "rpm_limit": limits.requests,
        "tpm_limit": limits.tokens,
        "max_parallel_requests": limits.parallel,
        "budgets": [vars(budget) for budget in limits.budgets],
        "expired_at": key.expires_at.isoformat() if key.expires_at else None,
        "is_active": is_active,
        **describe_rules(rules_of(key)),
    }


def _find_key(work: UnitOfWork, actor: Actor, namespace: Namespace, asked: str) -> ApiKey:
    if not asked.isdecimal() or len(asked) > 18:
        raise NotFound("There is no such key.", code="key_not_found")
    return keys.read_key(work, actor=actor, namespace=namespace, key_id=int(asked))
