"""Anthropic's messages. Source: gateway contract, section 1.11.

Upstreams that speak this protocol are asked as the client asked, unknown fields and all; the others are asked for a
chat, and what they answer is told in Anthropic's words.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import ANTHROPIC, Served, Server
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import read_answer, use_of
from plugins.inference.gateway.calls import Answer, Asked, CallKind, Dialect, JsonPayload, Resource, Spoken
from plugins.inference.gateway.completions import model_of
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.messages_answers import MessageVoice, say_fault, to_message
from plugins.inference.gateway.messages_counting import count_tokens
from plugins.inference.gateway.messages_native import NativeVoice, read_message_usage
from plugins.inference.gateway.messages_requests import (
    check_messages,
    check_request,
    count_prompt,
    stops_of,
    to_chat,
)
from plugins.inference.gateway.translating import Sayable, VoicedRelay, end_with, reason_of
from plugins.inference.gateway.usage import TokenUse, Use, read_usage
from plugins.inference.gateway.wire import Request
from plugins.inference.settings import InferenceSettings

if TYPE_CHECKING:
    from plugins.inference.gateway.caller import Caller

ROUTE, CHAT = "messages", "chat/completions"
# Where programs ask that were told an address of its own for this protocol. Source: section 1.1.
ADDRESSES = ("/anthropic/v1/messages", "/anthropic/messages")
VERSION, BETA = "anthropic-version", "anthropic-beta"
_MAX_HEADER_CHARS = 2000


class _Own(Sayable):
    """A request, and what comes with it. stops: the words that are to end the answer."""

    def __init__(self, data: dict[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(data)
        self.headers, self.stops = headers, stops_of(data)

    def say(self) -> dict[str, Any]:
        return to_chat(self.data)


class _Anthropic(Dialect):
    """Errors as Anthropic's clients read them."""

    id_headers = ("x-request-id", "request-id")

    def say(self, fault: Fault) -> tuple[int, bytes]:
        status, body = say_fault(fault)
        return status, msgspec.json.encode(body)


def _headers_of(request: Request) -> Mapping[str, str]:
    """What upstreams that speak the protocol are told beside the body. Raises Fault."""
    version = request.header(VERSION)
    if not version:
        raise faults.bad_request(f"The header {VERSION} is needed, such as '2023-06-01'.")
    found = {VERSION: version, BETA: request.header(BETA)}
    return {name: value[:_MAX_HEADER_CHARS] for name, value in found.items() if value}


class Messages(_Anthropic, CallKind):
    """Conversations."""

    name = ROUTE
    paths = ("/v1/messages", *ADDRESSES)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        headers = _headers_of(request)
        data = request.read_json(settings.max_body_bytes)
        model = model_of(data)
        check_request(data)
        own = _Own(data, headers)
        is_stream = data.get("stream") is True
        return Asked(model, CHAT, JsonPayload(data), is_stream, count_prompt(data, settings), own)

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> TokenUse:
        own: _Own = asked.own
        if not any(server.protocol == ANTHROPIC for server in model.servers):
            # Why it cannot be said is worth more than that nobody can be asked.
            own.chat()
        return TokenUse(asked.prompt_tokens, completion=min(own.data["max_tokens"], 2**31))

    def suits(self, asked: Asked, server: Server) -> bool:
        return server.protocol == ANTHROPIC or asked.own.is_chat

    def speak(self, asked: Asked, server: Server, most: Use) -> Spoken:
        own: _Own = asked.own
        if server.protocol == ANTHROPIC:
            return Spoken(ROUTE, asked.payload, own.headers)
        return Spoken(CHAT, JsonPayload(own.chat()))

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        data = read_answer(ledger, exchange, settings)
        if _is_native(ledger):
            if not isinstance(data.get("content"), list):
                raise faults.upstream_failed()
            use = use_of(
                ledger, read_message_usage(data.get("usage")), prompt=asked.prompt_tokens, said=data["content"]
            )
            message, reason = data, str(data.get("stop_reason") or "")
        else:
            use = use_of(ledger, read_usage(data.get("usage")), prompt=asked.prompt_tokens, said=data.get("choices"))
            message = to_message(data, use, model=ledger.model.name, stops=asked.own.stops)
            reason = reason_of(data)
        return end_with(ledger, message, use, reason)

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> VoicedRelay:
        model, prompt = ledger.model.name, asked.prompt_tokens
        voice = NativeVoice(model) if _is_native(ledger) else MessageVoice(model, prompt, asked.own.stops)
        return VoicedRelay(ledger, exchange, prompt, voice)


def _is_native(ledger: Ledger) -> bool:
    return ledger.server is not None and ledger.server.protocol == ANTHROPIC


class CountTokens(_Anthropic, Resource):
    """How many tokens a request has. It costs nothing, and counts as one of the key's requests."""

    def __init__(self, messages: str) -> None:
        """messages: the address that it stands below."""
        self.prefix = f"{messages}/count_tokens"

    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        if rest:
            raise faults.unknown_route(request.path[:200])
        if request.method != "POST":
            raise faults.wrong_method(request.method)
        bearer = caller.authenticate(request.bearer)
        if not bearer.rules.allows_route(ROUTE):
            raise faults.not_this_route(ROUTE)
        headers = _headers_of(request)
        data = request.read_json(caller.settings.max_body_bytes)
        model = caller.find_model(bearer, model_of(data))
        check_messages(data)
        admission = caller.admitter.admit(bearer, secrets.token_hex(12), tokens=0, cost_nano=0)
        try:
            number = count_tokens(caller.context, model, data, headers)
        finally:
            caller.admitter.settle(admission, tokens=0, cost_nano=0)
        return Answer.of({"input_tokens": count_prompt(data, caller.settings) if number is None else number})


COUNTERS = tuple(map(CountTokens, Messages.paths))
