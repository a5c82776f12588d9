"""How many tokens a request of messages has, as whoever serves the model counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.plugin import Context, get_logger
from hub.plugin.errors import Invalid
from hub.plugin.outgoing import NoAnswer
from plugins.inference.catalogue import ANTHROPIC, Served, Server
from plugins.inference.gateway.asking import ask_server
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.messages_requests import count_prompt, to_chat
from plugins.inference.gateway.routing import endpoint_of, host_of

log = get_logger(__name__)

# Engines that count: by the names of the hub's own, and as administrators write them for upstreams.
_LLAMA = frozenset({"llama.cpp", "llama_cpp", "llama-cpp", "llamacpp", "llama-server", "xllamacpp"})
_VLLM = frozenset({"vllm"})


def count_tokens(context: Context, model: Served, data: Mapping[str, Any], headers: Mapping[str, str]) -> int:
    """The tokens of a request whose messages were checked; where nobody counts them, about so many.

    headers: what upstreams that speak Anthropic's protocol are told beside it.
    """
    for server in model.servers:
        try:
            found = _ask(context, _engine_of(model, server), server, data, headers)
        except (NoAnswer, Invalid, Fault, RecursionError) as error:
            log.info("tokens_not_counted", upstream_id=server.id, host=host_of(server.url), error=type(error).__name__)
            continue
        if found is not None:
            return found
    return count_prompt(data)


def _engine_of(model: Served, server: Server) -> str:
    return (model.deployment.engine if model.deployment is not None else server.provider).lower()


def _ask(
    context: Context, engine: str, server: Server, data: Mapping[str, Any], headers: Mapping[str, str]
) -> int | None:
    """None: this upstream does not count. Raises NoAnswer, Invalid, Fault, RecursionError."""
    if server.protocol == ANTHROPIC:
        url = endpoint_of(server.url, "messages/count_tokens")
        answer = _post(context, server, url, {**data, "model": server.model_name}, headers)
        return _number(answer.get("input_tokens"))
    if engine not in _LLAMA | _VLLM:
        return None
    chat = to_chat({"max_tokens": 1, **data}) | {"model": server.model_name}
    if engine in _VLLM:
        asked: dict[str, Any] = {name: chat[name] for name in ("model", "messages", "tools") if name in chat}
        return _number(_post(context, server, _root_of(server, "tokenize"), asked).get("count"))
    prompt = _post(context, server, _root_of(server, "apply-template"), chat).get("prompt")
    if not isinstance(prompt, str):
        return None
    wanted = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = _post(context, server, _root_of(server, "tokenize"), wanted).get("tokens")
    return len(tokens) if isinstance(tokens, list) else None


def _root_of(server: Server, route: str) -> str:
    """Where an engine answers what lies beside ``/v1``."""
    base = endpoint_of(server.url.partition("?")[0], "").rstrip("/")
    return f"{base.removesuffix('/v1')}/{route}"


def _post(
    context: Context, server: Server, url: str, data: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """What an upstream answers; empty: nothing of use. Raises NoAnswer, Invalid."""
    status, found = ask_server(context, server, "POST", url, data=data, headers=headers)
    return found if status == 200 else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
