"""The playground: chats with the models that who is signed in may call, several beside each other."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from hub.plugin.web import create_pages, current_actor, current_context, gettext, render_page, require_viewer
from plugins.inference.catalogue import Served
from plugins.inference.gateway.faults import Fault
from plugins.inference.web.calling import call_as, list_callable
from plugins.inference.web.words import currency, money

blueprint = create_pages("inference_web_playground", "plugins.inference", url_prefix="/playground")

# What chats. Source: gateway contract, section 1.2.
_CHATS = frozenset({"", "text-generation", "text2text-generation", "conversational", "image-text-to-text"})
_MILLION = 10**6


@blueprint.get("")
def show_playground() -> Response:
    """The page. ``model``, up to four times: with whom to chat; ``prompt``: one of the library to begin with."""
    actor = require_viewer()
    fault = ""
    try:
        found = list_callable(actor)
    except Fault as refused:
        fault, found = refused.message, []
    models = [_view(served) for served in found if served.task in _CHATS]
    return render_page(
        "inference/playground.html",
        page="PG",
        state="error" if fault else "ready" if models else "empty",
        models=models,
        fault=fault,
        currency=currency(),
        site=current_context().settings.effective_base_url.rstrip("/"),
        chat_url=url_for("inference_web_playground.call", route="chat/completions"),
    )


@blueprint.post("/v1/<path:route>")
def call(route: str) -> Response:
    """What ``/v1`` would answer to the built-in key of who is signed in."""
    return call_as(current_actor(), route)


def _view(served: Served) -> dict[str, Any]:
    """A model as the page's scripts have it."""
    prices = served.prices
    is_free = not any(vars(prices).values())
    words = [served.provider or served.llm_type]
    if not is_free:
        amounts = {"input": money(prices.input * _MILLION), "output": money(prices.output * _MILLION)}
        words.append(gettext("%(input)s in, %(output)s out for a million tokens", **amounts))
    # Billionths for a token are thousandths for a million.
    told = {"input": prices.input / 1000, "cached": prices.cached / 1000, "output": prices.output / 1000}
    return {
        "name": served.name,
        "about": " · ".join(filter(None, words)),
        "is_ready": served.is_available,
        "is_asleep": served.is_available and not served.servers,
        "prices": None if is_free else told,
    }
