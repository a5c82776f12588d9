"""Chats with upstreams that speak Anthropic's protocol only. Source: gateway contract, sections 1.4 and 1.11.

A request is said in its words, and the answer comes back as if the upstream spoke OpenAI's: whoever reads it need not
know. The other way round is ``messages``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hub.plugin.outgoing import Exchange
from plugins.inference.gateway import faults
from plugins.inference.gateway.calls import JsonPayload, Spoken
from plugins.inference.gateway.events import DONE, data_of, split_events
from plugins.inference.gateway.faults import bad_request, unsupported
from plugins.inference.gateway.messages_answers import input_of
from plugins.inference.gateway.messages_native import MessageUsage, fault_of_event, read_message_usage
from plugins.inference.gateway.translating import read_json, write_json
from plugins.inference.gateway.usage import TokenUse, Use

ROUTE, VERSION = "messages", "2023-06-01"
# What has no meaning there, or is said in other words.
_OWN = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "stop", "stream", "stream_options", "tools",
    "tool_choice", "parallel_tool_calls", "user", "metadata", "temperature", "response_format", "reasoning_effort", "n",
    "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "store", "service_tier",
    "prediction", "verbosity", "prompt_cache_key", "safety_identifier", "modalities", "audio", "web_search_options",
})  # fmt: skip
# What would be answered wrongly, were it left out.
_NEEDED = ("logprobs", "audio", "web_search_options")
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def to_messages(data: Mapping[str, Any], *, most_tokens: int) -> dict[str, Any]:
    """What is asked there for a chat. most_tokens: where it does not say. Raises Fault for what cannot be said."""
    number = data.get("n")
    if isinstance(number, int) and number > 1:
        raise unsupported("n")
    for name in _NEEDED:
        if data.get(name):
            raise unsupported(name)
    asked = {name: value for name, value in data.items() if name not in _OWN}
    system, messages = _split(data.get("messages"))
    asked["messages"] = messages
    if system:
        asked["system"] = system
    asked["max_tokens"] = data.get("max_completion_tokens") or data.get("max_tokens") or most_tokens
    temperature = data.get("temperature")
    if isinstance(temperature, int | float):
        # There it ends at 1.
        asked["temperature"] = min(temperature, 1)
    stop = data.get("stop")
    if stop:
        asked["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if data.get("stream") is True:
        asked["stream"] = True
    if data.get("tools"):
        asked["tools"] = [_tool(tool) for tool in _list(data, "tools")]
        asked["tool_choice"] = _tool_choice(data)
    if isinstance(data.get("user"), str):
        asked["metadata"] = {"user_id": data["user"]}
    asked |= _format(data.get("response_format"))
    return asked


def _list(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = data.get(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise bad_request(f"{name}: a list of objects is needed.", param=name)
    return value


def _format(wanted: Any) -> dict[str, Any]:
    kind = wanted.get("type") if isinstance(wanted, dict) else "text"
    if kind == "text":
        return {}
    schema = wanted.get("json_schema")
    if kind != "json_schema" or not isinstance(schema, dict):
        raise unsupported(f"response_format {str(kind)[:32]!r}")
    return {"output_config": {"format": {"type": "json_schema", "schema": schema.get("schema")}}}


def _split(messages: Any) -> tuple[str, list[dict[str, Any]]]:
    """What the system says, and the messages of both sides in turn."""
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    for message in _list({"messages": messages}, "messages"):
        match message.get("role"):
            case "system" | "developer":
                system += [part["text"] for part in _parts(message.get("content")) if part["type"] == "text"]
                continue
            case "assistant":
                role, content = "assistant", _said(message)
            case "tool":
                result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id")}
                role, content = "user", [result | {"content": _parts(message.get("content"))}]
            case "user":
                role, content = "user", _parts(message.get("content"))
            case other:
                raise bad_request(f"There is no role {str(other)[:32]!r}.", param="messages")
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": role, "content": content})
    return "\n\n".join(system), turns


def _parts(content: Any) -> list[dict[str, Any]]:
    """The blocks of a content. Empty texts are refused there, so they are left out."""
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks: list[dict[str, Any]] = []
    for part in _list({"messages": content}, "messages"):
        kind, text, image = part.get("type"), part.get("text"), part.get("image_url")
        if kind == "text" and isinstance(text, str):
            blocks += [{"type": "text", "text": text}] if text else []
        elif kind == "image_url" and isinstance(image, dict) and isinstance(image.get("url"), str):
            blocks.append({"type": "image", "source": _source(image["url"])})
        elif kind == "file" and isinstance(part.get("file"), dict) and isinstance(part["file"].get("file_data"), str):
            blocks.append({"type": "document", "source": _source(part["file"]["file_data"])})
        else:
            raise unsupported(f"a part of type {str(kind)[:32]!r}")
    return blocks


def _source(url: str) -> dict[str, str]:
    head, is_data, data = url.partition(";base64,")
    if head.startswith("data:") and is_data:
        return {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    return {"type": "url", "url": url}


def _said(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    blocks = _parts(message.get("content"))
    for call in _list(message, "tool_calls") if message.get("tool_calls") else ():
        function = call.get("function")
        if not isinstance(function, dict):
            raise bad_request("A call of a tool names its function.", param="messages")
        input = input_of(str(function.get("arguments") or ""))
        blocks.append({"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": input})
    return blocks


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise unsupported(f"a tool of type {str(tool.get('type'))[:32]!r}")
    found = {"name": function.get("name"), "input_schema": function.get("parameters") or {"type": "object"}}
    return found | {name: function[name] for name in ("description", "strict") if function.get(name) is not None}


def _tool_choice(data: Mapping[str, Any]) -> dict[str, Any]:
    choice = data.get("tool_choice")
    found: dict[str, Any] = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if isinstance(choice, dict):
        function = choice.get("function")
        found = {"type": "tool", "name": function.get("name") if isinstance(function, dict) else None}
    if data.get("parallel_tool_calls") is False and found["type"] != "none":
        found["disable_parallel_tool_use"] = True
    return found


def _usage_of(use: TokenUse) -> dict[str, Any]:
    details = {"cached_tokens": use.cached, "cache_write_tokens": use.cache_creation}
    return {
        "prompt_tokens": use.prompt,
        "completion_tokens": use.completion,
        "total_tokens": use.total,
        "prompt_tokens_details": details,
    }


def _finish_reason(reason: Any) -> str:
    return _FINISH_REASONS.get(str(reason), "stop")


def _call(block: Mapping[str, Any], arguments: str, **more: Any) -> dict[str, Any]:
    function = {"name": str(block.get("name")), "arguments": arguments}
    return {"id": str(block.get("id")), "type": "function", "function": function} | more


def to_completion(message: Mapping[str, Any]) -> dict[str, Any]:
    """A chat's whole answer for a message. Raises Fault when it is none."""
    content = message.get("content")
    if not isinstance(content, list):
        raise faults.upstream_failed()
    said: dict[str, Any] = {"role": "assistant", "content": None}
    calls = []
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text":
            said["content"] = (said["content"] or "") + str(block.get("text"))
        elif kind == "thinking":
            said["reasoning_content"] = said.get("reasoning_content", "") + str(block.get("thinking"))
        elif kind == "tool_use":
            calls.append(_call(block, write_json(block.get("input") or {})))
    if calls:
        said["tool_calls"] = calls
    choice = {"index": 0, "message": said, "finish_reason": _finish_reason(message.get("stop_reason"))}
    found = {
        "id": str(message.get("id")),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": str(message.get("model")),
        "choices": [choice],
    }
    use = read_message_usage(message.get("usage"))
    return found | ({"usage": _usage_of(use)} if use is not None else {})


class _Chunks:
    """A stream of messages, told in chunks of a chat."""

    def __init__(self) -> None:
        self._usage = MessageUsage()
        self._id, self._model, self._created = "", "", int(time.time())
        self._calls = -1

    def tell(self, data: Mapping[str, Any]) -> Iterator[bytes]:
        """The chunks for one event. Raises Fault for that of an error."""
        self._usage.hear(data)
        block, delta = data.get("content_block"), data.get("delta")
        match data.get("type"):
            case "error":
                raise fault_of_event(data)
            case "message_start" if isinstance(message := data.get("message"), dict):
                self._id, self._model = str(message.get("id")), str(message.get("model"))
                yield self._chunk({"role": "assistant", "content": ""})
            case "content_block_start" if isinstance(block, dict) and block.get("type") == "tool_use":
                self._calls += 1
                yield self._chunk({"tool_calls": [_call(block, "", index=self._calls)]})
            case "content_block_delta" if isinstance(delta, dict):
                if said := self._said(delta):
                    yield self._chunk(said)
            case "message_delta" if isinstance(delta, dict):
                yield self._chunk({}, _finish_reason(delta.get("stop_reason")))
            case "message_stop":
                last = self._frame() | {"choices": [], "usage": _usage_of(self._usage.use(0))}
                yield b"data: " + msgspec.json.encode(last) + b"\n\n"
                yield b"data: " + DONE + b"\n\n"

    def _said(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        match delta.get("type"):
            case "text_delta" if isinstance(delta.get("text"), str):
                return {"content": delta["text"]}
            case "thinking_delta" if isinstance(delta.get("thinking"), str):
                return {"reasoning_content": delta["thinking"]}
            case "input_json_delta" if isinstance(delta.get("partial_json"), str):
                function = {"arguments": delta["partial_json"]}
                return {"tool_calls": [{"index": max(self._calls, 0), "function": function}]}
        return {}

    def _frame(self) -> dict[str, Any]:
        frame = {"id": self._id, "object": "chat.completion.chunk", "created": self._created}
        return frame | {"model": self._model}

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return b"data: " + msgspec.json.encode(self._frame() | {"choices": [choice]}) + b"\n\n"


class ChatExchange(Exchange):
    """The answer of an upstream that speaks Anthropic's protocol, read as that of a chat."""

    def __init__(self, inner: Exchange) -> None:
        # Not an exchange of its own: all that has to do with the connection is the other's.
        self._inner = inner
        self.status, self.headers = inner.status, inner.headers

    def pieces(self) -> Iterator[bytes]:
        """The stream's chunks. Raises NoAnswer, BrokenStream, Fault."""
        chunks = _Chunks()
        for event in split_events(self._inner.pieces()):
            data = data_of(event)
            found = {"type": "ping"} if data is None else read_json(data)
            if not isinstance(found, dict):
                raise faults.upstream_failed()
            yield from chunks.tell(found)

    def read(self, limit_bytes: int, *, timeout_s: float | None = None) -> tuple[bytes, bool]:
        """The whole answer. Raises NoAnswer, Fault."""
        body, is_whole = self._inner.read(limit_bytes, timeout_s=timeout_s)
        found = read_json(body) if is_whole else None
        if not isinstance(found, dict):
            raise faults.upstream_failed()
        return msgspec.json.encode(to_completion(found)), True

    def close(self) -> None:
        """As that of the connection."""
        self._inner.close()


def speak_chat(data: Mapping[str, Any], most: Use) -> Spoken:
    """What such an upstream is asked for a chat. most: what is held for the call. Raises Fault."""
    most_tokens = most.measure.tokens.completion
    payload = JsonPayload(to_messages(data, most_tokens=most_tokens))
    return Spoken(ROUTE, payload, {"anthropic-version": VERSION}, ChatExchange)
