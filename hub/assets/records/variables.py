"""The places ``{{name}}`` in a prompt's texts: which there are, and the texts with values in their places."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.assets.service.prompts import Message, Prompt, Variable
from hub.base.errors import Invalid, TooLarge
from hub.base.texts import is_storable

# What a preview may take, all texts together.
MAX_PREVIEW_CHARS = 4 * 1024 * 1024
MAX_VALUES = 500
# Names in any script; at most a few spaces around them.
_PLACE = re.compile(r"\{\{[ \t]{0,8}([^\W\d][\w.-]{0,63})[ \t]{0,8}\}\}")

Value = str | int | float | bool


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the value of one variable."""

    name: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """A prompt with values in its places.

    undefined: names in the texts that the table of variables does not have; unused: those of the table that no text
    names; troubles: values that are missing or do not fit. What has no value stays as it is written.
    """

    content: str
    messages: Sequence[Message]
    undefined: Sequence[str]
    unused: Sequence[str]
    troubles: Sequence[Trouble]


def names_in(*texts: str) -> list[str]:
    """The names of the places in these texts, each once, in their order."""
    return list(dict.fromkeys(match[1] for text in texts for match in _PLACE.finditer(text)))


def split_places(text: str) -> Iterator[tuple[str, str]]:
    """The pieces of a text in their order, each with the name of the place that it is; "" for what is none."""
    start = 0
    for match in _PLACE.finditer(text):
        if match.start() > start:
            yield text[start : match.start()], ""
        yield match[0], match[1]
        start = match.end()
    if start < len(text):
        yield text[start:], ""


def names_of(prompt: Prompt) -> list[str]:
    """The names of the places in a prompt's content and messages, each once."""
    return names_in(prompt.content, *(message.content for message in prompt.messages))


def check_usage(prompt: Prompt) -> tuple[list[str], list[str]]:
    """Names that a prompt's texts use but its table of variables lacks, and those of the table that nothing uses.

    A prompt without a table has the variables that its texts name: nothing is undefined.
    """
    used, known = names_of(prompt), [variable.name for variable in prompt.variables]
    undefined = [name for name in used if name not in set(known)] if known else []
    return undefined, [name for name in known if name not in set(used)]


def preview_prompt(prompt: Prompt, values: Mapping[str, Any]) -> Preview:
    """The prompt as a model would get it with these values; where one is not given, the variable's default.

    Values are put in as they are: what they hold is not looked through for further places.
    Raises Invalid (``REQ-ERR-6``) for what is no value, TooLarge for more than ``MAX_PREVIEW_CHARS`` in all.
    """
    if len(values) > MAX_VALUES:
        raise Invalid(f"'values' holds more than {MAX_VALUES} values.", code="REQ-ERR-6", member="values")
    given = {name: _text_of(name, value) for name, value in values.items() if value is not None}
    table = {variable.name: variable for variable in prompt.variables}
    filled = {name: variable.default for name, variable in table.items() if variable.default} | {
        name: value for name, value in given.items() if value
    }
    undefined, unused = check_usage(prompt)
    texts = [prompt.content, *(message.content for message in prompt.messages)]
    if sum(map(len, texts)) + sum(_growth(text, filled) for text in texts) > MAX_PREVIEW_CHARS:
        raise TooLarge(f"The prompt with its values is longer than {MAX_PREVIEW_CHARS} characters.")
    return Preview(
        content=_fill(prompt.content, filled),
        messages=[Message(message.role, _fill(message.content, filled)) for message in prompt.messages],
        undefined=undefined,
        unused=unused,
        troubles=[*_troubles(table, filled), *_unfilled(prompt, table, filled)],
    )


def _text_of(name: str, value: Value) -> str:
    if not isinstance(value, str | int | float):
        raise Invalid(f"The value of {name[:64]!r} is no text and no number.", code="REQ-ERR-6", member="values")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not is_storable(text):
        raise Invalid(f"The value of {name[:64]!r} holds a character that cannot be shown.", code="REQ-ERR-6")
    return text


def _growth(text: str, filled: Mapping[str, str]) -> int:
    return sum(len(filled.get(match[1], "")) for match in _PLACE.finditer(text))


def _fill(text: str, filled: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: filled.get(match[1], match[0]), text)


def _troubles(table: Mapping[str, Variable], filled: Mapping[str, str]) -> Iterator[Trouble]:
    for name, variable in table.items():
        value = filled.get(name)
        if value is None:
            if variable.required:
                yield Trouble(name, "A value is required.")
        elif variable.type == "enum" and value not in variable.options:
            yield Trouble(name, f"The value must be one of {', '.join(variable.options)[:500]}.")
        elif variable.type == "number" and not _is_number(value):
            yield Trouble(name, "The value must be a number.")


def _unfilled(prompt: Prompt, table: Mapping[str, Variable], filled: Mapping[str, str]) -> Iterator[Trouble]:
    for name in names_of(prompt):
        if name not in filled and not (name in table and table[name].required):
            yield Trouble(name, "It has no value.")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
