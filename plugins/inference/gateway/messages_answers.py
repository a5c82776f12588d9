"""Answers of chats in Anthropic's words, and its errors. Source: gateway contract, section 1.11."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.translating import (
    REASONING,
    REFUSAL,
    TOOL,
    ChatVoice,
    Part,
    encode_event,
    find_match,
    read_choice,
    read_json,
)
from plugins.inference.gateway.usage import TokenUse

_STOP_REASONS = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "sensitive": "refusal",
}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
OVERLOADED = 529


def say_fault(fault: Fault) -> tuple[int, dict[str, Any]]:
    """An error's status and body, as Anthropic's clients read them; ``details`` has the gateway's own code."""
    kind = _ERRORS.get(fault.status, "api_error" if fault.status >= 500 else "invalid_request_error")
    error: dict[str, Any] = {"type": kind, "message": fault.message}
    if fault.code:
        error["details"] = {"error_code": fault.code}
    return OVERLOADED if fault.status == 503 else fault.status, {"type": "error", "error": error}


def usage_of(use: TokenUse) -> dict[str, int]:
    """What was used: of the prompt, what went through the cache is counted apart."""
    return {
        "input_tokens": use.prompt - use.cached - use.cache_creation,
        "cache_creation_input_tokens": use.cache_creation,
        "cache_read_input_tokens": use.cached,
        "output_tokens": use.completion,
    }


def _stop_reason(finish_reason: str, match: str | None, *, has_tools: bool, has_refusal: bool) -> str:
    if match is not None:
        return "stop_sequence"
    if has_refusal:
        return "refusal"
    if has_tools and finish_reason != "length":
        # Some engines call tools and say no more than that they stopped.
        return "tool_use"
    return _STOP_REASONS.get(finish_reason, "end_turn")


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def input_of(arguments: str) -> dict[str, Any]:
    """What a tool is called with. Models write what is no JSON: then it is told as it came."""
    found = read_json(arguments) if arguments.strip() else {}
    return found if isinstance(found, dict) else {"raw_arguments": arguments}


def _block(part: Part, *, is_whole: bool) -> dict[str, Any]:
    """A block: whole, or as a stream begins it."""
    if part.kind == TOOL:
        input = input_of(part.text) if is_whole else {}
        return {"type": "tool_use", "id": part.id or _new_id("toolu"), "name": part.name, "input": input}
    if part.kind == REASONING:
        # Signed by nobody: what it was signed for, an upstream of OpenAI's protocol does not ask.
        return {"type": "thinking", "thinking": part.text, "signature": ""}
    return {"type": "text", "text": part.text}


def to_message(data: Mapping[str, Any], use: TokenUse, *, model: str, stops: tuple[str, ...]) -> dict[str, Any]:
    """A whole answer. Raises Fault when the upstream's is none."""
    choice, parts = read_choice(data)
    match = find_match(choice, stops)
    reason = _stop_reason(
        str(choice.get("finish_reason") or ""),
        match,
        has_tools=any(part.kind == TOOL for part in parts),
        has_refusal=any(part.kind == REFUSAL for part in parts),
    )
    content = [_block(part, is_whole=True) for part in parts]
    return _message(_new_id("msg"), model, content, usage_of(use)) | {"stop_reason": reason, "stop_sequence": match}


def _message(id: str, model: str, content: list[dict[str, Any]], usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def encode_fault(fault: Fault) -> bytes:
    """An error within a stream."""
    return encode_event("error", say_fault(fault)[1])


_STOP = encode_event("message_stop", {"type": "message_stop"})
PING = encode_event("ping", {"type": "ping"})


class MessageVoice(ChatVoice):
    """Says a chat's stream in Anthropic's events. prompt_tokens: the estimate, which the last event corrects."""

    def __init__(self, model: str, prompt_tokens: int, stops: tuple[str, ...]) -> None:
        super().__init__(stops)
        self._model, self._prompt_tokens = model, prompt_tokens
        self._index = -1

    def begin(self) -> bytes:
        message = _message(_new_id("msg"), self._model, [], usage_of(TokenUse(self._prompt_tokens)))
        return encode_event("message_start", {"type": "message_start", "message": message}) + PING

    def open(self, part: Part) -> bytes:
        self._index += 1
        return self._event("content_block_start", content_block=_block(part, is_whole=False))

    def add(self, part: Part, text: str) -> bytes:
        if part.kind == TOOL:
            delta = {"type": "input_json_delta", "partial_json": text}
        elif part.kind == REASONING:
            delta = {"type": "thinking_delta", "thinking": text}
        else:
            delta = {"type": "text_delta", "text": text}
        return self._event("content_block_delta", delta=delta)

    def close(self, part: Part) -> bytes:
        return self._event("content_block_stop")

    def keep_alive(self) -> bytes:
        return self.start() or PING

    def end(self, use: TokenUse) -> bytes:
        reason = _stop_reason(self.finish_reason, self.match, has_tools=self.has_tools, has_refusal=self.has_refusal)
        delta = {"stop_reason": reason, "stop_sequence": self.match}
        last = {"type": "message_delta", "delta": delta, "usage": usage_of(use)}
        return (
            self.stop() + encode_event("message_delta", last) + encode_event("message_stop", {"type": "message_stop"})
        )

    def fail(self, fault: Fault) -> bytes:
        return encode_fault(fault)

    def _event(self, name: str, /, **data: Any) -> bytes:
        return encode_event(name, {"type": name, "index": self._index} | data)
