"""The administrators' pages of the models that the gateway serves: who serves them, how that goes, what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from sqlalchemy import select

from hub.plugin.db import UnitOfWork, reading
from hub.plugin.policy import Namespace
from hub.plugin.web import create_pages, current_context, gettext, page_args, render_in_console, require_console
from plugins.inference import catalogue
from plugins.inference.gateway.circuits import HEALTH_BELIEVED_S, Health, read_health, read_shared
from plugins.inference.limits import MAX_WINDOW_S, NO_POLICY, Policy
from plugins.inference.models import ServedModel, Upstream
from plugins.inference.unit_prices import MAX_UNIT_PRICES, PricedUnit
from plugins.inference.web.words import currency, money, plain_amount

blueprint = create_pages("inference_web_models", "plugins.inference", url_prefix="/admin_panel/gateway/models")

_PER_PAGE = 20
_MAX_SEARCH = 255
_MILLION = 10**6
_STATES = {"on": True, "off": False}
_ROW_ID = "int(min=1, max=9223372036854775807)"
# Tasks that people choose from; others can be written.
TASKS = (
    *("text-generation", "image-text-to-text", "feature-extraction", "text-ranking", "text-to-image"),
    *("automatic-speech-recognition", "text-to-speech", "text-to-video", "image-to-text", "text-classification"),
)


@dataclass(frozen=True)
class UpstreamState:
    """How an upstream is, by all processes. health: "" where nobody looks; circuit: "closed", "open", "half_open"."""

    upstream: Upstream
    health: str
    circuit: str
    reason: str


@blueprint.get("")
def show_models() -> Response:
    """The models by name. ``search``; ``state``: on, off."""
    context, args = current_context(), page_args(default=_PER_PAGE)
    search, on = request.args.get("search", "")[:_MAX_SEARCH], request.args.get("state", "")
    with reading(context) as work:
        actor = require_console(work)
        wanted = _STATES.get(on)
        found = catalogue.list_models(work, actor=actor, search=search, is_enabled=wanted, page=args)
        owners = _owners_of(work, found.items)
        states = _states_of(found.items, read_health(context), read_shared(context), work.now().timestamp())
    return render_in_console(
        "inference/models.html",
        section="gateway-models",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        search=search,
        on=on if on in _STATES else "",
        owners=owners,
        states=states,
        price=_price,
    )


@blueprint.get("/new")
def new_model() -> Response:
    """The form for one more."""
    with reading(current_context()) as work:
        require_console(work)
    return _render_form(None, "", {})


@blueprint.get(f"/<{_ROW_ID}:model_id>")
def show_model(model_id: int) -> Response:
    """The form of one model."""
    context = current_context()
    with reading(context) as work:
        model = catalogue.get_model(work, actor=require_console(work), model_id=model_id)
        owner = _owners_of(work, [model]).get(model.namespace_id or 0, "")
        headers = {upstream.id: catalogue.header_names(context, upstream) for upstream in model.upstreams}
    return _render_form(model, owner, headers)


def _render_form(model: ServedModel | None, owner: str, headers: Mapping[int, list[str]]) -> Response:
    return render_in_console(
        "inference/model.html",
        section="gateway-models",
        model=model,
        owner=owner,
        headers=headers,
        tasks=TASKS,
        types=type_titles(),
        strategies=strategy_titles(),
        protocols=catalogue.PROTOCOLS,
        responses=response_titles(),
        units=unit_titles(),
        most_units=MAX_UNIT_PRICES,
        most_drain_s=catalogue.MAX_DRAIN_S,
        most_window_s=MAX_WINDOW_S,
        policy_of=_policy_of,
        plain_amount=plain_amount,
        most=catalogue.MAX_UPSTREAMS,
        currency=currency(),
    )


def _owners_of(work: UnitOfWork, models: Any) -> dict[int, str]:
    """The names of the namespaces whose alone models are, by their ids. One query at most."""
    ids = {model.namespace_id for model in models if model.namespace_id is not None}
    if not ids:
        return {}
    return dict(work.session.execute(select(Namespace.id, Namespace.path).where(Namespace.id.in_(ids))).all())


def _states_of(
    models: Any, health: Mapping[int, Health], shared: Mapping[int, bool], now_s: float
) -> dict[int, UpstreamState]:
    states = {}
    for model in models:
        for upstream in model.upstreams:
            found = health.get(upstream.id)
            if found is not None and now_s - found.checked_at > HEALTH_BELIEVED_S:
                found = None
            may_try = shared.get(upstream.id)
            circuit = "closed" if may_try is None else "half_open" if may_try else "open"
            told = (found.state, found.reason) if found else ("", "")
            states[upstream.id] = UpstreamState(upstream, told[0], circuit, told[1])
    return states


def _policy_of(upstream: Upstream | None) -> Policy:
    """What bounds the accounts at an upstream; of a new one nothing."""
    return Policy(**upstream.limit_policy) if upstream is not None and upstream.limit_policy else NO_POLICY


def _price(model: ServedModel) -> str:
    """What a million tokens cost, in words, or that something else has prices; "" for nothing."""
    if not (model.input_nano or model.output_nano):
        return gettext("by what is made or read") if model.unit_prices else ""
    amounts = {"input": money(model.input_nano * _MILLION), "output": money(model.output_nano * _MILLION)}
    return gettext("%(input)s in, %(output)s out for a million tokens", **amounts)


def type_titles() -> dict[str, str]:
    """What the types of models are called."""
    return {
        "external_llm": gettext("of a provider"),
        "serverless": gettext("serverless"),
        "inference": gettext("a deployment"),
    }


def response_titles() -> dict[str, str]:
    """How an upstream is asked for responses."""
    return {
        catalogue.CHAT_ADAPTER: gettext("as a chat"),
        catalogue.NATIVE: gettext("as responses"),
        catalogue.DISABLED: gettext("not at all"),
    }


def unit_titles() -> dict[str, str]:
    """What has a price beside tokens."""
    return {
        PricedUnit.IMAGE.value: gettext("a picture"),
        PricedUnit.SECOND.value: gettext("a second"),
        PricedUnit.CHARACTER.value: gettext("a character"),
        PricedUnit.PAGE.value: gettext("a page"),
    }


def strategy_titles() -> dict[str, str]:
    """How one of several upstreams is chosen."""
    return {
        "weighted": gettext("by weight"),
        "round_robin": gettext("in turn"),
        "session_hash": gettext("a conversation stays where it is"),
        "least_busy": gettext("the one with the fewest calls"),
        "latency": gettext("the fastest one"),
    }
