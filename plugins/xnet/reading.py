"""Putting contents together from chunks, in bounded memory, for whoever wants plain bytes.

Source: Xet contract, section 9.1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from sqlalchemy import select

from hub.plugin import Context
from hub.plugin.db import reading
from hub.plugin.errors import Failed, HubError, NotFound
from hub.plugin.objects import begin, get_store, offload
from plugins.xnet.formats.shards import Term
from plugins.xnet.formats.xorbs import FormatError, PackedChunks, decode_chunks
from plugins.xnet.models import Xorb
from plugins.xnet.storage import xorb_key

# Lists of chunks take up to a mebibyte each in memory; so many are held at once.
_XORBS_AT_ONCE = 32
_TERMS_AT_ONCE = 4096
# A term of a hundred bytes may name 8192 chunks, and the same ones again and again.
_CHUNKS_AT_ONCE = 65_536
# What is read and uncompressed in one go. More is slower: the system gives each such piece new memory, page by page.
_RUN_BYTES = 1024 * 1024


class Window(NamedTuple):
    """Some terms of a file, in order, with the chunks of the xorbs that they name; unknown ones are absent."""

    terms: list[Term]
    chunks: dict[bytes, PackedChunks]


def read_windows(context: Context, terms: Iterable[Term]) -> Iterator[Window]:
    """The terms in windows of a few xorbs and some ten thousand chunks each.

    One query a window; none is open while a window is in use.
    """
    taken: list[Term] = []
    named: set[bytes] = set()
    chunks = 0
    for term in terms:
        chunks += term.end - term.start
        is_full = len(taken) == _TERMS_AT_ONCE or chunks > _CHUNKS_AT_ONCE
        if taken and (is_full or (term.xorb not in named and len(named) == _XORBS_AT_ONCE)):
            yield Window(taken, find_chunks(context, named))
            taken, named, chunks = [], set(), term.end - term.start
        taken.append(term)
        named.add(term.xorb)
    if taken:
        yield Window(taken, find_chunks(context, named))


def find_chunks(context: Context, xorb_hashes: Collection[bytes]) -> dict[bytes, PackedChunks]:
    """The chunks of those of the xorbs that the hub has. One query; ask for a few at a time."""
    with reading(context) as work:
        rows = work.session.execute(select(Xorb.hash, Xorb.chunks).where(Xorb.hash.in_(xorb_hashes))).all()
    return {row.hash: PackedChunks.from_bytes(row.chunks) for row in rows}


def read_terms(context: Context, terms: Iterable[Term]) -> Iterator[bytes]:
    """The bytes of the terms one after the other, in pieces of a mebibyte, each out of one term.

    The stored bytes of a term are read once. It takes no lock and holds no transaction while a piece is in use.
    Raises NotFound (``xorb_not_found``); Failed (``xorb_damaged``) when the store gives other bytes than it took;
    Unavailable.
    """
    for window in read_windows(context, terms):
        for term in window.terms:
            chunks = window.chunks.get(term.xorb)
            if chunks is None:
                raise xorb_missing()
            yield from read_term(context, term, chunks)


def read_term(context: Context, term: Term, chunks: PackedChunks) -> Iterator[bytes]:
    """As ``read_terms``, of one term. chunks: of its xorb."""
    store, key = get_store(context), xorb_key(term.xorb)
    runs = runs_of(chunks, term.start, term.end)
    path = store.local_path(key)
    if path is None:
        first, end = chunks.stored_range(term.start, term.end)
        stream = _Stream(store.open_range(key, first, end - first))
        yield from _ahead(partial(_decode, stream.take(end - first), raw_length) for first, end, raw_length in runs)
        return
    try:
        descriptor = offload(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise xorb_missing() from None
    try:
        yield from _ahead(partial(_read_run, descriptor, first, end, raw_length) for first, end, raw_length in runs)
    finally:
        os.close(descriptor)


def _ahead(tasks: Iterable[Callable[[], bytes]]) -> Iterator[bytes]:
    """What each of the tasks gives, in their order; the next one works while what one gave is in use."""
    waiting: Callable[[], bytes] | None = None
    try:
        for task in tasks:
            given, waiting = waiting, begin(task)
            if given is not None:
                yield given()
        if waiting is not None:
            given, waiting = waiting, None
            yield given()
    finally:
        # Nobody may take away what a thread still reads.
        if waiting is not None:
            with suppress(HubError):
                waiting()


def runs_of(chunks: PackedChunks, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """A range of chunks in runs of a mebibyte: (first stored byte, the one after the last, raw length)."""
    while start < end:
        stop = start + 1
        while stop < end and _weight(chunks, start, stop + 1) <= _RUN_BYTES:
            stop += 1
        yield *chunks.stored_range(start, stop), chunks.raw_length(start, stop)
        start = stop


def _weight(chunks: PackedChunks, start: int, end: int) -> int:
    first, after = chunks.stored_range(start, end)
    return max(after - first, chunks.raw_length(start, end))


def _read_run(descriptor: int, first: int, end: int, raw_length: int) -> bytes:
    try:
        stored = os.pread(descriptor, end - first, first)
    except OSError as error:
        raise xorb_damaged() from error
    return _decode(stored, raw_length)


def _decode(stored: bytes, raw_length: int) -> bytes:
    try:
        raw = b"".join(decode_chunks(stored))
    except FormatError as error:
        raise xorb_damaged() from error
    if len(raw) != raw_length:
        raise xorb_damaged()
    return raw


class _Stream:
    """Chunks of any length, taken in pieces of chosen lengths."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def take(self, length: int) -> bytes:
        """The next bytes. Raises Failed when there are fewer, NotFound when there is no such object."""
        parts, missing = [], length
        while missing > 0:
            part = self._rest or next(self._chunks, b"")
            if not part:
                raise xorb_damaged()
            parts.append(part[:missing])
            self._rest = part[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)


def xorb_missing() -> NotFound:
    """A xorb has no row, or no bytes."""
    return NotFound("Chunks of this content are not stored here.", code="xorb_not_found")


def xorb_damaged() -> Failed:
    """The store gives other bytes than it took."""
    return Failed("Stored chunks of this content are damaged.", code="xorb_damaged")
