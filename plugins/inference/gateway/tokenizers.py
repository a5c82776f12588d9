"""Tokens counted by whoever serves the model, where its engine lets itself be asked. Source: gateway contract, 1.7."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hub.plugin import Context, get_logger
from hub.plugin.errors import Invalid
from hub.plugin.outgoing import NoAnswer, Patience
from plugins.inference.catalogue import OPENAI, Served, Server
from plugins.inference.gateway.asking import ask_server
from plugins.inference.gateway.routing import endpoint_of, host_of
from plugins.inference.gateway.usage import MAX_TOKENS, Heard, TokenUse, prompts_of, texts_of

log = get_logger(__name__)

LLAMA, VLLM, SGLANG, TGI, TEI = "llama.cpp", "vllm", "sglang", "tgi", "tei"
# As a word of the names of the hub's own engines ("ascend-vllm"), and of providers as administrators write them.
_FAMILIES = {
    LLAMA: r"x?llama[._-]?cpp|llama-server",
    VLLM: "vllm",
    SGLANG: "sglang",
    TGI: "tgi|text-generation-inference",
    TEI: "tei|text-embeddings-inference",
}
_FAMILY = {family: re.compile(rf"(?<![a-z0-9])({words})(?![a-z0-9])") for family, words in _FAMILIES.items()}
# Somebody waits for the end of a call meanwhile; whoever does not say it at once has no say.
_PATIENCE = Patience(connect_s=1.0, head_s=2.0, piece_s=1.0)
# Source: section 1.7: what a chat has around its messages where nobody knows its template.
_AROUND_CHAT = 3


def family_of(served: Served, server: Server) -> str:
    """The engine that serves a model there; "" for one that does not count, or that nobody knows."""
    return _family_of((served.deployment.engine if served.deployment is not None else server.provider).lower())


# Of each call it is asked, and there are few names.
@lru_cache(maxsize=1024)
def _family_of(name: str) -> str:
    return next((family for family, pattern in _FAMILY.items() if pattern.search(name)), "")


def find_tokenizer(context: Context, served: Served, server: Server) -> Tokenizer | None:
    """What counts the tokens of a model as its engine does; None where it cannot be asked."""
    family = family_of(served, server)
    return Tokenizer(context, server, family) if family and server.protocol == OPENAI else None


@dataclass(frozen=True)
class Tokenizer:
    """Asks an engine's own route. What it cannot or does not say is None."""

    context: Context
    server: Server
    family: str

    def count_prompt(self, data: Mapping[str, Any]) -> int | None:
        """The tokens of a request as the engine is asked it: a chat with all that its template adds."""
        messages = data.get("messages")
        if not isinstance(messages, list):
            texts, tokens = prompts_of(data)
            texts += texts_of(data.get("instructions"))
            found = self.count_text(texts, is_whole=True) if texts else 0
            return None if found is None else found + tokens
        chat = {name: data[name] for name in ("messages", "tools") if name in data}
        if self.family == LLAMA:
            prompt = self._ask("apply-template", data).get("prompt")
            return self._count_in_llama(prompt, is_whole=True) if isinstance(prompt, str) else None
        if self.family == VLLM:
            return _number(self._ask("tokenize", chat).get("count"))
        if self.family == TGI:
            return _length(self._ask("chat_tokenize", chat).get("tokenize_response"))
        found = self.count_text([*texts_of(messages), *texts_of(data.get("tools"))])
        return None if found is None else found + _AROUND_CHAT

    def count_text(self, texts: Sequence[str], *, is_whole: bool = False) -> int | None:
        """The tokens of texts. is_whole: with those that the engine puts before and after what it is given."""
        text = "\n".join(texts) if is_whole else "".join(texts)
        if not text:
            return 0
        if self.family == LLAMA:
            return self._count_in_llama(text, is_whole=is_whole)
        if self.family in (VLLM, SGLANG):
            asked = {"prompt": text, "add_special_tokens": is_whole}
            return _number(self._ask("tokenize", asked).get("count"))
        found = self._say("tokenize", {"inputs": text, "add_special_tokens": is_whole})
        if self.family == TEI and isinstance(found, list) and len(found) == 1:
            # One list for each of the texts.
            found = found[0]
        return _length(found)

    def _count_in_llama(self, text: str, *, is_whole: bool) -> int | None:
        asked = {"content": text, "add_special": is_whole, "parse_special": is_whole}
        return _length(self._ask("tokenize", asked).get("tokens"))

    def _ask(self, route: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._say(route, {**asked, "model": self.server.model_name})
        return found if isinstance(found, dict) else {}

    def _say(self, route: str, asked: Mapping[str, Any]) -> Any:
        """What the engine answers; None: nothing of use."""
        # Engines answer it beside ``/v1``.
        base = endpoint_of(self.server.url.partition("?")[0], "").rstrip("/").removesuffix("/v1")
        try:
            status, found = ask_server(
                self.context, self.server, "POST", f"{base}/{route}", data=asked, patience=_PATIENCE
            )
        except (NoAnswer, Invalid, RecursionError) as error:
            host = host_of(self.server.url)
            log.info("tokens_not_counted", upstream_id=self.server.id, host=host, error=type(error).__name__)
            return None
        return found if status == 200 else None


@dataclass(frozen=True)
class Counter:
    """Counts one call whose upstream did not tell what it used. data: what the upstream was asked."""

    tokenizer: Tokenizer
    data: Mapping[str, Any]

    def count(self, use: TokenUse, heard: Heard) -> TokenUse:
        """The same, as the engine counts it; what it does not count stays an estimate."""
        prompt = self.tokenizer.count_prompt(self.data)
        completion = None if heard.texts is None else self.tokenizer.count_text(heard.texts)
        if prompt is None or completion is None:
            return use
        return replace(use, prompt=prompt, completion=completion, source="tokenizer")


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None
