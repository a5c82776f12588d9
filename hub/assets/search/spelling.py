"""What somebody may have meant who has typed a word that nothing has.

Candidates are words of names that the actor may see: those of what is trending, which are kept for a minute where
others can be asked for; where none of these will do, those that PostgreSQL's trigrams find alike among all names. Of
these the one with the fewest slips is taken.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, select, union_all

from hub.accounts.policy import Actor
from hub.assets.search.fulltext import has_trigrams
from hub.assets.search.grammar import MAX_QUERY_CHARS, Query
from hub.db.engine import DATABASE, PLANNED_EACH_TIME
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository

# So many names are looked at: those that are alike for each word, and the trending ones of all kinds together; where
# nothing else can be asked, more of these.
MAX_ALIKE = 200
MAX_TRENDING, MAX_TRENDING_ALONE = 500, 1_500
MAX_WORDS = 3
_LEAST_CHARS = 4
# For so long the trending words that somebody may see serve again, in one process, and those of so many.
_KEPT_S = 60.0
_MAX_KEPT = 50
_WORD = re.compile(r"[a-z0-9]+")

# For each word how often it was met, and the set of its letters.
Words = dict[str, tuple[int, int]]


def slips_between(one: str, other: str, most: int) -> int:
    """How many letters are wrong, missing, too many or swapped; ``most + 1`` where they are more than that."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for at, char in enumerate(one, 1):
        earlier, before, row = before, row, [at]
        for place, against in enumerate(other, 1):
            cost = min(before[place] + 1, row[-1] + 1, before[place - 1] + (char != against))
            if at > 1 and place > 1 and char == other[place - 2] and one[at - 2] == against:
                cost = min(cost, earlier[place - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1] if row[-1] <= most else most + 1


def suggest(work: UnitOfWork, actor: Actor, query: Query, *, kinds: Sequence[str]) -> str:
    """The query with its words put right; empty where nothing is known that it could mean. Two queries."""
    words = [term.text for term in query.words]
    # What holds something else than letters and digits is put right word by word, too.
    asked = [word for text in words for word in _WORD.findall(text.lower()) if len(word) >= _LEAST_CHARS][:MAX_WORDS]
    if not asked or not kinds:
        return ""
    known = _trending_words(work, actor, tuple(kinds))
    right = {word: found for word in asked if (found := _nearest(word, known))}
    left = [word for word in asked if word not in right]
    if left and has_trigrams(work.context):
        known = _words_in(work, _alike(actor, left, kinds))
        right |= {word: found for word in left if (found := _nearest(word, known))}
    if all(word == found for word, found in right.items()):
        return ""

    def put_right(match: re.Match[str]) -> str:
        return right.get(match[0].lower(), match[0])

    parts = query.text
    for term in query.words:
        parts = parts.replace(term.text, re.sub(r"[A-Za-z0-9]+", put_right, term.text), 1)
    return parts if parts != query.text and len(parts) <= MAX_QUERY_CHARS else ""


def _trending_words(work: UnitOfWork, actor: Actor, kinds: tuple[str, ...]) -> Words:
    if not has_trigrams(work.context):
        return _words_in(work, _trending(work, actor, kinds))
    key = (str(work.context[DATABASE].url), actor, kinds)
    words, good_until = _KEPT.get(key, ({}, 0.0))
    if time.monotonic() > good_until:
        words = _words_in(work, _trending(work, actor, kinds))
        if len(_KEPT) >= _MAX_KEPT:
            _KEPT.clear()
        _KEPT[key] = (words, time.monotonic() + _KEPT_S)
    return words


_KEPT: dict[tuple[str, Actor, tuple[str, ...]], tuple[Words, float]] = {}


def _trending(work: UnitOfWork, actor: Actor, kinds: Sequence[str]) -> list[Select[Any]]:
    most = MAX_TRENDING if has_trigrams(work.context) else MAX_TRENDING_ALONE
    names = select(Repository.name_key).where(is_live(), may_read(actor))
    order = (Repository.trending_score.desc(), Repository.updated_at.desc(), Repository.id.desc())
    return [names.where(Repository.kind == kind).order_by(*order).limit(max(most // len(kinds), 100)) for kind in kinds]


def _alike(actor: Actor, words: Sequence[str], kinds: Sequence[str]) -> list[Select[Any]]:
    names = select(Repository.name_key).where(is_live(), may_read(actor), Repository.kind.in_(kinds))
    return [names.where(_is_alike(word)).limit(MAX_ALIKE) for word in words]


def _words_in(work: UnitOfWork, queries: Sequence[Select[Any]]) -> Words:
    """Words of the names that the queries give. One query."""
    every: Any = union_all(*(select(query.subquery()) for query in queries))
    counts: dict[str, int] = {}
    for (name,) in work.rows(every.execution_options(**{PLANNED_EACH_TIME: True})):
        for word in _WORD.findall(name):
            if len(word) >= _LEAST_CHARS - 1:
                counts[word] = counts.get(word, 0) + 1
    return {word: (count, _letters(word)) for word, count in counts.items()}


def _is_alike(word: str) -> ColumnElement[bool]:
    # pg_trgm: a word of the name is like this one; by its usual threshold, 0.5.
    return literal(word).op("<<%", is_comparison=True)(Repository.name_key)


def _nearest(word: str, known: Words) -> str:
    if word in known:
        return word
    most = 1 if len(word) <= 5 else 2
    letters = _letters(word)
    best: tuple[int, int, str] | None = None
    for other, (count, its_letters) in known.items():
        # Each slip changes two letters of the set at most; to compare sets is a hundred times faster.
        if abs(len(other) - len(word)) > most or (its_letters ^ letters).bit_count() > 2 * most:
            continue
        slips = slips_between(word, other, most)
        if slips <= most and (best is None or (slips, -count, other) < best):
            best = (slips, -count, other)
    return best[2] if best else ""


def _letters(word: str) -> int:
    found = 0
    for char in word:
        found |= 1 << (ord(char) & 31)
    return found
