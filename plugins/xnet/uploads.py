"""Xorbs that come in. Source: Xet contract, section 8.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import select, update

from hub.plugin import Action, Actor, Context, get_logger
from hub.plugin.db import UnitOfWork, insert_new, reading, unit_of_work
from hub.plugin.errors import Invalid
from hub.plugin.lfs import holds_contents
from hub.plugin.objects import begin, check_object_room, offload
from hub.plugin.policy import require
from hub.plugin.repos import get_readable
from plugins.xnet import models
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.formats.xorbs import FormatError, Xorb, XorbReader
from plugins.xnet.mentions import note_mentions, refresh_mentions
from plugins.xnet.models import File, FileXorb
from plugins.xnet.pending import add_pending, check_pending, note_pending
from plugins.xnet.storage import Body, is_stored, publish_xorb, receive_body

log = get_logger(__name__)

# Of files that share a xorb, so many are looked at when a repository is asked whether it uses it.
_FILES_AT_ONCE = 500


def receive_xorb(
    context: Context, *, actor: Actor, repository_id: int, xorb_hash: bytes, chunks: Iterable[bytes]
) -> bool:
    """Check and keep a xorb; whether it is new to the repository. It opens its own short units of work.

    Who sends what the hub already has learns nothing by it: the body is always read and checked whole. What was there
    first stays, since clients know where its chunks lie.
    Raises NotFound, NotSignedIn, Denied; Invalid (``xorb_invalid``, ``xorb_hash_mismatch``), QuotaExceeded,
    Unavailable; nothing is kept then.
    """
    with reading(context) as work:
        repository = get_readable(work, actor=actor, repository_id=repository_id)
        require(work, actor, Action.REPOSITORY_PROPOSE, repository)
    reader = XorbReader()
    with receive_body(context, _checked(chunks, reader)) as body:
        xorb = offload(_finish, reader)
        if xorb.hash != xorb_hash:
            raise Invalid("The xorb's hash is not the one in the address.", code="xorb_hash_mismatch")
        with reading(context) as work:
            is_new = not _uses(work, actor, repository_id, xorb_hash)
            # What the hub itself cuts, the repository holds already: it is no new room that its owner takes.
            if is_new and not actor.is_system:
                check_object_room(work, repository, max(xorb.raw_bytes, xorb.stored_bytes))
            if is_new and actor.user_id is not None:
                check_pending(work, actor.user_id, xorb)
        _keep(context, xorb, body, sender_id=actor.user_id if is_new else None)
    return is_new


def _checked(chunks: Iterable[bytes], reader: XorbReader) -> Iterator[bytes]:
    """The chunks themselves, each checked while the taker is busy with it and the next one comes.

    Raises Invalid (``xorb_invalid``), when all has come: a client that still sends would not see the answer.
    """
    coming = iter(chunks)
    wait: Callable[[], None] | None = None
    try:
        for chunk in coming:
            if wait is not None:
                wait()
            wait = begin(_check, reader, chunk)
            yield chunk
        if wait is not None:
            wait()
    except Invalid:
        for _ in coming:
            pass
        raise


def _check(reader: XorbReader, chunk: bytes) -> None:
    with _refusing():
        reader.feed(chunk)


def _finish(reader: XorbReader) -> Xorb:
    with _refusing():
        return reader.finish()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        raise Invalid(f"The xorb is refused: {error}.", code="xorb_invalid") from None


def _uses(work: UnitOfWork, actor: Actor, repository_id: int, xorb_hash: bytes) -> bool:
    """Whether a file that the repository has for the actor has chunks of the xorb."""
    files = select(File.oid).join(FileXorb, FileXorb.file_hash == File.hash).where(FileXorb.xorb_hash == xorb_hash)
    oids = work.session.scalars(files.limit(_FILES_AT_ONCE))
    return bool(holds_contents(work, repository_id, oids, actor=actor))


def _keep(context: Context, xorb: Xorb, body: Body, *, sender_id: int | None) -> None:
    with reading(context) as work:
        known_bytes = work.session.scalar(select(models.Xorb.stored_bytes).where(models.Xorb.hash == xorb.hash))
    if known_bytes is not None and is_stored(context, xorb.hash, known_bytes):
        refresh_mentions(context, [xorb.hash])
        if sender_id is not None:
            note_pending(context, sender_id, xorb)
        return
    with body.stage(xorb.stored_bytes) as staged, unit_of_work(context) as work:
        _register(work, xorb, staged)
        if sender_id is not None:
            add_pending(work, sender_id, xorb)
    log.info("xorb_received", xorb=hash_to_text(xorb.hash), raw_bytes=xorb.raw_bytes, stored_bytes=xorb.stored_bytes)


def _register(work: UnitOfWork, xorb: Xorb, staged: str) -> None:
    """Give the xorb its row, and the staged bytes their place.

    The bytes are moved inside the unit of work, against the rule that it waits for no storage, and for a reason: of
    two that bring one xorb in different compressions, who has the row decides which bytes stay; and the garbage
    collector, which takes the bytes of rows that it removes, is waited for. Without the commit, bytes in their place
    are nobody's.
    """
    values = {
        "hash": xorb.hash,
        "chunk_count": len(xorb.chunks),
        "raw_bytes": xorb.raw_bytes,
        "stored_bytes": xorb.stored_bytes,
        "created_at": work.now(),
        "seen_at": work.now(),
        "chunks": xorb.chunks.to_bytes(),
    }
    row = select(models.Xorb.stored_bytes).where(models.Xorb.hash == xorb.hash).with_for_update(key_share=True)
    while not insert_new(work.session, models.Xorb, [values]):
        known_bytes = work.session.scalar(row)
        if known_bytes is None:
            continue  # the collector took it away since
        if is_stored(work.context, xorb.hash, known_bytes):
            note_mentions(work, [xorb.hash])
            return
        # The collector was killed when it had taken the bytes and not yet the row.
        work.session.execute(update(models.Xorb).where(models.Xorb.hash == xorb.hash).values(**values))
        break
    publish_xorb(work.context, staged, xorb.hash)
