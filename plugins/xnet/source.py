"""Contents in chunks, as the hub asks for them: plain bytes for every client, ids and tickets for those of Xet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from sqlalchemy import bindparam, select

from hub.plugin import Context
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import NotFound
from hub.plugin.lfs import Ticket, TicketRequest
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.models import File
from plugins.xnet.reading import find_chunks, read_terms
from plugins.xnet.reconstruction import TermTable, trim_range
from plugins.xnet.tickets import LIFE_S, Claims, TicketScope, sign_ticket

# Built once: each download of a file in LFS asks it.
_HASHES = select(File.oid, File.hash).where(File.oid.in_(bindparam("oids", expanding=True)))


class XnetSource:
    """The ``ContentSource`` of the plugin. A content is here when it has a row in ``xnet_files``."""

    title = "Xet"

    def open_range(self, context: Context, oid: str, start: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes of a content, in chunks. Raises NotFound (``lfs_object_not_found``), at once."""
        with reading(context) as work:
            blob = work.session.scalar(select(File.terms).where(File.oid == oid))
        if blob is None:
            raise NotFound("The content is not here in chunks.", code="lfs_object_not_found")
        if length <= 0:
            return iter(())

        plan = trim_range(TermTable(blob), partial(find_chunks, context), start, length)
        return _cut(read_terms(context, plan.terms()), plan.offset, length)

    def holds(self, context: Context, oid: str) -> bool:
        """Whether all chunks of a content are here: as long as it has a row, they are kept."""
        with reading(context) as work:
            return work.session.scalar(select(File.oid).where(File.oid == oid)) is not None

    def forget(self, context: Context, oids: Sequence[str]) -> None:
        """Nothing is left to do: a file's row goes with the LFS object that it is, in the same transaction.

        Chunks that nothing else uses go once clients forgot them (``garbage``).
        """

    def transfer_ids(self, work: UnitOfWork, oids: Sequence[str]) -> dict[str, str]:
        """By oid, the hash by which clients fetch a content."""
        if not oids:
            return {}
        rows = work.rows(_HASHES, {"oids": oids})
        return {oid: hash_to_text(file_hash) for oid, file_hash in rows}

    def issue_ticket(self, context: Context, request: TicketRequest) -> Ticket:
        """Leave to move chunks of the repository's contents for half an hour."""
        expires_at_s = int(context.clock.now().timestamp()) + LIFE_S
        claims = Claims.of(
            request.actor,
            scope=TicketScope.WRITE if request.is_write else TicketScope.READ,
            repository_id=request.repository.id,
            base_url=request.base_url,
            expires_at_s=expires_at_s,
        )
        return Ticket(f"{request.base_url}/xet", sign_ticket(context, claims), expires_at_s)


def _cut(pieces: Iterable[bytes], offset: int, length: int) -> Iterator[bytes]:
    """``length`` bytes from ``offset`` on. Nothing is copied but the first piece and the last."""
    for piece in pieces:
        if offset or len(piece) > length:
            piece = piece[offset : offset + length]
            offset = 0
        yield piece
        length -= len(piece)
        if length <= 0:
            return
