"""What a text in Markdown names: people (``@name``) and discussions (``#12``, ``owner/name#12``).

What stands in code, in comments of HTML, in e-mail addresses and in links names nobody. Texts are walked once, whatever
is in them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

MAX_MENTIONS = 50
MAX_REFERENCES = 20

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TICKS = re.compile(r"`+")
_MENTION = re.compile(r"(?<![\w/@.+\\-])@([A-Za-z][A-Za-z0-9._-]*+)(?![\w@/])")
_REFERENCE = re.compile(
    r"(?<![\w/&#.\\-])((?:[A-Za-z][\w.-]*+/){1,2}[A-Za-z][\w.-]*+)?#([1-9]\d{0,8})(?![\w#])", re.ASCII
)
_MAX_NAME_CHARS = 64


def find_mentions(text: str) -> list[str]:
    """The names that a text mentions, in lower case, each once, the first ``MAX_MENTIONS``."""
    names: dict[str, None] = {}
    for part in _prose(text):
        for match in _MENTION.finditer(part):
            name = match[1].rstrip("._-").lower()
            if 2 <= len(name) <= _MAX_NAME_CHARS:
                names[name] = None
                if len(names) == MAX_MENTIONS:
                    return [*names]
    return [*names]


def find_references(text: str) -> list[tuple[str, int]]:
    """The discussions that a text names, as the repository's path in lower case ("": the text's own) and the number.

    Each once, the first ``MAX_REFERENCES``.
    """
    found: dict[tuple[str, int], None] = {}
    for part in _prose(text):
        for match in _REFERENCE.finditer(part):
            found[(match[1] or "").lower(), int(match[2])] = None
            if len(found) == MAX_REFERENCES:
                return [*found]
    return [*found]


class Spot(NamedTuple):
    """A piece of plain text that names something, from the start to before the end.

    name: of a person, in lower case, or the path of a repository ("": the text's own). number: None for a person.
    """

    start: int
    end: int
    name: str
    number: int | None = None


def locate(text: str) -> Iterator[Spot]:
    """Where a piece of prose, without code and the like, names people and discussions."""
    for match in _MENTION.finditer(text):
        name = match[1].rstrip("._-").lower()
        if 2 <= len(name) <= _MAX_NAME_CHARS:
            yield Spot(match.start(), match.start() + 1 + len(name), name)
    for match in _REFERENCE.finditer(text):
        yield Spot(match.start(), match.end(), (match[1] or "").lower(), int(match[2]))


def _prose(text: str) -> Iterator[str]:
    """The paragraphs of a text, without code."""
    lines: list[str] = []
    fence = ""
    for line in _without_comments(text).split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not line[match.end() :].strip():
                fence = ""
            continue
        is_end = not line.strip() or match is not None
        if is_end and lines:
            yield _without_code("\n".join(lines))
            lines = []
        if match:
            fence = match[1]
        # An indented line begins code, or goes on a paragraph.
        elif not is_end and (lines or not line.startswith(("    ", "\t"))):
            lines.append(line)
    if lines:
        yield _without_code("\n".join(lines))


def _without_comments(text: str) -> str:
    kept, place = [], 0
    while (start := text.find("<!--", place)) >= 0:
        kept.append(text[place:start])
        end = text.find("-->", start)
        if end < 0:
            return " ".join(kept)
        place = end + 3
    return " ".join([*kept, text[place:]]) if kept else text


def _without_code(text: str) -> str:
    """A paragraph without what stands between as many backticks as before it."""
    runs = [*_TICKS.finditer(text)]
    if not runs:
        return text
    ends: dict[int, list[int]] = defaultdict(list)
    for index in range(len(runs) - 1, -1, -1):
        ends[len(runs[index][0])].append(index)
    kept, place, index = [], 0, 0
    while index < len(runs):
        same = ends[len(runs[index][0])]
        while same and same[-1] <= index:
            same.pop()
        if same:
            kept.append(text[place : runs[index].start()])
            index = same[-1]
            place = runs[index].end()
        index += 1
    return " ".join([*kept, text[place:]])
