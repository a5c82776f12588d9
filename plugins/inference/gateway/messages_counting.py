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
from plugins.inference.gateway.messages_requests import to_chat
from plugins.inference.gateway.routing import endpoint_of, host_of
from plugins.inference.gateway.tokenizers import find_tokenizer

log = get_logger(__name__)


def count_tokens(context: Context, model: Served, data: Mapping[str, Any], headers: Mapping[str, str]) -> int | None:
    """The tokens of a request whose messages were checked; None where nobody counts them.

    headers: what upstreams that speak Anthropic's protocol are told beside it.
    """
    for server in model.servers:
        try:
            found = _ask(context, model, server, data, headers)
        except (NoAnswer, Invalid, Fault, RecursionError) as error:
            log.info("tokens_not_counted", upstream_id=server.id, host=host_of(server.url), error=type(error).__name__)
            continue
        if found is not None:
            return found
    return None


def _ask(
    context: Context, model: Served, server: Server, data: Mapping[str, Any], headers: Mapping[str, str]
) -> int | None:
    """None: this upstream does not count. Raises NoAnswer, Invalid, Fault, RecursionError."""
    if server.protocol != ANTHROPIC:
        tokenizer = find_tokenizer(context, model, server)
        return None if tokenizer is None else tokenizer.count_prompt(to_chat({"max_tokens": 1, **data}))
    url = endpoint_of(server.url, "messages/count_tokens")
    asked = {**data, "model": server.model_name}
    status, found = ask_server(context, server, "POST", url, data=asked, headers=headers)
    number = found.get("input_tokens") if status == 200 and isinstance(found, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None
