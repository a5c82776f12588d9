"""A request in Anthropic's words, said in OpenAI's. Source: gateway contract, section 1.11."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from plugins.inference.gateway.faults import bad_request, unsupported
from plugins.inference.gateway.usage import count_characters, estimate_items, estimate_tokens
from plugins.inference.settings import InferenceSettings

ROLES = ("user", "assistant", "system")
# What has no meaning in the other protocol (the cache, whose processor it is), or is said there in other words.
_OWN = frozenset({
    "model", "messages", "system", "max_tokens", "stop_sequences", "stream", "tools", "tool_choice", "thinking",
    "metadata", "output_config", "output_format", "cache_control", "context_management", "service_tier",
    "inference_geo", "speed", "diagnostics", "user_profile_id", "workspace_id", "container", "mcp_servers",
})  # fmt: skip
_NEEDED = ("container", "mcp_servers")
# A budget for thinking, in tokens, up to which an effort is said to be that.
_EFFORTS = ((4096, "low"), (16_384, "medium"))
_HIGH = "high"
_SOURCES = ("image", "document")


def check_request(data: Mapping[str, Any]) -> None:
    """Whether a request has what each must have. Raises Fault."""
    most = data.get("max_tokens")
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise bad_request("max_tokens: a number of tokens from 1 is needed.", param="max_tokens")
    check_messages(data)


def check_messages(data: Mapping[str, Any]) -> None:
    """Whether there are messages that somebody said. Raises Fault."""
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages: at least one message is needed.", param="messages")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise bad_request(f"messages.{number}: a role is one of {', '.join(ROLES)}.", param="messages")


def count_prompt(data: Mapping[str, Any], settings: InferenceSettings) -> int:
    """Tokens of a request's prompt, about; files that are no text have none."""
    characters = count_characters(data.get("system")) + count_characters(data.get("tools"))
    for message in data["messages"]:
        characters += _count_content(message.get("content"))
    return estimate_tokens(characters) + estimate_items(data["messages"], settings)


def _count_content(content: Any) -> int:
    if not isinstance(content, list):
        return count_characters(content)
    count = 0
    for block in content:
        if not isinstance(block, dict):
            continue
        source = block.get("source") if block.get("type") in _SOURCES else None
        if isinstance(source, dict):
            count += count_characters(source.get("data")) if source.get("type") == "text" else 0
        elif block.get("type") == "tool_result":
            count += _count_content(block.get("content"))
        else:
            count += count_characters(block)
    return count


def to_chat(data: Mapping[str, Any]) -> dict[str, Any]:
    """What upstreams of OpenAI's protocol are asked for a request that was checked; fields that neither knows stay.

    Raises Fault for what cannot be said there.
    """
    for name in _NEEDED:
        if data.get(name):
            raise unsupported(name)
    chat = {name: value for name, value in data.items() if name not in _OWN}
    chat["messages"] = list(_messages(data))
    chat["max_tokens"] = data["max_tokens"]
    if data.get("stop_sequences") is not None:
        chat["stop"] = list(stops_of(data))
    if data.get("stream") is True:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    if tools := [_tool(tool, number) for number, tool in enumerate(_list(data, "tools"))]:
        chat["tools"] = tools
        chat |= _tool_choice(data.get("tool_choice"))
    chat |= _thinking(data)
    metadata = data.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("user_id"), str):
        chat["user"] = metadata["user_id"]
    return chat


def stops_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The words that are to end the answer. Raises Fault."""
    stops = _list(data, "stop_sequences")
    if not all(isinstance(stop, str) for stop in stops):
        raise bad_request("stop_sequences: a list of texts is needed.", param="stop_sequences")
    return tuple(stops)


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f"{name}: a list is needed.", param=name)
    return value


def _blocks(content: Any, place: str) -> Iterator[Mapping[str, Any]]:
    """The blocks of a content, which may be a text alone."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
        return
    if not isinstance(content, list):
        raise bad_request(f"{place}: a content is a text or a list of blocks.", param="messages")
    for number, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise bad_request(f"{place}.{number}: a block has a type.", param="messages")
        yield block


def _text(block: Mapping[str, Any], name: str, place: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise bad_request(f"{place}: a block of type {block['type'][:32]!r} needs {name!r}.", param="messages")
    return value


def _messages(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if data.get("system"):
        yield {"role": "system", "content": _plain(data["system"], "system")}
    for number, message in enumerate(data["messages"]):
        place = f"messages.{number}.content"
        if message["role"] == "assistant":
            yield _assistant(message.get("content"), place)
        elif message["role"] == "system":
            yield {"role": "system", "content": _plain(message.get("content"), place)}
        else:
            yield from _user(message.get("content"), place)


def _plain(content: Any, place: str) -> str:
    texts = []
    for block in _blocks(content, place):
        if block["type"] != "text":
            raise unsupported(f"{place}: {block['type'][:32]}")
        texts.append(_text(block, "text", place))
    return "\n\n".join(texts)


def _user(content: Any, place: str) -> Iterator[dict[str, Any]]:
    """A user's message; before it, as the other protocol wants it, what tools have answered."""
    parts: list[dict[str, Any]] = []
    for block in _blocks(content, place):
        if block["type"] == "tool_result":
            result, seen = _tool_result(block, place)
            yield result
            parts += seen
        else:
            parts.append(_part(block, place))
    if len(parts) == 1 and parts[0]["type"] == "text":
        yield {"role": "user", "content": parts[0]["text"]}
    elif parts or not content:
        yield {"role": "user", "content": parts or ""}


def _part(block: Mapping[str, Any], place: str) -> dict[str, Any]:
    kind, source = block["type"], block.get("source")
    if kind == "text":
        return {"type": "text", "text": _text(block, "text", place)}
    if kind not in _SOURCES or not isinstance(source, dict):
        raise unsupported(f"{place}: {kind[:32]}")
    data, media, url = source.get("data"), source.get("media_type"), source.get("url")
    match source.get("type"):
        case "text" if isinstance(data, str):
            return {"type": "text", "text": data}
        case "base64" if isinstance(data, str) and isinstance(media, str):
            url = f"data:{media};base64,{data}"
        case "url" if isinstance(url, str) and kind == "image":
            pass
        case other:
            raise unsupported(f"{place}: a source of type {str(other)[:32]!r}")
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    title = block.get("title")
    return {"type": "file", "file": {"filename": title if isinstance(title, str) else "document", "file_data": url}}


def _tool_result(block: Mapping[str, Any], place: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a tool has answered; what of it is no text is seen by the model in the user's message."""
    parts = [] if block.get("content") is None else [_part(one, place) for one in _blocks(block["content"], place)]
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    if block.get("is_error") is True:
        text = f"Error: {text}"
    result = {"role": "tool", "tool_call_id": _text(block, "tool_use_id", place), "content": text}
    return result, [part for part in parts if part["type"] != "text"]


def _assistant(content: Any, place: str) -> dict[str, Any]:
    texts, thoughts, calls = [], [], []
    for block in _blocks(content, place):
        match block["type"]:
            case "text":
                texts.append(_text(block, "text", place))
            case "thinking":
                thoughts.append(_text(block, "thinking", place))
            case "redacted_thinking":
                continue
            case "tool_use":
                name, id = _text(block, "name", place), _text(block, "id", place)
                arguments = msgspec.json.encode(block.get("input") or {}).decode()
                calls.append({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            case other:
                raise unsupported(f"{place}: {other[:32]}")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return message


def _tool(tool: Any, number: int) -> dict[str, Any]:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise bad_request(f"tools.{number}: a tool has a name.", param="tools")
    kind = tool.get("type") or "custom"
    if kind != "custom":
        raise unsupported(f"tools.{number}: {str(kind)[:64]}")
    function = {"name": tool["name"], "parameters": tool.get("input_schema") or {"type": "object"}}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _tool_choice(choice: Any) -> dict[str, Any]:
    if choice is None:
        return {}
    kind = choice.get("type") if isinstance(choice, dict) else None
    chat: dict[str, Any] = {}
    if kind in ("auto", "none"):
        chat["tool_choice"] = kind
    elif kind == "any":
        chat["tool_choice"] = "required"
    elif kind == "tool" and isinstance(choice.get("name"), str):
        chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    else:
        raise bad_request("tool_choice: auto, any, none, or a tool with its name.", param="tool_choice")
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = False
    return chat


def _thinking(data: Mapping[str, Any]) -> dict[str, Any]:
    """How much is to be thought, and in what shape to be answered."""
    chat: dict[str, Any] = {}
    thinking, config = data.get("thinking"), data.get("output_config")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int):
            raise bad_request("thinking: a budget_tokens is needed.", param="thinking")
        chat["reasoning_effort"] = next((effort for most, effort in _EFFORTS if budget <= most), _HIGH)
    config = config if isinstance(config, dict) else {}
    if isinstance(config.get("effort"), str):
        chat["reasoning_effort"] = config["effort"] if config["effort"] in ("low", "medium") else _HIGH
    wanted = config.get("format") or data.get("output_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        schema = {"name": "answer", "schema": wanted.get("schema"), "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    return chat
