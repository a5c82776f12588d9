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
from plugins.inference.models import ServedModel, Upstream
from plugins.inference.web.words import currency, money

blueprint = create_pages("inference_web_models", "plugins.inference", url_prefix="/admin_panel/gateway/models")

_PER_PAGE = 20
_MAX_SEARCH = 255
_MILLION = 10**6
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
    """The models by name. ``search``."""
    context, args, search = current_context(), page_args(default=_PER_PAGE), request.args.get("search", "")
    with reading(context) as work:
        actor = require_console(work)
        found = catalogue.list_models(work, actor=actor, search=search[:_MAX_SEARCH], page=args)
        owners = _owners_of(work, found.items)
        states = _states_of(found.items, read_health(context), read_shared(context), work.now().timestamp())
    return render_in_console(
        "inference/models.html",
        section="gateway-models",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        search=search,
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


def _price(model: ServedModel) -> str:
    """What a million tokens cost, in words; "" for nothing."""
    if not (model.input_nano or model.output_nano):
        return ""
    amounts = {"input": money(model.input_nano * _MILLION), "output": money(model.output_nano * _MILLION)}
    return gettext("%(input)s in, %(output)s out for a million tokens", **amounts)


def type_titles() -> dict[str, str]:
    """What the types of models are called."""
    return {
        "external_llm": gettext("of a provider"),
        "serverless": gettext("serverless"),
        "inference": gettext("a deployment"),
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
