"""Upstreams that speak Anthropic's protocol themselves: their usage, and their streams passed on as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.inference.gateway import faults
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.messages_answers import PING, encode_fault
from plugins.inference.gateway.translating import encode_event
from plugins.inference.gateway.usage import ESTIMATE, MAX_TOKENS, Heard, TokenUse, estimate_tokens

_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


def read_message_usage(usage: Any) -> TokenUse | None:
    """The member ``usage`` of a message; None when it says nothing. The prompt is counted with what the cache had."""
    if not isinstance(usage, Mapping):
        return None
    found = [_number(usage.get(name)) for name in _COUNTS]
    if found[0] is None and found[3] is None:
        return None
    plain, cached, creation, completion = (number or 0 for number in found)
    return TokenUse(plain + cached + creation, cached, creation, completion, "upstream")


def _number(value: Any) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS // 4
    return value if is_number else None


def fault_of_event(data: Mapping[str, Any]) -> Fault:
    """The gateway's words for the event of an error; the upstream's own may tell what is nobody's business."""
    error = data.get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    return faults.all_unavailable() if kind == "overloaded_error" else faults.upstream_failed()


class MessageUsage:
    """Counts a stream of messages: what its first event says, and its last ones correct."""

    def __init__(self) -> None:
        self._usage: dict[str, Any] = {}
        self.heard = Heard()
        self._is_final = False

    def hear(self, data: Mapping[str, Any]) -> None:
        """One event."""
        message = data.get("message")
        for usage in (data.get("usage"), message.get("usage") if isinstance(message, dict) else None):
            if isinstance(usage, dict):
                self._usage |= {name: usage[name] for name in _COUNTS if usage.get(name) is not None}
        if data.get("type") == "message_delta":
            self._is_final = True
        elif data.get("type") == "content_block_delta":
            self.heard.add(data.get("delta"))

    def use(self, prompt_tokens: int) -> TokenUse:
        """What was used so far; of an answer that was cut off the first event tells the prompt alone."""
        found = read_message_usage(self._usage)
        if found is not None and self._is_final:
            return found
        completion = estimate_tokens(self.heard.characters)
        if found is None:
            return TokenUse(prompt_tokens, completion=completion, source=ESTIMATE)
        completion = max(completion, found.completion)
        return TokenUse(found.prompt, found.cached, found.cache_creation, completion, ESTIMATE)


class NativeVoice:
    """Passes events on untouched, but for the model's name and errors."""

    def __init__(self, model: str) -> None:
        self.finish_reason = ""
        self.is_complete = False
        self._model = model
        self._usage = MessageUsage()
        self._last = b""

    @property
    def heard(self) -> Heard:
        """As ``Voice`` says."""
        return self._usage.heard

    @heard.setter
    def heard(self, heard: Heard) -> None:
        self._usage.heard = heard

    def take(self, data: dict[str, Any], event: bytes) -> bytes:
        """As ``Voice`` says."""
        kind = data.get("type")
        if kind == "error":
            raise fault_of_event(data)
        self._usage.hear(data)
        if kind == "message_start" and isinstance(data.get("message"), dict):
            data["message"]["model"] = self._model
            return encode_event("message_start", data)
        delta = data.get("delta")
        if kind == "message_delta" and isinstance(delta, dict):
            self.finish_reason = str(delta.get("stop_reason") or "")
        if kind == "message_stop":
            # Said when the call is in its account.
            self.is_complete, self._last = True, event + b"\n\n"
            return b""
        return event + b"\n\n"

    def keep_alive(self) -> bytes:
        """As ``Voice`` says."""
        return PING

    def use(self, prompt_tokens: int) -> TokenUse:
        """As ``Voice`` says."""
        return self._usage.use(prompt_tokens)

    def end(self, use: TokenUse) -> bytes:
        """As ``Voice`` says."""
        return self._last

    def fail(self, fault: Fault) -> bytes:
        """As ``Voice`` says."""
        return encode_fault(fault)
