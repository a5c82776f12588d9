"""The prompts that a repository holds: each is a file of the root, ``*.jsonl``, that is one JSON object.

Source of the form and of the limits: CSGHub contract, sections 4.1 and 5.3. Beyond it a prompt may say which variables
it has, be written as messages, and bring examples, a model and categories.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.base.offload import offload
from hub.base.texts import is_storable
from hub.repos.entries import read_small_files
from hub.repos.models import Repository

SUFFIX = ".jsonl"
MAX_PROMPTS = 100
MAX_PROMPT_BYTES = 1024 * 1024
# Of all together, so that one page does not take more memory than a file that is shown.
MAX_PROMPTS_BYTES = 10 * 1024 * 1024
TYPES = ("text", "image", "video", "audio")
VARIABLE_TYPES = ("text", "number", "enum", "file")
ROLES = ("system", "user", "assistant")
# Of each of the lists that a prompt has.
MAX_ITEMS = 200
MAX_NAME_CHARS = 64


@dataclass(frozen=True)
class Variable:
    """A place ``{{name}}`` in the texts of a prompt. default: a text, whatever the type. options: of an enum."""

    name: str
    type: str = "text"
    default: str = ""
    required: bool = False
    description: str = ""
    options: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Message:
    """One block of a prompt that is a conversation. role: one of ``ROLES``."""

    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """What was given, and what a good answer was."""

    input: str
    output: str


@dataclass(frozen=True)
class Prompt:
    """One prompt; ``time`` is what its author wrote, in any form. model: ``namespace/name``, or empty."""

    title: str
    content: str
    language: str = ""
    tags: Sequence[str] = field(default_factory=list)
    type: str = "text"
    source: str = ""
    author: str = ""
    time: str = ""
    copyright: str = ""
    feedback: Sequence[str] = field(default_factory=list)
    variables: Sequence[Variable] = field(default_factory=list)
    messages: Sequence[Message] = field(default_factory=list)
    examples: Sequence[Example] = field(default_factory=list)
    model: str = ""
    categories: Sequence[str] = field(default_factory=list)


_LISTS = ("tags", "feedback")
MEMBERS = tuple(each.name for each in fields(Prompt))


def read_prompts(
    context: Context,
    repository: Repository,
    *,
    actor: Actor,
    revision: str = "",
    max_prompts: int = MAX_PROMPTS,
    max_bytes: int = MAX_PROMPTS_BYTES,
) -> list[tuple[str, Prompt]]:
    """(path, prompt) of each prompt of a revision ("": the default branch), in the order of its files.

    At most ``max_prompts`` files are looked at, and ``max_bytes`` of them read; those in LFS, those larger than
    ``MAX_PROMPT_BYTES`` and those that are no prompt are left out. No such revision, no prompts.
    Raises NotSignedIn or Denied (``gated_repository``).
    """
    files = read_small_files(
        context,
        repository,
        actor=actor,
        suffix=SUFFIX,
        revision=revision,
        max_files=max_prompts,
        max_file_bytes=MAX_PROMPT_BYTES,
        max_bytes=max_bytes,
    )
    return offload(_parse_all, files)


def _parse_all(files: Mapping[str, bytes]) -> list[tuple[str, Prompt]]:
    found = ((path, parse_prompt(data)) for path, data in files.items())
    return [(path, prompt) for path, prompt in found if prompt is not None]


def parse_prompt(data: bytes) -> Prompt | None:
    """The prompt that a file's content is; None when it is none.

    Members that are not a prompt's are left out, and so are those beyond the contract that do not fit.
    """
    given = load_object(data)
    return None if given is None else prompt_of(given)


def load_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object that a content is; None when it is none."""
    try:
        given = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def write_object(members: Mapping[str, Any]) -> bytes:
    """An object as a line of a file. Raises Invalid (``REQ-ERR-6``) for one that is nested too deep."""
    try:
        text = json.dumps(members, ensure_ascii=False)
        # What a file holds besides a prompt's members may be no text that can be stored as it is.
        return (text if is_storable(text) else json.dumps(members)).encode() + b"\n"
    except RecursionError:
        raise Invalid("The prompt is nested too deep.", code="REQ-ERR-6") from None


def prompt_of(given: Mapping[str, Any]) -> Prompt | None:
    """As ``parse_prompt``, of an object."""
    # As null, a member is not said.
    members = {name: given[name] for name in MEMBERS if given.get(name) is not None}
    read: dict[str, Any] = {}
    for name, value in members.items():
        if name in _FURTHER:
            further = _FURTHER[name](value)
            if further is not None:
                read[name] = further
        elif _fits(name, value):
            read[name] = value
        else:
            return None
    if not read.get("title") or not read.get("content"):
        return None
    return Prompt(**{**read, "type": read.get("type") or "text"})


def misfits(given: Mapping[str, Any]) -> list[str]:
    """What stands against storing an object as a prompt, a sentence each; empty: nothing does."""
    found = [f"'{name}' must be a text that is not empty." for name in ("title", "content") if not _said(given, name)]
    for name in MEMBERS:
        value = given.get(name)
        if value is None or (name in ("title", "content") and not value):
            continue
        if name in _FURTHER:
            if _FURTHER[name](value) is None:
                found.append(_FURTHER_WORDS[name])
        elif not _fits(name, value):
            found.append(f"'{name}' must be {_expected(name)}.")
    return found


def _said(given: Mapping[str, Any], name: str) -> bool:
    return isinstance(given.get(name), str) and bool(given[name].strip())


def _expected(name: str) -> str:
    if name == "type":
        return f"one of {', '.join(TYPES)}"
    return "a list of texts" if name in _LISTS else "a text"


def _fits(name: str, value: Any) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and all(_is_text(item) for item in value)
    return _is_text(value) and (name != "type" or value in ("", *TYPES))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_storable(value)


# The members beyond the contract: each reader gives what is stored, or None for what does not fit.


def _read_list(value: Any, read: Callable[[Any], Any]) -> list[Any] | None:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        return None
    found = [read(item) for item in value]
    return None if any(item is None for item in found) else found


def _read_variables(value: Any) -> list[Variable] | None:
    found = _read_list(value, _read_variable)
    # A name stands for one thing.
    return None if found is None or len({item.name for item in found}) < len(found) else found


def _read_variable(value: Any) -> Variable | None:
    if not isinstance(value, dict) or not _is_text(value.get("name")) or not value["name"].strip():
        return None
    kind, default = value.get("type") or "text", value.get("default")
    if isinstance(default, bool) or not isinstance(default, str | int | float | None):
        return None
    if isinstance(default, float) and not math.isfinite(default):
        return None
    options = value.get("options") or []
    texts = {name: value.get(name) or "" for name in ("description",)}
    is_good = (
        len(value["name"]) <= MAX_NAME_CHARS
        and kind in VARIABLE_TYPES
        and isinstance(value.get("required", False), bool | None)
        and all(_is_text(text) for text in texts.values())
        and isinstance(options, list)
        and len(options) <= MAX_ITEMS
        and all(_is_text(option) for option in options)
        and (kind != "enum" or bool(options))
        and (default is None or _is_text(str(default)))
    )
    if not is_good:
        return None
    said = "" if default is None else str(default)
    return Variable(value["name"].strip(), kind, said, bool(value.get("required")), texts["description"], options)


def _read_message(value: Any) -> Message | None:
    if not isinstance(value, dict) or value.get("role") not in ROLES or not _is_text(value.get("content")):
        return None
    return Message(value["role"], value["content"])


def _read_example(value: Any) -> Example | None:
    if not isinstance(value, dict) or not all(_is_text(value.get(name)) for name in ("input", "output")):
        return None
    return Example(value["input"], value["output"])


def _read_words(value: Any) -> list[str] | None:
    return _read_list(value, lambda item: item if _is_text(item) else None)


_FURTHER: Mapping[str, Callable[[Any], Any]] = {
    "variables": _read_variables,
    "messages": lambda value: _read_list(value, _read_message),
    "examples": lambda value: _read_list(value, _read_example),
    "model": lambda value: value if _is_text(value) and len(value) <= 255 else None,
    "categories": _read_words,
}
_FURTHER_WORDS = {
    "variables": (
        f"'variables' must be a list of at most {MAX_ITEMS} objects with a 'name' of its own each, a 'type' of "
        f"{', '.join(VARIABLE_TYPES)} (an enum with 'options'), 'default', 'required', 'description'."
    ),
    "messages": f"'messages' must be a list of objects with a 'role' of {', '.join(ROLES)} and a text 'content'.",
    "examples": "'examples' must be a list of objects with the texts 'input' and 'output'.",
    "model": "'model' must be a text of at most 255 characters.",
    "categories": "'categories' must be a list of texts.",
}
