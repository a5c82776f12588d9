"""Colours for code: each line of a text as safe HTML, with the short class names of Pygments.

What is too long, or takes too long, stays plain: nobody's file keeps a process busy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from hub.base.context import Context
from hub.base.offload import offload
from hub.repos import derived

if TYPE_CHECKING:
    from pygments.lexer import Lexer

# The short name of what it is, "" for nothing of note, and its text.
Piece = tuple[str, str]

MAX_CHARS = 1024 * 1024
# Longer lines are data or were made small by a program, and some languages' patterns take long over them.
MAX_LINE_CHARS = 5000
# What was not read by then stays without colours.
_BUDGET_S = 2.0
_FORMAT = "1"

# Names that Pygments does not know, or not as what they mostly are here.
_ENDINGS: Mapping[str, str] = {
    "jsonl": "json",
    "ndjson": "json",
    "geojson": "json",
    "ipynb": "json",
    "lock": "toml",
    "mdx": "markdown",
    "h": "cpp",
    "cu": "cuda",
    "vue": "html",
    "svelte": "html",
    "jinja": "html+jinja",
    "env": "bash",
    "r": "r",
    "sql": "sql",
    "gitignore": "text",
    "gitattributes": "text",
    "txt": "text",
    "csv": "text",
    "tsv": "text",
}
# Most tokens need no colour of their own; these do, by the beginning of their type's short name.
_SHOWN = ("k", "s", "c", "m", "nt", "na", "nf", "nc", "nd", "nb", "nn", "no", "nv", "ow", "g", "l")


def highlight(text: str, *, path: str = "", language: str = "") -> list[Markup]:
    """The lines of a text, one item each, without their ends. The language is that name's, or the file name's.

    Plain where the language is unknown, or the text is over ``MAX_CHARS`` or has a line over ``MAX_LINE_CHARS``.
    """
    return [join_pieces(line) for line in find_pieces(text, path=path, language=language)]


def find_pieces(text: str, *, path: str = "", language: str = "") -> list[list[Piece]]:
    """As ``highlight``, before it is made HTML: of each line the pieces that it consists of."""
    lines = split_lines(text)
    lexer = _find_lexer(language, path.rpartition("/")[2]) if lines and len(text) <= MAX_CHARS else None
    if lexer is None or max(map(len, lines), default=0) > MAX_LINE_CHARS:
        return [[("", line)] for line in lines]
    return _colour(lexer, "\n".join(lines))


def join_pieces(line: Sequence[Piece], marks: Sequence[tuple[int, int]] = ()) -> Markup:
    """A line as HTML. marks: from and to which of its characters something is marked, in order."""
    made: list[str] = []
    at = 0
    for name, words in line:
        inner = _mark(words, at, marks) if marks else str(escape(words))
        made.append(f'<span class="{name}">{inner}</span>' if name else inner)
        at += len(words)
    return Markup("".join(made))  # noqa: S704 - escaped piece by piece


def _mark(words: str, at: int, marks: Sequence[tuple[int, int]]) -> str:
    """The words, which begin at that character of their line, with what is marked of them in <mark>."""
    made: list[str] = []
    done = 0
    for start, end in marks:
        first, last = max(start - at, done), min(end - at, len(words))
        if first < last:
            made += [escape(words[done:first]), "<mark>", escape(words[first:last]), "</mark>"]
            done = last
    return "".join((*made, escape(words[done:])))


def highlight_blob(context: Context, oid: str, text: str, *, path: str) -> list[Markup]:
    """As ``highlight`` for the whole text of a Git object, worked out once and kept by its id."""
    key = ("highlight", _FORMAT, oid, path.rpartition("/")[2])
    kept: list[str] | None = offload(derived.find, context, *key)
    if kept is None:
        kept = [str(line) for line in offload(highlight, text, path=path)]
        offload(derived.keep, context, *key, answer=kept)
    return [Markup(line) for line in kept]  # noqa: S704 - as it was made


def split_lines(text: str) -> list[str]:
    """The lines as Git counts them: only a newline ends one, and what follows the last is none when it is empty."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def language_of(path: str) -> str:
    """What a file of this name is written in, in words; "" for plain text."""
    lexer = _find_lexer("", path.rpartition("/")[2])
    return str(lexer.name) if lexer is not None else ""


def _find_lexer(language: str, name: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    alias = language.strip().lower() or _alias_of(name)
    if not alias or alias in ("text", "plain", "plaintext"):
        return None
    try:
        found: Lexer = get_lexer_by_name(alias, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return found


@lru_cache(maxsize=2000)
def _alias_of(name: str) -> str:
    from pygments.lexers import find_lexer_class_for_filename

    ending = name.rpartition(".")[2].lower()
    if ending in _ENDINGS and name != "CMakeLists.txt":
        return _ENDINGS[ending]
    found = find_lexer_class_for_filename(name) or find_lexer_class_for_filename(name.lower())
    return found.aliases[0] if found is not None and found.aliases else ""


def _colour(lexer: Lexer, text: str) -> list[list[Piece]]:
    done: list[list[Piece]] = []
    line: list[Piece] = []
    for name, words in _pieces(lexer, text):
        for at, part in enumerate(words.split("\n")):
            if at:
                done.append(line)
                line = []
            if part:
                line.append((name, part))
    return [*done, line]


def _pieces(lexer: Lexer, text: str) -> Iterator[Piece]:
    """(class, text) of successive pieces, neighbours of the same class joined. Together they are exactly the text."""
    end = time.monotonic() + _BUDGET_S
    reached = 0
    held, words = "", ""
    try:
        for at, kind, value in lexer.get_tokens_unprocessed(text):
            # A lexer within a lexer may tell of things again, or out of order.
            if at != reached or time.monotonic() > end:
                break
            reached += len(value)
            name = _class_of(kind)
            if name == held or value.isspace():
                words += value
            else:
                yield held, words
                held, words = name, value
    except Exception:  # noqa: S110 - what a lexer cannot read, whatever the reason, is shown without colours
        pass
    yield held, words
    yield "", text[reached:]


@lru_cache(maxsize=500)
def _class_of(kind: object) -> str:
    from pygments.token import STANDARD_TYPES

    while kind is not None:
        name: str | None = STANDARD_TYPES.get(kind)
        if name is not None:
            return name if name.startswith(_SHOWN) else ""
        kind = getattr(kind, "parent", None)
    return ""
