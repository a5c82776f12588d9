"""The playground: chats with the models that who is signed in may call, several beside each other, and other tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request, url_for

from hub.plugin.settings import settings_of
from hub.plugin.web import create_pages, current_actor, current_context, gettext, render_page, require_viewer
from plugins.inference.catalogue import Prices, Served
from plugins.inference.gateway.faults import Fault
from plugins.inference.settings import InferenceSettings
from plugins.inference.unit_prices import PricedUnit
from plugins.inference.web.calling import call_as, list_callable
from plugins.inference.web.waking import see_readiness, wake_model
from plugins.inference.web.words import currency, money

blueprint = create_pages("inference_web_playground", "plugins.inference", url_prefix="/playground")

CHAT, PICTURES = "chat", "vision"
_MILLION = 10**6
_MAX_NAME = 255


@dataclass(frozen=True)
class Mode:
    """One thing to try: with models of which tasks, and by which route of the gateway."""

    tasks: frozenset[str]
    route: str
    icon: str


_WRITES = frozenset({"", "text-generation", "text2text-generation", "conversational"})
_SEES = frozenset({"image-text-to-text", "any-to-any"})
# By their words in addresses. Source: gateway contract, section 1.2; tasks as the engines name them.
MODES = {
    CHAT: Mode(_WRITES | _SEES, "chat/completions", "message-square"),
    "completion": Mode(_WRITES, "completions", "text-cursor-input"),
    "embedding": Mode(frozenset({"feature-extraction", "sentence-similarity"}), "embeddings", "chart-scatter"),
    "rerank": Mode(frozenset({"text-ranking"}), "rerank", "list-ordered"),
    "image": Mode(frozenset({"text-to-image", "image-to-image"}), "images/generations", "image"),
    PICTURES: Mode(_SEES, "chat/completions", "eye"),
    "transcription": Mode(frozenset({"automatic-speech-recognition"}), "audio/transcriptions", "mic"),
    "speech": Mode(frozenset({"text-to-speech", "text-to-audio"}), "audio/speech", "volume-2"),
}
# What pictures and recordings are asked for; what else a model knows, a program can say.
IMAGE_SIZES = ("256x256", "512x512", "1024x1024", "1024x1536", "1536x1024")
SOUND_FORMATS = ("mp3", "wav", "flac", "opus", "aac")


@blueprint.get("")
def show_playground() -> Response:
    """The page. ``mode``: what to try, else what the model does. ``model``, up to four times: with whom.

    ``prompt``: one of the library to begin with.
    """
    actor = require_viewer()
    fault = ""
    try:
        found = list_callable(actor)
    except Fault as refused:
        fault, found = refused.message, []
    offered = {word: [one for one in found if one.task in mode.tasks] for word, mode in MODES.items()}
    chosen = _choose(offered)
    models = [_view(served) for served in offered[chosen]]
    settings = settings_of(current_context(), InferenceSettings)
    is_chat = chosen in (CHAT, PICTURES)
    return render_page(
        "inference/playground.html" if is_chat else "inference/playground_try.html",
        page="PG",
        state="error" if fault else "ready" if models else "empty",
        mode=chosen,
        # Where there is nothing at all, a chat is what is missing.
        modes={word: title for word, title in _titles().items() if offered[word] or word in (chosen, CHAT)},
        icons={word: mode.icon for word, mode in MODES.items()},
        models=models,
        fault=fault,
        currency=currency(),
        site=current_context().settings.effective_base_url.rstrip("/"),
        call_url=url_for("inference_web_playground.call", route=MODES[chosen].route),
        most_bytes=settings.max_body_bytes if is_chat else settings.max_form_bytes,
        image_sizes=IMAGE_SIZES,
        sound_formats=SOUND_FORMATS,
    )


@blueprint.post("/v1/<path:route>")
def call(route: str) -> Response:
    """What ``/v1`` would answer to the built-in key of who is signed in."""
    return call_as(current_actor(), route)


@blueprint.get("/readiness")
def show_readiness() -> Response:
    """How the deployment stands that answers for ``model``, in JSON."""
    return jsonify(vars(see_readiness(current_context(), actor=current_actor(), name=_model_name())))


@blueprint.post("/readiness")
def wake() -> Response:
    """Wake, or start, the deployment that answers for ``model``; how it stands then."""
    return jsonify(vars(wake_model(current_context(), actor=current_actor(), name=_model_name())))


def _model_name() -> str:
    return request.args.get("model", "")[:_MAX_NAME]


def _choose(offered: dict[str, list[Served]]) -> str:
    """The mode that is asked for, else the first one that has the model that is asked for, or any."""
    asked, model = request.args.get("mode", ""), request.args.get("model", "")
    if asked in offered:
        return asked
    ways = [word for word, found in offered.items() if any(not model or one.name == model for one in found)]
    return ways[0] if ways else CHAT


def _titles() -> dict[str, str]:
    """What the modes are called, in the order in which they stand."""
    return {
        CHAT: gettext("Chat"),
        "completion": gettext("Completion"),
        "embedding": gettext("Embedding"),
        "rerank": gettext("Ranking"),
        "image": gettext("Pictures of words"),
        PICTURES: gettext("Words of pictures"),
        "transcription": gettext("Speech to text"),
        "speech": gettext("Text to speech"),
    }


def _view(served: Served) -> dict[str, Any]:
    """A model as the page's scripts have it."""
    prices = served.prices
    # Billionths for a token are thousandths for a million.
    told = {"input": prices.input / 1000, "cached": prices.cached / 1000, "output": prices.output / 1000}
    return {
        "name": served.name,
        "about": " · ".join(filter(None, [served.provider or served.llm_type, *_price_words(prices)])),
        "task": served.task,
        "is_ready": served.is_available,
        "is_asleep": served.is_available and not served.servers,
        "prices": told if any(prices.of_tokens) else None,
    }


def _price_words(prices: Prices) -> list[str]:
    words = []
    if any(prices.of_tokens):
        amounts = {"input": money(prices.input * _MILLION), "output": money(prices.output * _MILLION)}
        words.append(gettext("%(input)s in, %(output)s out for a million tokens", **amounts))
    for price in prices.units:
        about = " ".join(filter(None, [price.resolution, price.quality]))
        words.append(" ".join(filter(None, [_unit_words(price.unit, money(price.nano)), about and f"({about})"])))
    return words


def _unit_words(unit: PricedUnit, amount: str) -> str:
    words = {
        PricedUnit.IMAGE: gettext("%(amount)s for a picture", amount=amount),
        PricedUnit.SECOND: gettext("%(amount)s for a second", amount=amount),
        PricedUnit.CHARACTER: gettext("%(amount)s for a character", amount=amount),
        PricedUnit.PAGE: gettext("%(amount)s for a page", amount=amount),
    }
    return words[unit]
