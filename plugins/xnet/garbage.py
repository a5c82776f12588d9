"""Xorbs that nothing needs any more go. Source: Xet contract, section 8.4.

Files need no collecting: their rows go with the LFS objects that they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.exc import IntegrityError

from hub.plugin import Context, get_logger
from hub.plugin.db import insert_new, reading, unit_of_work
from hub.plugin.jobs import JobRun
from hub.plugin.objects import ObjectInfo, get_store
from hub.plugin.settings import settings_of
from plugins.xnet.models import FileXorb, Xorb
from plugins.xnet.pending import forget_pending
from plugins.xnet.settings import XnetSettings
from plugins.xnet.storage import PREFIX, delete_xorb, hash_of_key

log = get_logger(__name__)

# Longer than any upload is on its way between its bytes and its row.
_GRACE = timedelta(days=1)
_AT_ONCE = 500


@dataclass(frozen=True)
class Collected:
    """What one run removed. orphans: bytes without a row. size_bytes: of all that was freed."""

    xorbs: int
    orphans: int
    size_bytes: int


def collect(run: JobRun) -> None:
    """The daily job."""
    done = collect_garbage(run.context)
    run.log(f"Removed {done.xorbs} unused xorbs and {done.orphans} leftovers, {done.size_bytes} bytes.")


def collect_garbage(context: Context) -> Collected:
    """Remove xorbs that no file uses and nobody has mentioned for long, and bytes that have no row.

    It opens its own short units of work, and may run while xorbs and shards come in, and beside itself.
    """
    now = context.clock.now()
    kept_since = now - timedelta(seconds=settings_of(context, XnetSettings).keep_unused_s)
    xorbs, xorb_bytes = _remove_unused(context, kept_since)
    forget_pending(context, kept_since)
    orphans, orphan_bytes = _remove_orphans(context, now - _GRACE)
    done = Collected(xorbs, orphans, xorb_bytes + orphan_bytes)
    log.info("xnet_garbage_collected", xorbs=done.xorbs, orphans=done.orphans, size_bytes=done.size_bytes)
    return done


def _remove_unused(context: Context, seen_before: datetime) -> tuple[int, int]:
    count = size_bytes = 0
    after = b""
    while True:
        with reading(context) as work:
            candidates = work.session.scalars(
                select(Xorb.hash)
                .where(Xorb.hash > after, Xorb.seen_at < seen_before, _is_unused())
                .order_by(Xorb.hash)
                .limit(_AT_ONCE)
            ).all()
        if not candidates:
            return count, size_bytes
        for xorb_hash in candidates:
            removed_bytes = _remove_xorb(context, xorb_hash, seen_before)
            if removed_bytes is not None:
                count, size_bytes = count + 1, size_bytes + removed_bytes
        after = candidates[-1]


def _remove_xorb(context: Context, xorb_hash: bytes, seen_before: datetime) -> int | None:
    """Remove one xorb unless somebody uses or has mentioned it by now; return its size, or None.

    The bytes go inside the unit of work, against the rule that it waits for no storage, and for a reason: who brings
    the same xorb at this moment waits for this transaction before they give their bytes the same place. A crash
    after the bytes went leaves a row that no file uses: the next upload mends it, the next run removes it.
    """
    try:
        with unit_of_work(context) as work:
            removed_bytes = work.session.scalar(
                delete(Xorb)
                .where(Xorb.hash == xorb_hash, Xorb.seen_at < seen_before, _is_unused())
                .returning(Xorb.stored_bytes)
            )
            if removed_bytes is not None:
                delete_xorb(context, xorb_hash)
            return removed_bytes
    except IntegrityError:
        # On PostgreSQL, a file that was not yet committed when we looked: the foreign key saved the xorb.
        return None


def _is_unused() -> ColumnElement[bool]:
    return ~exists().where(FileXorb.xorb_hash == Xorb.hash)


def _remove_orphans(context: Context, older_than: datetime) -> tuple[int, int]:
    """Remove bytes that lie under a xorb's key and have no row: kill -9 came between the two."""
    count = size_bytes = 0
    for infos in _batches(get_store(context).list(PREFIX)):
        found = {hash_of_key(info.key): info for info in infos if info.modified_at < older_than}
        hashes = [xorb_hash for xorb_hash in found if xorb_hash is not None]
        with reading(context) as work:
            known = {*work.session.scalars(select(Xorb.hash).where(Xorb.hash.in_(hashes)))}
        for xorb_hash in hashes:
            if xorb_hash not in known and _remove_orphan(context, xorb_hash):
                count, size_bytes = count + 1, size_bytes + found[xorb_hash].size_bytes
    return count, size_bytes


def _remove_orphan(context: Context, xorb_hash: bytes) -> bool:
    """Remove bytes without a row; False when they have one by now.

    A row of our own keeps the place meanwhile: who brings the xorb at this moment waits until it is gone again.
    """
    now = context.clock.now()
    values = {"hash": xorb_hash, "chunk_count": 0, "raw_bytes": 0, "stored_bytes": 0, "chunks": b""}
    with unit_of_work(context) as work:
        if not insert_new(work.session, Xorb, [{**values, "created_at": now, "seen_at": now}]):
            return False
        delete_xorb(context, xorb_hash)
        work.session.execute(delete(Xorb).where(Xorb.hash == xorb_hash))
    return True


def _batches(infos: Iterator[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    while batch := list(islice(infos, _AT_ONCE)):
        yield batch
