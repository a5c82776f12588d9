"""Calls of models of language, as OpenAI's clients make them. Source: gateway contract, sections 1.1 and 1.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import OPENAI, Served, Server
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import EventRelay, finish_answer, read_answer
from plugins.inference.gateway.calls import Answer, Asked, CallKind, JsonPayload, Spoken
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.usage import TokenUse, Use, estimate_prompt
from plugins.inference.gateway.wire import Request
from plugins.inference.settings import InferenceSettings


def model_of(data: Mapping[str, Any]) -> str:
    """The model that a request names. Raises Fault."""
    name = data.get("model")
    if not isinstance(name, str) or not name:
        raise faults.bad_request("The request names no model.", param="model")
    return name


def most_tokens(data: Mapping[str, Any], model: Served, settings: InferenceSettings) -> int:
    """How many tokens an answer may have at most."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = data.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            most = min(value, 2**31)
            break
    else:
        most = model.max_tokens or settings.default_max_tokens
    number = data.get("n")
    return most * number if isinstance(number, int) and 1 < number <= 128 else most


class JsonCall(CallKind):
    """JSON in, JSON out, counted by tokens; what the gateway does not know goes through untouched."""

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        return self.read_data(request.read_json(settings.max_body_bytes), settings)

    def read_data(self, data: dict[str, Any], settings: InferenceSettings) -> Asked:
        """What a body asks. Raises Fault."""
        return Asked(model_of(data), self.name, JsonPayload(data), prompt_tokens=estimate_prompt(data, settings))

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> TokenUse:
        return TokenUse(asked.prompt_tokens)

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        data = read_answer(ledger, exchange, settings)
        finish_answer(ledger, data, prompt_tokens=asked.prompt_tokens)
        return Answer(msgspec.json.encode(data))


class Embeddings(JsonCall):
    """Vectors of texts."""

    name = "embeddings"
    paths = ("/v1/embeddings",)


class Rerank(JsonCall):
    """Documents by how well they answer a question; Jina's and Cohere's shape."""

    name = "rerank"
    paths = ("/v1/rerank",)


class Completions(JsonCall):
    """Texts that go on from a prompt."""

    name = "completions"
    paths = ("/v1/completions",)

    def read_data(self, data: dict[str, Any], settings: InferenceSettings) -> Asked:
        asked = super().read_data(data, settings)
        asked.own = data
        if data.get("stream") is True:
            options = data.get("stream_options")
            options = options if isinstance(options, dict) else {}
            asked.is_stream = True
            asked.payload = JsonPayload({**data, "stream_options": {**options, "include_usage": True}})
        return asked

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> TokenUse:
        return TokenUse(asked.prompt_tokens, completion=most_tokens(asked.own, model, settings))

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> EventRelay:
        options = asked.own.get("stream_options")
        wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        return EventRelay(ledger, exchange, asked.prompt_tokens, wants_usage)


class ChatCompletions(Completions):
    """Conversations."""

    name = "chat/completions"
    paths = ("/v1/chat/completions",)

    def suits(self, asked: Asked, server: Server) -> bool:
        return True

    def speak(self, asked: Asked, server: Server, most: Use) -> Spoken:
        if server.protocol == OPENAI:
            return Spoken(asked.route, asked.payload)
        # Deliberately late: most hubs have no upstream of another protocol.
        from plugins.inference.gateway.messages_upstream import speak_chat

        return speak_chat(asked.own, most)


KINDS: tuple[CallKind, ...] = (ChatCompletions(), Completions(), Embeddings(), Rerank())
