"""A request for a response, said as one for a chat. Source: gateway contract, section 1.8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plugins.inference.gateway.faults import Fault, bad_request, unsupported

# What has no meaning in a chat, or is said there in other words.
_OWN = frozenset({
    "model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "max_output_tokens", "metadata",
    "stream", "stream_options", "store", "include", "truncation", "previous_response_id", "background", "conversation",
    "prompt", "max_tool_calls", "top_logprobs",
})  # fmt: skip
# What would be answered wrongly, were it left out.
_NEEDED = ("background", "conversation", "prompt", "top_logprobs")
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


def to_chat(data: Mapping[str, Any]) -> dict[str, Any]:
    """What upstreams that know no responses are asked; fields that neither knows stay. Raises Fault."""
    for name in _NEEDED:
        if data.get(name):
            raise unsupported(name)
    chat = {name: value for name, value in data.items() if name not in _OWN}
    chat["messages"] = _messages(data)
    if data.get("max_output_tokens") is not None:
        chat["max_tokens"] = _number(data, "max_output_tokens")
    if data.get("stream") is True:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    if tools := [_tool(tool, number) for number, tool in enumerate(_list(data, "tools"))]:
        chat["tools"] = tools
        chat |= _tool_choice(data.get("tool_choice"))
    else:
        chat.pop("parallel_tool_calls", None)
    text, reasoning = data.get("text"), data.get("reasoning")
    if isinstance(text, dict):
        chat |= _format(text.get("format"))
        chat |= {"verbosity": text["verbosity"]} if text.get("verbosity") is not None else {}
    if isinstance(reasoning, dict) and reasoning.get("effort") is not None:
        chat["reasoning_effort"] = reasoning["effort"]
    return chat


def _number(data: Mapping[str, Any], name: str) -> int:
    value = data[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise bad_request(f"{name} is a number from 1.", param=name)
    return value


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f"{name} is a list.", param=name)
    return value


def _bad_input(place: str, what: str) -> Fault:
    return bad_request(f"{place}: {what}", param="input")


def _messages(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked = data.get("input")
    messages: list[dict[str, Any]] = []
    if isinstance(data.get("instructions"), str) and data["instructions"]:
        messages.append({"role": "system", "content": data["instructions"]})
    if isinstance(asked, str):
        messages.append({"role": "user", "content": asked})
        return messages
    if not isinstance(asked, list) or not asked:
        raise bad_request("input is a text or a list of items.", param="input")
    thought: list[str] = []
    for number, item in enumerate(asked):
        place = f"input[{number}]"
        if not isinstance(item, dict):
            raise _bad_input(place, "an item is an object.")
        kind = item.get("type") or "message"
        if kind == "reasoning":
            thought += _thoughts(item)
            continue
        if kind == "message":
            messages.append(_message(item, place))
        elif kind == "function_call":
            _add_call(messages, item, place)
        elif kind == "function_call_output":
            content = _plain(item.get("output"), place)
            messages.append({"role": "tool", "tool_call_id": _text(item, "call_id", place), "content": content})
        else:
            raise unsupported(f"{place}: {str(kind)[:64]}")
        if thought and messages[-1]["role"] == "assistant":
            messages[-1]["reasoning_content"] = "".join(thought)
        thought = []
    return messages


def _thoughts(item: Mapping[str, Any]) -> Iterator[str]:
    """What was thought; what is encrypted only its own provider reads."""
    for part in item.get("content") or item.get("summary") or ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def _text(item: Mapping[str, Any], name: str, place: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise _bad_input(place, f"it needs {name!r}.")
    return value


def _add_call(messages: list[dict[str, Any]], item: Mapping[str, Any], place: str) -> None:
    """Calls are said with the message that they come after, as one message of the other protocol says them."""
    function = {"name": _text(item, "name", place), "arguments": _text(item, "arguments", place)}
    call = {"id": _text(item, "call_id", place), "type": "function", "function": function}
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _message(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    role = _ROLES.get(str(item.get("role")))
    if role is None:
        raise _bad_input(place, f"a role is one of {', '.join(_ROLES)}.")
    if role != "user":
        return {"role": role, "content": _plain(item.get("content"), place)}
    parts = [_part(part, place) for part in _parts(item.get("content"), place)]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return {"role": role, "content": parts[0]["text"]}
    return {"role": role, "content": parts}


def _parts(content: Any, place: str) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, str):
        yield {"type": "input_text", "text": content}
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise _bad_input(place, "a content is a text or a list of parts.")
    yield from content


def _plain(content: Any, place: str) -> str:
    texts = []
    for part in _parts(content, place):
        said = _part(part, place)
        if said["type"] != "text":
            raise unsupported(f"{place}: {str(part.get('type'))[:64]}")
        texts.append(said["text"])
    return "".join(texts)


def _part(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": _text(part, "text", place)}
        case "refusal":
            return {"type": "text", "text": _text(part, "refusal", place)}
        case "input_image" if isinstance(part.get("image_url"), str):
            image = {"url": part["image_url"]}
            if isinstance(part.get("detail"), str):
                image["detail"] = part["detail"]
            return {"type": "image_url", "image_url": image}
        case "input_file" if isinstance(part.get("file_data"), str):
            name = part.get("filename")
            file = {"filename": name if isinstance(name, str) else "file", "file_data": part["file_data"]}
            return {"type": "file", "file": file}
        case other:
            raise unsupported(f"{place}: {str(other)[:64]}")


def _tool(tool: Any, number: int) -> dict[str, Any]:
    if not isinstance(tool, dict):
        raise bad_request(f"tools[{number}] is an object.", param="tools")
    if tool.get("type") != "function":
        raise unsupported(f"tools[{number}]: {str(tool.get('type'))[:64]}")
    if not isinstance(tool.get("name"), str):
        raise bad_request(f"tools[{number}] has a name.", param="tools")
    names = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}


def _tool_choice(choice: Any) -> dict[str, Any]:
    if choice is None:
        return {}
    if choice in ("auto", "none", "required"):
        return {"tool_choice": choice}
    if isinstance(choice, dict) and choice.get("type") == "function" and isinstance(choice.get("name"), str):
        return {"tool_choice": {"type": "function", "function": {"name": choice["name"]}}}
    kind = choice.get("type") if isinstance(choice, dict) else choice
    raise unsupported(f"tool_choice: {str(kind)[:64]}")


def _format(wanted: Any) -> dict[str, Any]:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in (None, "text"):
        return {}
    if kind == "json_object":
        return {"response_format": {"type": "json_object"}}
    if kind != "json_schema":
        raise unsupported(f"text.format: {str(kind)[:64]}")
    schema = {name: value for name, value in wanted.items() if name != "type"}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
