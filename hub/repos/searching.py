"""What lists of repositories search in, and how.

A word is found wherever it stands, also within others. PostgreSQL finds it by its trigrams; what is shorter has none.
So a short word is found at the beginning of words only, where a trigram tells it (the space before counts); and as
Chinese and its like are written without spaces, but their words are short, each two neighbouring characters of such
text are noted once more as a word of their own.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from hub.repos.models import Repository

MAX_SEARCH_CHARS = 200
MAX_SEARCH_WORDS = 8

# What stands before a word in a path or a text, as a class of characters.
_BEFORE = " \n/_.(-"
_TRIGRAM = 3


def search_text(path: str, nickname: str, description: str) -> str:
    """The texts in lower case, a line each; then the pairs of their characters that are not ASCII, if any."""
    text = "\n".join((path, nickname, description)).lower()
    if text.isascii():
        return text
    pairs = {
        text[at : at + 2].strip(): None
        for at, char in enumerate(text)
        if not text[at : at + 2].isascii() and not char.isspace()
    }
    return f"{text}\n {' '.join(pairs)}"


def matches(search: str) -> list[ColumnElement[bool]]:
    """Conditions on ``Repository``: each of the words is in its path, nickname or description, in any case."""
    words = search[:MAX_SEARCH_CHARS].lower().split()[:MAX_SEARCH_WORDS]
    return [_has(word) for word in dict.fromkeys(words)]


def has_word(word: str, *, in_name: bool = False) -> ColumnElement[bool]:
    """The condition that a word, in lower case, is in what lists search in, or in the repository's name alone."""
    return _has(word, Repository.name_key if in_name else Repository.search_text)


@lru_cache(maxsize=2000)
def _has(word: str, column: InstrumentedAttribute[str] = Repository.search_text) -> ColumnElement[bool]:
    if len(word) >= _TRIGRAM:
        return column.like(f"%{literal_pattern(word)}%", escape="\\")
    if not word.isascii():
        return column.like(f"% {literal_pattern(word)}%", escape="\\")
    # One pattern, as the database weighs each of many against its statistics before it looks for any.
    return column.regexp_match(f"(^|[{_BEFORE}]){re.escape(word)}")


def literal_pattern(text: str) -> str:
    """A text as patterns spell it, with ``\\`` as the escape."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
