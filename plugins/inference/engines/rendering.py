"""Arguments of engines: what people set, checked and rendered as a list. Source: compute contract, section 1.9.

No shell ever reads them; what a shell would act on is refused all the same, as images of others may hand them to one.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence

from hub.plugin.errors import Invalid
from plugins.inference.engines.engine import ArgType, Declaration, EngineArg, Target

# The free text that comes last.
CUSTOM = "custom-options"
MAX_ARGS = 64
MAX_VALUE_CHARS = 1024
MAX_TEXT_CHARS = 16_384
OFF = frozenset({"false", "0", "", "disable", "off"})
ON = frozenset({"true", "1", "enable", "on"})

_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,9})?\Z")
_META = re.compile(r"[;&|<>$`\\\x00-\x1f\x7f]")
# What drivers put something in the place of.
_PLACEHOLDER = re.compile(r"\{(port|work|mount:[^{}]*)\}")
# Of every engine: where it listens, what it serves under which name, who is let in, and whose code runs.
_OWNED = (
    *("--host", "--hostname", "--port", "--model", "--model-path", "--model-id", "--served-model-name"),
    *("--api-key", "--api-key-file", "--trust-remote-code", "--no-trust-remote-code", "--config"),
)


def _refuse(name: str, problem: str) -> Invalid:
    return Invalid(f"The engine's argument {name[:64]!r}: {problem}.", code="engine_arg_invalid", argument=name[:64])


def parse_engine_args(text: str) -> dict[str, str]:
    """The arguments of a JSON object, as clients send them and as they are kept; empty: none.

    Raises Invalid (``engine_arg_invalid``).
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text) if len(text) <= MAX_TEXT_CHARS else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or len(found) > MAX_ARGS:
        raise Invalid(f"The engine's arguments must be a JSON object of at most {MAX_ARGS}.", code="engine_arg_invalid")
    values: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, bool):
            values[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            values[name] = str(value)
        else:
            raise _refuse(name, "it is no text")
    return values


def render_args(declared: Declaration, values: Mapping[str, str], *, target: Target) -> list[str]:
    """The arguments in the catalogue's order, the free text last. What is as the engine has it anyway is left out.

    Raises Invalid (``engine_arg_invalid``).
    """
    known = {argument.name: argument for argument in declared.args}
    if unknown := [name for name in values if name not in known]:
        raise _refuse(unknown[0], f"{declared.title} has none of that name")
    rendered: list[str] = []
    ordered = sorted(declared.args, key=lambda argument: argument.name == CUSTOM)
    for argument in ordered:
        if argument.name not in values:
            continue
        tokens = _render(declared, argument, values[argument.name].strip())
        if tokens and target is Target.LOCAL and not argument.is_local:
            raise _refuse(argument.name, "it is not to be had on this machine, only in containers")
        rendered += tokens
    return rendered


def _render(declared: Declaration, argument: EngineArg, value: str) -> list[str]:
    if value == argument.value and argument.value:
        return []
    if argument.name == CUSTOM:
        return _split(declared, value)
    if argument.type is ArgType.SWITCH:
        if value not in ON | OFF:
            raise _refuse(argument.name, "it is switched on or off: true or false")
        return argument.format.split() if value in ON else []
    if not value:
        # A form that was cleared; the engine decides.
        return []
    _check(argument, value)
    # One argument each, whatever is in the value.
    return [word.replace("%s", value) for word in argument.format.split()]


def _check(argument: EngineArg, value: str) -> None:
    if argument.type is ArgType.NUMBER:
        if not _NUMBER.match(value):
            raise _refuse(argument.name, "it is no number")
        return
    if argument.type is ArgType.CHOICE and value not in argument.choices:
        raise _refuse(argument.name, f"it is none of {', '.join(argument.choices)}")
    _check_text(argument.name, value)
    if value.startswith("-") or " " in value:
        raise _refuse(argument.name, "it begins with a dash, or has blanks in it")


def _check_text(name: str, value: str) -> None:
    if len(value) > MAX_VALUE_CHARS or not value.isprintable():
        raise _refuse(name, f"it is longer than {MAX_VALUE_CHARS} letters, or holds some that cannot be printed")
    if match := _META.search(value):
        raise _refuse(name, f"{match[0]!r} is not taken")
    if _PLACEHOLDER.search(value):
        raise _refuse(name, "it holds a placeholder")


def _split(declared: Declaration, text: str) -> list[str]:
    _check_text(CUSTOM, text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _refuse(CUSTOM, str(error)) from None
    if words and not words[0].startswith("-"):
        raise _refuse(CUSTOM, f"{words[0][:64]!r} is no option")
    for word in words:
        if (owned := _find_owned(word, (*_OWNED, *declared.owned_flags))) is not None:
            raise _refuse(CUSTOM, f"{owned} is the platform's to say")
    return words


def _find_owned(word: str, owned: Sequence[str]) -> str | None:
    """The option of the platform's own that a word is or that a parser takes it for. ``-p*``: whatever follows."""
    if not word.startswith("-") or _NUMBER.match(word):
        return None
    flag = word.partition("=")[0]
    if not flag.startswith("--"):
        return next(
            (one for one in owned if one == flag or (one.endswith("*") and flag.startswith(one.removesuffix("*")))),
            None,
        )
    flag = flag.replace("_", "-").partition(".")[0]
    # Parsers take the beginning of an option for the whole of it.
    return next((one for one in owned if one.startswith(flag)), None)


def render_text(arguments: Sequence[str]) -> str:
    """The same in one line, for images that read ``ENGINE_ARGS``."""
    return " ".join(arguments)
