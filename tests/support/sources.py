"""A content source that keeps contents in pieces of a few hundred bytes, in memory: a driver like any other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.db.uow import UnitOfWork, unit_of_work
from hub.plugin.lfs import Ticket, TicketRequest, hold_contents, known_contents
from hub.repos.lfs.sources import SOURCES
from tests.support.lfs import oid_of

NAME = "pieces"
_PIECE_BYTES = 300


class PieceSource:
    """Keeps what it is given by ``keep``; contents that have the same pieces share them."""

    title = "Pieces"

    def __init__(self) -> None:
        self._pieces: dict[bytes, bytes] = {}
        self._contents: dict[str, list[bytes]] = {}
        self.tickets: list[TicketRequest] = []

    @classmethod
    def start(cls, context: Context) -> PieceSource:
        """The source of a context from now on."""
        source = cls()
        context[SOURCES].add(NAME, source)
        return source

    @property
    def piece_count(self) -> int:
        """How many pieces there are, each counted once."""
        return len(self._pieces)

    def keep(self, content: bytes) -> str:
        """Take a content in; return its oid."""
        pieces = [content[start : start + _PIECE_BYTES] for start in range(0, len(content), _PIECE_BYTES)]
        keys = [hashlib.sha256(piece).digest() for piece in pieces]
        self._pieces.update(zip(keys, pieces, strict=True))
        self._contents[oid_of(content)] = keys
        return oid_of(content)

    def give(self, context: Context, who: dict[str, Any], *contents: bytes) -> list[str]:
        """Take contents in and let a repository hold them. who: actor and repository_id."""
        sizes = {self.keep(content): len(content) for content in contents}
        with unit_of_work(context) as work:
            hold_contents(work, **who, contents=sizes, source=NAME)
        return [*sizes]

    def lose(self, oid: str) -> None:
        """Be without a content, as after a disk died."""
        del self._contents[oid]

    def open_range(self, context: Context, oid: str, start: int, length: int) -> Iterator[bytes]:
        if oid not in self._contents:
            raise NotFound("The content is not here.", code="lfs_object_not_found")
        first, end = start // _PIECE_BYTES, start + length
        for number, key in enumerate(self._contents[oid][first : -(-end // _PIECE_BYTES)], first):
            offset = number * _PIECE_BYTES
            yield self._pieces[key][max(start - offset, 0) : end - offset]

    def holds(self, context: Context, oid: str) -> bool:
        return oid in self._contents

    def forget(self, context: Context, oids: Sequence[str]) -> None:
        with unit_of_work(context) as work:
            for oid in {*oids} - known_contents(work, oids):
                self._contents.pop(oid, None)
        used = {key for keys in self._contents.values() for key in keys}
        self._pieces = {key: piece for key, piece in self._pieces.items() if key in used}

    def transfer_ids(self, work: UnitOfWork, oids: Sequence[str]) -> dict[str, str]:
        return {oid: piece_id(oid) for oid in oids if oid in self._contents}

    def issue_ticket(self, context: Context, request: TicketRequest) -> Ticket:
        self.tickets.append(request)
        way = "write" if request.is_write else "read"
        return Ticket(f"{request.base_url}/pieces", f"{way}-{request.repository.id}", 1_900_000_000)


def piece_id(oid: str) -> str:
    """The id of a content's pieces."""
    return hashlib.sha256(f"pieces of {oid}".encode()).hexdigest()
