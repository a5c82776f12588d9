"""What people type into a search: words, "rows of words", what must not be there, and filters such as ``license:mit``.

A filter's values with commas between them are alternatives; several filters must all hold. ``-`` before a word, a row
or a filter turns it round. A word with a colon that is no filter's is a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hub.base.errors import Invalid
from hub.base.texts import is_storable

MAX_QUERY_CHARS = 256
MAX_TERMS = 8
MAX_FILTERS = 8
MAX_VALUES = 10
MAX_VALUE_CHARS = 100

# What a filter is called -> how it is known here.
LABEL_FILTERS = {
    "license": "license",
    "task": "task",
    "lang": "language",
    "language": "language",
    "framework": "framework",
    "library": "framework",
    "industry": "industry",
    "tag": "",
}
_OWNERS = {"user": "owner", "org": "owner", "author": "owner"}
_NUMBERS = {"params": "params", "size": "size", "likes": "likes", "downloads": "downloads"}
_MOMENTS = {"updated": "updated", "created": "created"}
_OTHERS = {"is": "is", "kind": "kind", "type": "kind", "path": "path"}
KEYS = {**{name: f"label:{category}" for name, category in LABEL_FILTERS.items()}, **_OWNERS, **_NUMBERS}
KEYS |= {**_MOMENTS, **_OTHERS}
STATES = ("public", "private", "archived", "gated", "mirror")

_PART = re.compile(r'(?P<minus>-)?(?:(?P<key>[A-Za-z_]+):)?(?:"(?P<row>[^"]*)"(?P<open>)|(?P<word>[^\s"]+|"[^"]*\Z))')
_AMOUNT = re.compile(r"(?P<how>>=|<=|>|<|=)?(?P<number>\d{1,15}(?:\.\d{1,6})?)(?P<unit>[A-Za-z]{0,3})\Z")
_RANGE = re.compile(r"(?P<low>[^.\s][^\s]*?)\.\.(?P<high>[^.\s][^\s]*)\Z")
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
# As on the pages: a GB is 10**9 bytes, a GiB 2**30.
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "k": 10**3, "m": 10**6, "g": 10**9}
_SIZES |= {"t": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


@dataclass(frozen=True)
class Term:
    """A word, or a row of them. text: as it was typed."""

    text: str
    is_phrase: bool = False
    is_negated: bool = False


@dataclass(frozen=True)
class Span:
    """From the first to the last, both included; None: without an end."""

    low: float | datetime | None = None
    high: float | datetime | None = None


@dataclass(frozen=True)
class Filter:
    """key: of ``KEYS``' values. values: alternatives. span: of a number or moment. text: as it was typed."""

    key: str
    text: str
    values: tuple[str, ...] = ()
    span: Span | None = None
    is_negated: bool = False


@dataclass(frozen=True)
class Query:
    """What was asked for."""

    text: str
    terms: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()

    @property
    def words(self) -> Sequence[Term]:
        """The terms that must be there."""
        return [term for term in self.terms if not term.is_negated]

    @property
    def refused(self) -> Sequence[Term]:
        """The terms that must not be there."""
        return [term for term in self.terms if term.is_negated]


def parse_query(text: str) -> Query:
    """What a text asks for. Raises Invalid (``query_invalid``) that says which part cannot be understood."""
    text = " ".join(text.split())
    if len(text) > MAX_QUERY_CHARS:
        raise _refusal(f"It is longer than {MAX_QUERY_CHARS} characters", text[:20])
    if not is_storable(text):
        raise _refusal("It holds a character that cannot be searched for", "")
    terms: list[Term] = []
    filters: list[Filter] = []
    for part in _PART.finditer(text):
        is_negated = part["minus"] is not None
        key = (part["key"] or "").lower()
        if part["word"] is not None and part["word"].startswith('"'):
            raise _refusal("A quotation mark is not closed", part[0])
        if key in KEYS:
            filters.append(_filter_of(key, part[0], part["row"] if part["word"] is None else part["word"], is_negated))
        else:
            said = part["row"] if part["row"] is not None else part["word"]
            before = f"{part['key']}:" if part["key"] else ""
            if said.endswith(":") and said[:-1].lower() in KEYS:
                raise _refusal("The filter has no value", said)
            if (before + said).strip():
                terms.append(Term((before + said).strip(), part["row"] is not None, is_negated))
    if len(terms) > MAX_TERMS:
        raise _refusal(f"There are more than {MAX_TERMS} words", terms[MAX_TERMS].text)
    if len(filters) > MAX_FILTERS:
        raise _refusal(f"There are more than {MAX_FILTERS} filters", filters[MAX_FILTERS].text)
    return Query(text, tuple(dict.fromkeys(terms)), tuple(dict.fromkeys(filters)))


def _refusal(reason: str, part: str) -> Invalid:
    return Invalid(f"The search cannot be understood. {reason}: {part!r}.", code="query_invalid", part=part)


def _filter_of(name: str, text: str, value: str, is_negated: bool) -> Filter:
    key = KEYS[name]
    if key in _NUMBERS.values():
        return Filter(key, text, span=_span(value, text, key), is_negated=is_negated)
    if key in _MOMENTS.values():
        return Filter(key, text, span=_moments(value, text), is_negated=is_negated)
    values = tuple(dict.fromkeys(one.strip().lower() for one in value.split(",") if one.strip()))
    if not values or len(values) > MAX_VALUES or any(len(one) > MAX_VALUE_CHARS for one in values):
        raise _refusal(f"'{name}:' needs 1 to {MAX_VALUES} values of at most {MAX_VALUE_CHARS} characters", text)
    if key == "is" and not set(values) <= set(STATES):
        raise _refusal(f"'is:' knows {', '.join(STATES)}", text)
    return Filter(key, text, values, is_negated=is_negated)


def _span(value: str, text: str, key: str) -> Span:
    if pair := _RANGE.match(value):
        return Span(_amount(pair["low"], text, key)[1], _amount(pair["high"], text, key)[1])
    how, number = _amount(value, text, key)
    match how:
        case ">":
            # The least that is more: what is counted and measured in bytes is whole.
            return Span(low=math.floor(number) + 1)
        case ">=":
            return Span(low=number)
        case "<":
            return Span(high=math.ceil(number) - 1)
        case "<=":
            return Span(high=number)
    return Span(number, number)


def _amount(value: str, text: str, key: str) -> tuple[str, float]:
    units = _SIZES if key == "size" else _COUNTS
    found = _AMOUNT.match(value)
    if found is None or found["unit"].lower() not in units:
        example = "size:<10GB" if key == "size" else f"{key}:>1B" if key == "params" else f"{key}:>100"
        raise _refusal(f"'{key}:' needs a number such as {example}", text)
    return found["how"] or "=", float(found["number"]) * units[found["unit"].lower()]


def _moments(value: str, text: str) -> Span:
    if pair := _RANGE.match(value):
        return Span(_day(pair["low"], text), _day(pair["high"], text) + _DAY)
    how = next((sign for sign in (">=", "<=", ">", "<", "=") if value.startswith(sign)), "")
    day = _day(value.removeprefix(how), text)
    match how:
        case ">":
            return Span(low=day + _DAY)
        case ">=":
            return Span(low=day)
        case "<":
            return Span(high=day)
        case "<=":
            return Span(high=day + _DAY)
    return Span(day, day + _DAY)


_DAY = timedelta(days=1)


def _day(value: str, text: str) -> datetime:
    try:
        day = date.fromisoformat(value)
        # With room for the day after it.
        return datetime(min(day.year, 9998), day.month, min(day.day, 28) if day.year > 9998 else day.day, tzinfo=UTC)
    except ValueError:
        raise _refusal("A date is written as 2026-01-31", text) from None
