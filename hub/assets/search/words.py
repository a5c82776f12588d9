"""How texts are cut into words for the full-text search; the same on both databases, which only compare them.

Words are in lower case; what is neither letter nor digit parts them. In code ``listRepositories`` and
``list_repositories`` are the two words "list" and "repositories"; in prose "PyTorch" is one. Chinese and its like,
written without spaces, are cut into each two neighbouring characters: whatever stands in a text is found as a row of
pairs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What is longer is no word: hashes, encoded data.
MAX_WORD_CHARS = 64
# Source: PostgreSQL, limits of tsvector: positions, of each word, and bytes of all together (2**20).
_MAX_POSITION = 16_383
_MAX_PLACES = 255
_MAX_BYTES = 1_000_000
# A beginning of so many characters finds what goes on; of fewer it would find nearly everything.
PREFIX_CHARS = 4

# Scripts without spaces: Chinese, Japanese, Thai, Lao, Khmer, Burmese; Korean for its endings.
_PAIRED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_PAIRED}]+|[^\W_{_PAIRED}]+")
# A name of a program's is several words: HTTPServer, parseURL, GPT2Model; 8B is one.
_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IS_PAIRED = re.compile(rf"[{_PAIRED}]")


def words_of(text: str, *, is_code: bool = False) -> Iterator[str]:
    """The words of a text in their order."""
    for match in _WORD.finditer(text):
        word = match[0]
        if _IS_PAIRED.match(word):
            yield from (word[at : at + 2] for at in range(len(word)))
        elif len(word) <= MAX_WORD_CHARS:
            lower = word.lower()
            if not is_code or word[1:] == lower[1:]:
                yield lower
            else:
                yield from (part.lower() for part in _SEAM.split(word))


def written(words: Sequence[str], *, for_sqlite: bool) -> str:
    """Words as the column of a table takes them: one after another, or a ``tsvector`` with their places.

    Of what is more than a ``tsvector`` holds the first words are kept.
    """
    if for_sqlite:
        return " ".join(words)
    places: dict[str, list[int]] = defaultdict(list)
    left = _MAX_BYTES
    for at, word in enumerate(words, 1):
        found = places[word]
        if not found:
            # Each has a number of places, after an even number of bytes.
            left -= len(word.encode()) + 3
        if len(found) < _MAX_PLACES and (at <= _MAX_POSITION or not found):
            found.append(min(at, _MAX_POSITION))
            left -= 2
        if left < 0:
            break
    # They are of letters and digits only, so there is nothing to escape.
    return " ".join(f"'{word}':{','.join(map(str, found))}" for word, found in places.items())


@dataclass(frozen=True)
class Row:
    """Words that stand one after another. is_begun: the last one may go on. is_negated: they do not stand there."""

    words: tuple[str, ...]
    is_begun: bool = False
    is_negated: bool = False


def row_of(text: str, *, is_code: bool = False, is_phrase: bool = False, is_negated: bool = False) -> Row | None:
    """What to look for where somebody typed this; None where there is no word in it."""
    words = [*words_of(text, is_code=is_code)]
    if not words:
        return None
    last = words[-1]
    if _IS_PAIRED.match(last):
        # The end of a run is no pair; alone it is the beginning of one.
        if len(words) > 1 and len(last) == 1 and _IS_PAIRED.match(words[-2]):
            return Row(tuple(words[:-1]), False, is_negated)
        return Row(tuple(words), len(last) == 1, is_negated)
    is_begun = not is_phrase and not is_negated and len(last) >= PREFIX_CHARS and text[-1:].isalnum()
    return Row(tuple(words), is_begun, is_negated)


def question(rows: Sequence[Row], *, for_sqlite: bool) -> str:
    """The rows as the database is asked for them; empty where none must stand there."""
    wanted = [_asked(row, for_sqlite) for row in rows if not row.is_negated]
    refused = [_asked(row, for_sqlite) for row in rows if row.is_negated]
    if not wanted:
        return ""
    if for_sqlite:
        text = " AND ".join(wanted)
        return f"({text}) NOT ({' OR '.join(refused)})" if refused else text
    return " & ".join([*(f"({row})" for row in wanted), *(f"!({row})" for row in refused)])


def _asked(row: Row, for_sqlite: bool) -> str:
    if for_sqlite:
        return f'"{" ".join(row.words)}"' + (" *" if row.is_begun else "")
    quoted = [f"'{word}'" for word in row.words]
    return " <-> ".join([*quoted[:-1], quoted[-1] + (":*" if row.is_begun else "")])


def holds(words: Sequence[str], row: Row) -> bool:
    """Whether the row stands somewhere in these words."""
    wanted, size = row.words, len(row.words)
    for at in range(len(words) - size + 1):
        if tuple(words[at : at + size]) == wanted:
            return True
        is_before = row.is_begun and tuple(words[at : at + size - 1]) == wanted[:-1]
        if is_before and words[at + size - 1].startswith(wanted[-1]):
            return True
    return False
