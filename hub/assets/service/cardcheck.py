"""What is wrong with the head of a card: one rule for the index, the editor and the Hugging Face clients.

Nothing of it stops anybody from anything: a card with faults is shown, and what can be read of it counts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain, islice
from typing import Any

from hub.base.frontmatter import Marked, UnreadableError, find_head, load_marked, text_of_key
from hub.base.texts import is_storable
from hub.repos.cardkeys import CardKey, CardType

# Of the file's head; one that is longer is not read. 64 KiB of YAML take about a second.
MAX_HEAD_BYTES = 64 * 1024
# Of the file that is looked at: what comes behind is only shown.
MAX_LOOK_BYTES = MAX_HEAD_BYTES + 64 * 1024
MAX_PROBLEMS = 100
# Of all members together, each value as often as it is referred to; and how deep they lie in each other.
MAX_VALUES = 15_000
_MAX_DEPTH = 16
_MAX_NAME_CHARS = 60
_MAX_WORDS = 200
_MAX_WORD_CHARS = 100
_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class Severity(StrEnum):
    """error: the head says nothing. warning: this member says nothing, or something else. note: it may be a slip."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Problem:
    """One fault. key: of the member; empty: of the whole. line: in the file, from 1; None where that is not known."""

    key: str
    line: int | None
    severity: Severity
    reason: str

    def view(self) -> dict[str, Any]:
        """As JSON says it."""
        return asdict(self) | {"severity": self.severity.value}


@dataclass(frozen=True)
class Card:
    """What the beginning of a card says. body_line, body_offset: where the text begins, in lines from 1 and bytes."""

    metadata: dict[str, Any]
    problems: Sequence[Problem]
    body: str
    body_line: int = 1
    body_offset: int = 0


def read_card_bytes(data: bytes, keys: Sequence[CardKey], *, is_whole: bool = True) -> Card:
    """The card whose first bytes these are. is_whole: whether nothing comes behind.

    It takes about a second at most, whatever the bytes are.
    """
    text, fault = decode_card(data[:MAX_LOOK_BYTES], is_whole and len(data) <= MAX_LOOK_BYTES)
    card = read_card_text(text, keys, is_whole=is_whole and len(data) <= MAX_LOOK_BYTES)
    if fault is None:
        return card
    # Bytes cannot be told from characters any more: what is asked for is the whole text.
    return Card(card.metadata, [fault, *card.problems], card.body, card.body_line, 0)


def decode_card(data: bytes, is_whole: bool = False) -> tuple[str, Problem | None]:
    """The text that a card's first bytes are, and what is wrong with them. is_whole: whether nothing comes behind."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            even = len(data) - len(data) % 2
            return data[2:even].decode(name, "replace"), _note_encoding("UTF-16")
    try:
        # Cut in the middle of a character, it is no worse for that.
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        if not is_whole and error.start >= len(data) - 3:
            return data[: error.start].decode("utf-8"), None
        return data.decode("utf-8", "replace"), _note_encoding("another encoding")


def _note_encoding(found: str) -> Problem:
    return Problem("", None, Severity.WARNING, f"The file is in {found}; write it in UTF-8.")


def read_card_text(text: str, keys: Sequence[CardKey], *, is_whole: bool = True) -> Card:
    """The card that begins with this text, and what is wrong with its head."""
    head = find_head(text)
    if head is None:
        begins = re.match(r"\ufeff?---[ \t]*\r?\n", text) is not None
        if not is_whole and begins:
            reason = f"The metadata goes on beyond {MAX_HEAD_BYTES // 1024} KiB; it is not read."
            return Card({}, [Problem("", 1, Severity.WARNING, reason)], "")
        if begins:
            return Card({}, [Problem("", 1, Severity.ERROR, "The metadata has no end: a line of '---'.")], text)
        reason = "The card has no metadata: a block of YAML between two lines of '---' at its head."
        return Card({}, [Problem("", None, Severity.WARNING, reason)], text)
    start = text.index(head, 3)
    # Behind the second line of dashes.
    end = text.find("\n", start + len(head))
    end = len(text) if end < 0 else end + 1
    place = (text[end:], text.count("\n", 0, end) + 1, len(text[:end].encode(errors="replace")))
    if len(head.encode(errors="replace")) > MAX_HEAD_BYTES:
        reason = f"The metadata has more than {MAX_HEAD_BYTES // 1024} KiB; it is not read."
        return Card({}, [Problem("", 1, Severity.WARNING, reason)], *place)
    try:
        marked = load_marked(head)
    except UnreadableError as error:
        line = error.line + 1 if error.line is not None else None
        return Card(
            {}, [Problem("", line, Severity.ERROR, f"The metadata is no valid YAML: {_shown(str(error))}.")], *place
        )
    if marked.value is None:
        return Card({}, [Problem("", 1, Severity.WARNING, "The card's metadata is empty.")], *place)
    if not isinstance(marked.value, dict):
        reason = "The metadata must be members with names, such as 'license: mit'."
        return Card({}, [Problem("", 2, Severity.ERROR, reason)], *place)
    metadata = {name: value for key, value in marked.value.items() if (name := text_of_key(key)) is not None}
    large = _take_out_large(metadata)
    problems = chain(_judge_large(large, marked), _judge(metadata, marked, keys))
    return Card(metadata, [*islice(problems, MAX_PROBLEMS)], *place)


def _take_out_large(metadata: dict[str, Any]) -> list[str]:
    """Remove the members that are too large to be shown, those that swell by referring to each other above all."""
    left, known, large = MAX_VALUES, dict[int, int](), []
    for name in list(metadata):
        count = _count(metadata[name], known)
        if count > left:
            large.append(name)
            del metadata[name]
        else:
            left -= count
    return large


def _count(value: Any, known: dict[int, int], depth: int = 0) -> int:
    """How many values there are in one; more than ``MAX_VALUES``: that, or they lie too deep, or it holds itself."""
    if not isinstance(value, dict | list):
        return 1
    if depth > _MAX_DEPTH:
        return MAX_VALUES + 1
    if id(value) not in known:
        known[id(value)] = MAX_VALUES + 1
        parts = value.values() if isinstance(value, dict) else value
        count = 1 + sum(_count(part, known, depth + 1) for part in parts)
        known[id(value)] = min(count, MAX_VALUES + 1)
    return known[id(value)]


def _judge_large(names: Sequence[str], marked: Marked) -> Iterator[Problem]:
    for name in names:
        lines = [line + 1 for line in marked.lines.get(name, [])]
        reason = "It has too many values, or they lie too deep in each other; it is not read."
        yield Problem(_shown(name), lines[-1] if lines else None, Severity.WARNING, reason)


def _judge(metadata: Mapping[str, Any], marked: Marked, keys: Sequence[CardKey]) -> Iterator[Problem]:
    known = {key.name: key for key in keys}
    for name, value in metadata.items():
        lines = [line + 1 for line in marked.lines.get(name, [])]  # the line of dashes is the first
        line = lines[-1] if lines else None
        shown = _shown(name)
        if len(lines) > 1:
            yield Problem(
                shown, line, Severity.WARNING, f"It stands here {len(lines)} times; only the last one counts."
            )
        key = known.get(name)
        if key is None:
            if near := _near(name, tuple(known)):
                yield Problem(shown, line, Severity.NOTE, f"No such member is known; is it {near!r}?")
        elif value is not None and (reason := _fault_of(key, value)):
            yield Problem(shown, line, Severity.WARNING, reason)
    if _words(metadata.get("license"))[:1] == ["other"] and not metadata.get("license_name"):
        lines = [line + 1 for line in marked.lines.get("license", [])]
        reason = "Of a licence that is 'other', license_name and license_link should say which."
        yield Problem("license", lines[-1] if lines else None, Severity.NOTE, reason)


@lru_cache(maxsize=1000)
def _near(name: str, known: tuple[str, ...]) -> str | None:
    if len(name) > _MAX_NAME_CHARS or len(name) < 4:
        return None
    found = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.84)
    return found[0] if found else None


_KINDS: Mapping[CardType, tuple[tuple[type, ...], str]] = {
    CardType.TEXT: ((str,), "a text"),
    CardType.NUMBER: ((int, float), "a number"),
    CardType.FLAG: ((bool,), "true or false"),
    CardType.MEMBERS: ((dict,), "members with names"),
    CardType.ITEMS: ((list,), "a list"),
}


def _fault_of(key: CardKey, value: Any) -> str | None:
    if key.type is CardType.ANY:
        return None
    if key.type is not CardType.WORDS:
        types, said = _KINDS[key.type]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            return f"It must be {said}."
        words = [value] if isinstance(value, str) else []
    else:
        values = value if isinstance(value, list) else [value]
        strange = [each for each in values if not isinstance(each, str) and not _is_norwegian(key, each)]
        if strange:
            found = _shown(_described(strange[0]))
            return f"It must be a text or a list of texts; {found} is none. What YAML takes for another is quoted."
        words = _words(value)
        if len(words) > _MAX_WORDS:
            return f"It has more than {_MAX_WORDS} words."
    for word in words:
        if not is_storable(word):
            return "It has characters that cannot be kept."
        if key.type is CardType.WORDS and key.category and len(word) > _MAX_WORD_CHARS:
            return f"{_shown(word)!r} is longer than {_MAX_WORD_CHARS} characters."
        if key.choices and word.lower() not in key.choices:
            return f"{_shown(word)!r} is none of {', '.join(key.choices)}."
        if key.pattern and not re.fullmatch(key.pattern, word):
            return f"{_shown(word)!r} is not written as {key.description or 'it should be'}."
    return None


def _is_norwegian(key: CardKey, value: Any) -> bool:
    return value is False and key.name == "language"


def _words(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [word for word in values if isinstance(word, str)]


def _described(value: Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, dict | list) else repr(value)


def _shown(text: str) -> str:
    short = text if len(text) <= _MAX_NAME_CHARS * 2 else f"{text[: _MAX_NAME_CHARS * 2]}…"
    return short.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
