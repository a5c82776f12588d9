"""The metadata at the head of a card. Anybody may write one, so it is read at no cost beyond its length."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

# Of a whole number's digits. Python refuses to write longer ones than some thousand in decimal.
MAX_NUMBER_CHARS = 100
_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


class UnreadableError(ValueError):
    """The text is no YAML that is read here. line: where, from 1; None where that is not known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True)
class Marked:
    """A value of YAML, and of its members, by name, the lines where they stand, from 1. A repeated one has several."""

    value: Any
    lines: dict[str, list[int]] = field(default_factory=dict)


def find_head(text: str) -> str | None:
    """What stands between the two lines of ``---`` at the head of a card, or None without them."""
    match = _HEAD.match(text)
    return match[1] if match else None


def load_yaml(text: str) -> Any:
    """The value that a YAML text is, of plain types only. Raises UnreadableError as ``load_marked``."""
    return load_marked(text).value


def load_marked(text: str) -> Marked:
    """The value that a YAML text is, of plain types only, and where its members stand. Raises UnreadableError.

    Merge keys (``<<``) are refused: a dozen lines that name each other would become millions of members. So are whole
    numbers of more than ``MAX_NUMBER_CHARS``: what is read here can always be written again.
    """
    # Deliberately here: few requests, and otherwise only the workers, read cards.
    import yaml

    def refuse_merges(node: Any) -> None:
        for key, _value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "'<<' is not read here", key.start_mark)
            if key.tag == "tag:yaml.org,2002:value":  # "=", as the library's own does
                key.tag = "tag:yaml.org,2002:str"

    def read_number(loader: Any, node: Any) -> Any:
        if len(loader.construct_scalar(node)) > MAX_NUMBER_CHARS:
            raise yaml.constructor.ConstructorError(None, None, "the number is too long", node.start_mark)
        return loader.construct_yaml_int(node)

    try:
        loader = yaml.SafeLoader(text)
        loader.yaml_constructors = {**loader.yaml_constructors, "tag:yaml.org,2002:int": read_number}
        loader.flatten_mapping = refuse_merges
        node = loader.get_single_node()
        lines: dict[str, list[int]] = {}
        for key, _value in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode):
                lines.setdefault(key.value, []).append(key.start_mark.line + 1)
        return Marked(None if node is None else loader.construct_document(node), lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UnreadableError(problem, mark.line + 1 if mark is not None else None) from None
    # What the library's constructors of scalars stumble over: "!!bool x", "!!int ''", "2026-99-99".
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
        raise UnreadableError(f"a value cannot be read ({error})") from None


def text_of_key(key: Any) -> str | None:
    """A member's name as text; None for a key that is no name, such as bytes, or a number that is endless."""
    if isinstance(key, int) and not -(2**63) <= key < 2**63:
        return None
    return str(key) if isinstance(key, str | int | float | date) else None
