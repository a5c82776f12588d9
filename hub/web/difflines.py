"""The lines of a diff as they are drawn: coloured, the changed words of a changed line marked, paired for two columns.

Plain work on texts, which may be offloaded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from markupsafe import Markup

from hub.git.types import DiffHunk, DiffLine
from hub.web.highlight import Piece, find_pieces, join_pieces

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
# Lines longer than this are compared as wholes, and of a file so many pairs at most are compared by words.
_MAX_COMPARED_CHARS = 600
_MAX_PAIRS = 500
_MAX_COMPARED_WORDS = 150
# Less alike than this, two lines are two lines.
_ALIKE = 0.35
# Of all lines of a file together.
_BUDGET_S = 0.5


@dataclass(frozen=True)
class LineView:
    """A line of one side. origin: " ", "+" or "-". words: as HTML."""

    origin: str
    old_number: int | None
    new_number: int | None
    words: Markup
    has_newline: bool

    @property
    def side(self) -> str:
        """Which side a remark on it belongs to."""
        return "old" if self.origin == "-" else "new"

    @property
    def number(self) -> int | None:
        """Its number on that side."""
        return self.old_number if self.origin == "-" else self.new_number


@dataclass(frozen=True)
class RowView:
    """What stands beside each other: in one column ``left`` alone. remarks: what stands below."""

    left: LineView | None
    right: LineView | None = None
    remarks: Sequence[Markup] = ()


@dataclass(frozen=True)
class HunkView:
    """Some changed lines with those around them. header: as Git writes it; title: what follows its numbers."""

    header: str
    title: str
    rows: Sequence[RowView]

    def with_remarks(self, remarks: dict[tuple[str, int], Markup]) -> HunkView:
        """With the remarks on its lines, (side, number) to HTML, below them; they are taken out of the mapping."""
        if not remarks:
            return self
        return replace(self, rows=[replace(row, remarks=_take(row, remarks)) for row in self.rows])


def _take(row: RowView, remarks: dict[tuple[str, int], Markup]) -> list[Markup]:
    found = []
    for line in (row.left, row.right):
        if line is None:
            continue
        spots = (
            [("old", line.old_number), ("new", line.new_number)] if line.origin == " " else [(line.side, line.number)]
        )
        found += [remarks.pop((side, number)) for side, number in spots if number and (side, number) in remarks]
    return found


def draw_hunks(hunks: Sequence[DiffHunk], *, old_path: str, new_path: str, view: str) -> list[HunkView]:
    """The hunks of one file. view: "unified" or "split"."""
    pairs_left = _MAX_PAIRS
    end = time.monotonic() + _BUDGET_S
    drawn = []
    for hunk in hunks:
        lines = list(hunk.lines)
        partners = _pair(lines)
        marks: dict[int, list[tuple[int, int]]] = {}
        for old, new in list(partners.items())[:pairs_left]:
            if time.monotonic() > end:
                break
            marks[old], marks[new] = compare_words(lines[old].text, lines[new].text)
        pairs_left -= min(pairs_left, len(partners))
        views = _colour(lines, marks, old_path, new_path)
        rows = _beside(views, partners) if view == "split" else [RowView(line) for line in views]
        drawn.append(HunkView(hunk.header, hunk.header.rpartition("@@")[2].strip(), rows))
    return drawn


def _colour(
    lines: Sequence[DiffLine], marks: Mapping[int, Sequence[tuple[int, int]]], old_path: str, new_path: str
) -> list[LineView]:
    """Each side is read as a text of its own, so that a string that only one of them opens does not colour both."""
    old = iter(_pieces([line for line in lines if line.origin != "+"], old_path))
    new = iter(_pieces([line for line in lines if line.origin != "-"], new_path))
    views = []
    for at, line in enumerate(lines):
        pieces = next(old) if line.origin != "+" else None
        if line.origin != "-":
            pieces = next(new)
        assert pieces is not None
        words = join_pieces(pieces, marks.get(at, ()))
        views.append(LineView(line.origin, line.old_number, line.new_number, words, line.has_newline))
    return views


def _pieces(lines: Sequence[DiffLine], path: str) -> list[list[Piece]]:
    texts = [line.text.rstrip("\r") for line in lines]
    found = find_pieces("".join(f"{text}\n" for text in texts), path=path)
    # As many as there are lines, whatever a lexer made of them.
    return found if len(found) == len(texts) else [[("", text)] for text in texts]


def _pair(lines: Sequence[DiffLine]) -> dict[int, int]:
    """Which removed line became which added one, by their places: where as many come as go."""
    partners: dict[int, int] = {}
    for start, middle, end in _runs(lines):
        removed, added = range(start, middle), range(middle, end)
        if len(removed) == len(added):
            partners.update(zip(removed, added, strict=True))
    return partners


def _runs(lines: Sequence[DiffLine]) -> Iterator[tuple[int, int, int]]:
    """(first, first added, end) of successive changed lines, the removed ones before the added ones."""
    at = 0
    while at < len(lines):
        if lines[at].origin == " ":
            at += 1
            continue
        start = at
        while at < len(lines) and lines[at].origin == "-":
            at += 1
        middle = at
        while at < len(lines) and lines[at].origin == "+":
            at += 1
        yield start, middle, at


def _beside(views: Sequence[LineView], partners: Mapping[int, int]) -> list[RowView]:
    rows: list[RowView] = []
    at = 0
    while at < len(views):
        if views[at].origin == " ":
            rows.append(RowView(views[at], views[at]))
            at += 1
            continue
        start = at
        while at < len(views) and views[at].origin == "-":
            at += 1
        removed = list(views[start:at])
        start = at
        while at < len(views) and views[at].origin == "+":
            at += 1
        added = list(views[start:at])
        for row in range(max(len(removed), len(added))):
            left = removed[row] if row < len(removed) else None
            right = added[row] if row < len(added) else None
            rows.append(RowView(left, right))
    return rows


def compare_words(old: str, new: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """From and to which characters either line differs from the other; nothing where they are too unlike."""
    if max(len(old), len(new)) > _MAX_COMPARED_CHARS:
        return [], []
    ours, theirs = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(ours), len(theirs)) > _MAX_COMPARED_WORDS:
        return [], []
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return [], []
    marks: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    places = _places(ours), _places(theirs)
    for tag, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if tag == "equal":
            continue
        for side, (start, end) in enumerate(((from_old, to_old), (from_new, to_new))):
            if start < end:
                marks[side].append((places[side][start], places[side][end]))
    return marks


def _places(words: Sequence[str]) -> list[int]:
    """At which character each word begins, and where the last one ends."""
    places = [0]
    for word in words:
        places.append(places[-1] + len(word))
    return places
