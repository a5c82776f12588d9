"""Answers of chats, told as responses. Source: gateway contract, section 1.8."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.translating import (
    REASONING,
    REFUSAL,
    TOOL,
    ChatVoice,
    Part,
    encode_event,
    read_choice,
)
from plugins.inference.gateway.usage import TokenUse

# So the ids begin of what no upstream keeps: nothing can follow on it.
ADAPTED = "resp_chat_"
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter", "sensitive": "content_filter"}
KEEP_ALIVE = b": ping\n\n"
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


def usage_of(use: TokenUse) -> dict[str, Any]:
    """What was used."""
    return {
        "input_tokens": use.prompt,
        "input_tokens_details": {"cached_tokens": use.cached, "cache_write_tokens": use.cache_creation},
        "output_tokens": use.completion,
        "output_tokens_details": {"reasoning_tokens": use.reasoning},
        "total_tokens": use.total,
    }


class Frame:
    """A response but for what was answered; what was asked is told again, and written out once."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        """Raises RecursionError for what is nested too deeply."""
        self.id = ADAPTED + secrets.token_hex(16)
        self.model = ""
        self._created_at = int(time.time())
        text, reasoning = asked.get("text"), asked.get("reasoning")
        told = {name: asked.get(name) if asked.get(name) is not None else usual for name, usual in _ECHOED.items()}
        told["text"] = {"format": {"type": "text"}} | (text if isinstance(text, dict) else {})
        effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
        told["reasoning"] = {"effort": effort, "summary": None}
        self._told = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in told.items()}

    def show(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """How it stands."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self.model,
            "output": output,
            "previous_response_id": None,
            "store": False,
            "usage": None,
            **self._told,
            **more,
        }

    def show_end(self, output: list[dict[str, Any]], finish_reason: str, use: TokenUse) -> dict[str, Any]:
        """How it ended."""
        usage, reason = usage_of(use), _INCOMPLETE.get(finish_reason)
        if reason is not None:
            return self.show("incomplete", output, usage=usage, incomplete_details={"reason": reason})
        return self.show("completed", output, usage=usage, completed_at=int(time.time()))


def _content(part: Part, text: str) -> dict[str, Any]:
    """The one part of an item's content."""
    if part.kind == REASONING:
        return {"type": "reasoning_text", "text": text}
    if part.kind == REFUSAL:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(part: Part, id: str, status: str, text: str) -> dict[str, Any]:
    """An item of the output. status: "in_progress" for one that has no content yet."""
    if part.kind == TOOL:
        item = {"id": id, "type": "function_call", "status": status, "call_id": part.id, "name": part.name}
        return item | {"arguments": text}
    content = [] if status == "in_progress" else [_content(part, text)]
    if part.kind == REASONING:
        return {"id": id, "type": "reasoning", "status": status, "summary": [], "content": content}
    return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}


def _new_id(part: Part) -> str:
    prefix = {TOOL: "fc", REASONING: "rs"}.get(part.kind, "msg")
    return f"{prefix}_{secrets.token_hex(16)}"


def _name_call(part: Part) -> Part:
    """The call of a tool with an id by which it can be answered."""
    if part.kind == TOOL and not part.id:
        part.id = f"call_{secrets.token_hex(12)}"
    return part


def to_response(data: Mapping[str, Any], use: TokenUse, frame: Frame) -> dict[str, Any]:
    """A whole answer. Raises Fault when the upstream's is none."""
    choice, parts = read_choice(data)
    finish_reason = str(choice.get("finish_reason") or "")
    status = "incomplete" if finish_reason in _INCOMPLETE else "completed"
    output = [
        _item(_name_call(part), _new_id(part), status if part is parts[-1] else "completed", part.text)
        for part in parts
    ]
    return frame.show_end(output, finish_reason, use)


class ResponseVoice(ChatVoice):
    """Says a chat's stream in the events of a response, which are numbered."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self._frame = frame
        self._number = -1
        self._id = ""
        self._texts: list[str] = []
        self._output: list[dict[str, Any]] = []

    def begin(self) -> bytes:
        response = self._frame.show("in_progress", [])
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def open(self, part: Part) -> bytes:
        self._id, self._texts = _new_id(part), []
        item = _item(_name_call(part), self._id, "in_progress", "")
        said = self._event("response.output_item.added", output_index=len(self._output), item=item)
        if part.kind != TOOL:
            said += self._of_item("response.content_part.added", content_index=0, part=_content(part, ""))
        return said

    def add(self, part: Part, text: str) -> bytes:
        self._texts.append(text)
        if part.kind == TOOL:
            return self._of_item("response.function_call_arguments.delta", delta=text)
        return self._of_item(f"response.{_NAMES.get(part.kind, 'output_text')}.delta", **_place(part), delta=text)

    def close(self, part: Part) -> bytes:
        text = "".join(self._texts)
        status = "incomplete" if self.finish_reason in _INCOMPLETE else "completed"
        if part.kind == TOOL:
            said = self._of_item("response.function_call_arguments.done", name=part.name, arguments=text)
        else:
            told = {"refusal": text} if part.kind == REFUSAL else {"text": text}
            said = self._of_item(f"response.{_NAMES.get(part.kind, 'output_text')}.done", **_place(part), **told)
            said += self._of_item("response.content_part.done", content_index=0, part=_content(part, text))
        item = _item(part, self._id, status, text)
        said += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return said

    def keep_alive(self) -> bytes:
        return KEEP_ALIVE

    def end(self, use: TokenUse) -> bytes:
        said = self.start() + self.stop()
        response = self._frame.show_end(self._output, self.finish_reason, use)
        return said + self._event(f"response.{response['status']}", response=response)

    def fail(self, fault: Fault) -> bytes:
        said = self.start()
        error = {"code": "rate_limit_exceeded" if fault.status == 429 else "server_error", "message": fault.message}
        return said + self._event("response.failed", response=self._frame.show("failed", self._output, error=error))

    def _event(self, name: str, /, **data: Any) -> bytes:
        self._number += 1
        return encode_event(name, {"type": name, "sequence_number": self._number} | data)

    def _of_item(self, name: str, /, **data: Any) -> bytes:
        return self._event(name, item_id=self._id, output_index=len(self._output), **data)


_NAMES = {REASONING: "reasoning_text", REFUSAL: "refusal"}


def _place(part: Part) -> dict[str, Any]:
    place: dict[str, Any] = {"content_index": 0}
    return place if part.kind in _NAMES else place | {"logprobs": []}
