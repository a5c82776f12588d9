"""Which chunks make up a range of a file, and which bytes of which xorbs hold them. Source: Xet contract, section 7."""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, islice
from typing import Protocol

from hub.plugin.errors import RangeNotSatisfiable
from hub.plugin.objects import offload
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.formats.shards import Term
from plugins.xnet.formats.xorbs import PackedChunks

# The chunks of so many xorbs are held at once: a list of chunks takes up to a mebibyte in memory.
_XORBS_AT_ONCE = 32
# Terms that one piece of an answer holds.
_TERMS_AT_ONCE = 1000

# Gives the chunks of each of these xorbs.
LoadChunks = Callable[[Sequence[bytes]], Mapping[bytes, PackedChunks]]


class TermTable:
    """A file's terms, of 44 bytes each; see ``models.File``. Nothing of it is unpacked before it is asked for."""

    RECORD = struct.Struct("<32sIII")
    _LENGTH = struct.Struct("<32xI8x")

    def __init__(self, blob: bytes) -> None:
        self._blob = blob

    def __len__(self) -> int:
        return len(self._blob) // self.RECORD.size

    def __getitem__(self, index: int) -> Term:
        return Term(*self.RECORD.unpack_from(self._blob, index * self.RECORD.size))

    def slice(self, start: int, end: int) -> Iterator[Term]:
        """The terms ``start`` to ``end`` (exclusive)."""
        size = self.RECORD.size
        return (Term(*fields) for fields in self.RECORD.iter_unpack(memoryview(self._blob)[start * size : end * size]))

    @cached_property
    def ends(self) -> array[int]:
        """Where each term ends in the file, in bytes."""
        # Of a file of a million terms, 8 MB: eight bytes a term, and no list of them on the way.
        return offload(self._add_up)

    def _add_up(self) -> array[int]:
        return array("Q", accumulate(length for (length,) in self._LENGTH.iter_unpack(self._blob)))

    @property
    def size_bytes(self) -> int:
        """The file's size."""
        return self.ends[-1] if self._blob else 0


@dataclass(frozen=True)
class Piece:
    """A run of a xorb's chunks, ``start`` to ``end`` (exclusive).

    first, last: the bytes that it is stored as, both inclusive.
    """

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """How to put a range of a file together.

    offset: how many bytes of the first term come before the range. pieces: by xorb, in the order of their first use,
    what is to be fetched; every term lies within one of them, and no two of them overlap or touch.
    """

    table: TermTable
    offset: int = 0
    first: int = 0
    end: int = 0
    trimmed: Mapping[int, Term] = field(default_factory=dict)
    pieces: Mapping[bytes, Sequence[Piece]] = field(default_factory=dict)

    def terms(self) -> Iterator[Term]:
        """The terms, without chunks that lie wholly outside the range."""
        for index, term in enumerate(self.table.slice(self.first, self.end), self.first):
            yield self.trimmed.get(index, term)


def plan_range(table: TermTable, load: LoadChunks, start: int = 0, length: int | None = None) -> Plan:
    """How to put ``length`` bytes (None: all) of a file together from ``start`` on; those past its end are left out.

    The same range gives the same plan. Raises RangeNotSatisfiable when it begins past the end, but for the beginning
    of an empty file.
    """
    plan = trim_range(table, load, start, length)
    return replace(plan, pieces=locate_pieces([plan], load))


def trim_range(table: TermTable, load: LoadChunks, start: int, length: int | None) -> Plan:
    """As ``plan_range``, with the terms alone: where their bytes are stored is not looked up."""
    size_bytes = table.size_bytes
    if start >= size_bytes:
        if start == 0:
            return Plan(table)
        raise RangeNotSatisfiable("The range begins past the end of the file.", size_bytes=size_bytes)
    stop = size_bytes if length is None else min(start + length, size_bytes)
    first, last = bisect_right(table.ends, start), bisect_left(table.ends, stop)
    trimmed, offset = _trim(table, load, first, last, start, stop)
    return Plan(table, offset, first, last + 1, trimmed)


def locate_pieces(plans: Iterable[Plan], load: LoadChunks) -> dict[bytes, tuple[Piece, ...]]:
    """By xorb, the pieces in which all terms of the plans lie, and their bytes."""
    # A file may have nearly a million terms.
    runs = offload(_collect_runs, plans)
    pieces: dict[bytes, tuple[Piece, ...]] = {}
    remaining = iter(runs)
    while batch := list(islice(remaining, _XORBS_AT_ONCE)):
        chunks = load(batch)
        for xorb in batch:
            packed = chunks[xorb]
            found = []
            for start, end in merge_runs(runs[xorb]):
                first, after = packed.stored_range(start, end)
                found.append(Piece(start, end, first, after - 1))
            pieces[xorb] = tuple(found)
    return pieces


def _trim(
    table: TermTable, load: LoadChunks, first: int, last: int, start: int, stop: int
) -> tuple[dict[int, Term], int]:
    """The first and the last term without the chunks outside the range, and what is too much at the beginning."""
    chunks = load(list({table[first].xorb, table[last].xorb}))
    trimmed: dict[int, Term] = {}
    offset = 0
    for index in {first, last}:
        term = table[index]
        packed = chunks[term.xorb]
        from_byte = table.ends[index] - term.raw_length

        def place_of(chunk: int, packed: PackedChunks = packed, term: Term = term, from_byte: int = from_byte) -> int:
            """Where a chunk begins in the file; of the one after the last, where the last one ends."""
            return from_byte + packed.raw_length(term.start, chunk)

        # The last chunk that begins at or before the range; the first boundary at or past its end.
        kept = bisect_right(range(term.end), start, lo=term.start, key=place_of) - 1 if index == first else term.start
        until = bisect_left(range(term.end), stop, lo=kept + 1, key=place_of) if index == last else term.end
        if index == first:
            offset = start - place_of(kept)
        trimmed[index] = Term(term.xorb, packed.raw_length(kept, until), kept, until)
    return trimmed, offset


def _collect_runs(plans: Iterable[Plan]) -> dict[bytes, set[tuple[int, int]]]:
    runs: dict[bytes, set[tuple[int, int]]] = {}
    for plan in plans:
        for term in plan.terms():
            runs.setdefault(term.xorb, set()).add((term.start, term.end))
    return runs


def merge_runs(runs: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same chunks in runs of which no two overlap or touch, in order.

    Clients tell fetched blocks apart by their first chunk alone. Source: Xet contract, section 7.
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(runs):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


class MakeAddress(Protocol):
    """Gives the address that allows a client to fetch some pieces of a xorb."""

    @property
    def pieces_at_once(self) -> int:
        """How many pieces one address may allow."""

    def __call__(self, xorb: bytes, pieces: Sequence[Piece], /) -> str: ...


def write_first_form(plan: Plan, address: MakeAddress) -> Iterator[bytes]:
    """The JSON of version 1, in parts: a piece of a xorb, an address."""
    yield from _write_head(plan)
    yield b',"fetch_info":{'
    yield from _write_fetch_info(plan.pieces, address)
    yield b"}}"


def write_second_form(plan: Plan, address: MakeAddress) -> Iterator[bytes]:
    """The JSON of version 2, in parts: an address serves several pieces of a xorb."""
    yield from _write_head(plan)
    yield b',"xorbs":{'
    for number, (xorb, pieces) in enumerate(plan.pieces.items()):
        entries = []
        for start in range(0, len(pieces), address.pieces_at_once):
            some = pieces[start : start + address.pieces_at_once]
            entries.append({"url": address(xorb, some), "ranges": [_as_ranges(piece) for piece in some]})
        yield _member(number, hash_to_text(xorb), entries)
    yield b"}}"


def write_files(
    plans: Mapping[str, Plan], pieces: Mapping[bytes, Sequence[Piece]], address: MakeAddress
) -> Iterator[bytes]:
    """The JSON that answers for several files at once. pieces: what ``locate_pieces`` says of all plans."""
    yield b'{"files":{'
    for number, (name, plan) in enumerate(plans.items()):
        yield (b"," if number else b"") + json.dumps(name).encode() + b":"
        yield from _write_terms(plan)
    yield b'},"fetch_info":{'
    yield from _write_fetch_info(pieces, address)
    yield b"}}"


def _write_fetch_info(pieces: Mapping[bytes, Sequence[Piece]], address: MakeAddress) -> Iterator[bytes]:
    """The members of ``fetch_info``, one for each xorb."""
    for number, (xorb, some) in enumerate(pieces.items()):
        entries = [
            {
                "range": {"start": piece.start, "end": piece.end},
                "url": address(xorb, (piece,)),
                "url_range": {"start": piece.first, "end": piece.last},
            }
            for piece in some
        ]
        yield _member(number, hash_to_text(xorb), entries)


def _write_head(plan: Plan) -> Iterator[bytes]:
    yield f'{{"offset_into_first_range":{plan.offset},"terms":'.encode()
    yield from _write_terms(plan)


def _write_terms(plan: Plan) -> Iterator[bytes]:
    """The list of terms. A file may have nearly a million: no more than some are held at once."""
    terms = plan.terms()
    opening = b"["
    while some := list(islice(terms, _TERMS_AT_ONCE)):
        texts = (
            f'{{"hash":"{hash_to_text(term.xorb)}","unpacked_length":{term.raw_length},'
            f'"range":{{"start":{term.start},"end":{term.end}}}}}'
            for term in some
        )
        yield opening + ",".join(texts).encode()
        opening = b","
    yield b"]" if opening == b"," else b"[]"


def _as_ranges(piece: Piece) -> dict[str, dict[str, int]]:
    return {
        "chunks": {"start": piece.start, "end": piece.end},
        "bytes": {"start": piece.first, "end": piece.last},
    }


def _member(number: int, name: str, value: object) -> bytes:
    text = f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"
    return ("," + text if number else text).encode()
