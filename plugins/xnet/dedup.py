"""What clients may know of chunks that the hub has, so as not to send them again. Source: Xet contract, section 8.3.

Answers are under a key of their own: with it a client recognises the chunks that it has, and learns nothing of others.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import select

from hub.plugin import Actor, Context
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import Denied, NotFound, NotSignedIn
from hub.plugin.lfs import holds_contents, readable_contents
from hub.plugin.objects import offload
from hub.plugin.repos import Repository, get_readable, require_content
from hub.plugin.settings import settings_of
from plugins.xnet.formats.shards import write_dedup_shard
from plugins.xnet.formats.xorbs import PackedChunks
from plugins.xnet.mentions import refresh_mentions
from plugins.xnet.models import Chunk, File, FileXorb, Xorb
from plugins.xnet.reading import find_chunks
from plugins.xnet.settings import XnetSettings

# Of files that have the chunk, so many are looked at for one that the actor may read.
_FILES_AT_ONCE = 500
# An answer tells of the xorb with the chunk and of those beside it in the same file: up to 2.4 MB.
_MAX_XORBS = 64
_MAX_CHUNKS = 50_000


def answer_query(context: Context, *, actor: Actor, repository_id: int, chunk_hash: bytes) -> bytes:
    """A shard with the xorbs around a chunk, out of a file that the actor may read.

    Raises NotFound (``chunk_not_found``) for a chunk that is not here, and one that the actor may not know of alike.
    """
    settings = settings_of(context, XnetSettings)
    with reading(context) as work:
        repository = get_readable(work, actor=actor, repository_id=repository_id)
        found = _find_file(work, actor, repository, chunk_hash) if settings.dedup else None
        if found is None:
            raise NotFound("There is no such chunk.", code="chunk_not_found")
        hashes = _find_xorbs(work, *found)
    refresh_mentions(context, hashes)
    known = find_chunks(context, hashes)
    now_s = int(context.clock.now().timestamp())
    xorbs = [(xorb, known[xorb]) for xorb in hashes if xorb in known]
    return offload(_write, xorbs, now_s, now_s + settings.dedup_expiry_s)


def _find_file(work: UnitOfWork, actor: Actor, repository: Repository, chunk_hash: bytes) -> tuple[bytes, bytes] | None:
    """(file, xorb): a file whose content the actor may read, with a xorb that has the chunk. A few queries."""
    rows = work.session.execute(
        select(File.oid, File.hash, Chunk.xorb_hash)
        .join(FileXorb, FileXorb.xorb_hash == Chunk.xorb_hash)
        .join(File, File.hash == FileXorb.file_hash)
        .where(Chunk.chunk_hash == chunk_hash)
        .order_by(File.created_at.desc(), File.hash)
        .limit(_FILES_AT_ONCE)
    ).all()
    if not rows:
        return None
    oids = [row.oid for row in rows]
    readable = readable_contents(work, actor, oids) | _held_by(work, actor, repository, oids)
    return next(((row.hash, row.xorb_hash) for row in rows if row.oid in readable), None)


def _held_by(work: UnitOfWork, actor: Actor, repository: Repository, oids: Sequence[str]) -> set[str]:
    """Those contents that the ticket's repository holds, if its gate, where it has one, is open to the actor."""
    try:
        require_content(work, actor, repository)
    except (Denied, NotSignedIn):
        return set()
    return holds_contents(work, repository.id, oids, actor=actor)


def _find_xorbs(work: UnitOfWork, file_hash: bytes, xorb_hash: bytes) -> list[bytes]:
    """The xorb, and those beside it in a file: first what came in after it, which mostly follows it in the file."""
    count, came_at = work.session.execute(select(Xorb.chunk_count, Xorb.created_at).where(Xorb.hash == xorb_hash)).one()
    found = [xorb_hash]
    beside = (
        (Xorb.created_at >= came_at, Xorb.created_at.asc()),
        (Xorb.created_at < came_at, Xorb.created_at.desc()),
    )
    for condition, order in beside:
        rows = work.session.execute(
            select(Xorb.hash, Xorb.chunk_count)
            .join(FileXorb, FileXorb.xorb_hash == Xorb.hash)
            .where(FileXorb.file_hash == file_hash, Xorb.hash != xorb_hash, condition)
            .order_by(order, Xorb.hash)
            .limit(_MAX_XORBS)
        )
        for row in rows:
            count += row.chunk_count
            if len(found) == _MAX_XORBS or count > _MAX_CHUNKS:
                return found
            found.append(row.hash)
    return found


def _write(xorbs: Sequence[tuple[bytes, PackedChunks]], created_at_s: int, expires_at_s: int) -> bytes:
    return write_dedup_shard(
        xorbs, hmac_key=secrets.token_bytes(32), created_at_s=created_at_s, expires_at_s=expires_at_s
    )
