"""What nobody holds any more goes: objects without a link, leftovers of uploads, uploads that were given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.exc import IntegrityError

from hub.base.context import Context
from hub.base.log import get_logger
from hub.db.insert import insert_new
from hub.db.uow import reading, unit_of_work
from hub.objects.store import STORE, ObjectInfo
from hub.repos.lfs.holdings import is_oid, is_unheld, object_key, sizes_of_stored
from hub.repos.lfs.sources import SOURCES
from hub.repos.models import LFSObject, LFSUpload

log = get_logger(__name__)

# Longer than any upload is on its way between its bytes and its row.
GRACE = timedelta(hours=24)
_AT_ONCE = 500


@dataclass(frozen=True)
class GarbageReport:
    """What one run removed. size_bytes counts the bytes of objects and of staged leftovers.

    What a source keeps in pieces that others need, too, frees fewer bytes than that, and later.
    """

    objects: int = 0
    uploads: int = 0
    staged: int = 0
    size_bytes: int = 0


def collect_garbage(context: Context, *, now: datetime, grace: timedelta = GRACE) -> GarbageReport:
    """Remove what no repository holds and is older than the grace. It opens its own short units of work.

    May run while objects come in, and beside another run of itself.
    """
    uploads = _remove_expired_uploads(context, now)
    swept = context[STORE].sweep_staging(older_than=now - grace, keep_uploads=_live_uploads(context))
    _adopt_strays(context, now - grace)
    count, size_bytes = _remove_unlinked_objects(context, now - grace)
    report = GarbageReport(count, uploads, swept.count, size_bytes + swept.size_bytes)
    log.info("lfs_garbage_collected", objects=count, uploads=uploads, staged=swept.count, size_bytes=report.size_bytes)
    return report


def preview_garbage(context: Context, *, now: datetime, grace: timedelta = GRACE) -> GarbageReport:
    """What ``collect_garbage`` would remove by what the database knows: contents without a row are not counted."""
    with reading(context) as work:
        unlinked = select(func.count(), func.coalesce(func.sum(LFSObject.size_bytes), 0)).where(
            _is_garbage(context, now - grace)
        )
        count, size_bytes = work.session.execute(unlinked).one()
        expired = select(func.count()).select_from(LFSUpload).where(LFSUpload.expires_at <= now)
        uploads = work.session.scalar(expired) or 0
    return GarbageReport(count, uploads, 0, int(size_bytes))


def _remove_expired_uploads(context: Context, now: datetime) -> int:
    with reading(context) as work:
        expired = work.session.scalars(select(LFSUpload).where(LFSUpload.expires_at <= now)).all()
    count = 0
    for upload in expired:
        with unit_of_work(context) as work:
            # Unless the client has come back and prolonged it meanwhile.
            gone = work.session.scalar(
                delete(LFSUpload).where(LFSUpload.id == upload.id, LFSUpload.expires_at <= now).returning(LFSUpload.id)
            )
        if gone is not None:
            context[STORE].abort_multipart(upload.object_key, upload.upload_id)
            count += 1
    return count


def _live_uploads(context: Context) -> set[str]:
    with reading(context) as work:
        return set(work.session.scalars(select(LFSUpload.upload_id)))


def _adopt_strays(context: Context, older_than: datetime) -> None:
    """Give a row to stored contents that have none: kill -9 came between the bytes and the row.

    Their bytes were hashed before they got their place. Without a link they are removed like any other.
    """
    for infos in _batches(context[STORE].list("lfs/")):
        found = {info.key.rpartition("/")[2]: info for info in infos if info.modified_at < older_than}
        oids = [oid for oid, info in found.items() if is_oid(oid) and info.key == object_key(oid)]
        with reading(context) as work:
            known = sizes_of_stored(work, oids)
        rows = [
            {"oid": oid, "size_bytes": found[oid].size_bytes, "created_at": found[oid].modified_at}
            for oid in oids
            if oid not in known
        ]
        if rows:
            with unit_of_work(context) as work:
                insert_new(work.session, LFSObject, rows)


def _batches(infos: Iterator[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    while batch := list(islice(infos, _AT_ONCE)):
        yield batch


def _remove_unlinked_objects(context: Context, older_than: datetime) -> tuple[int, int]:
    count = size_bytes = 0
    after = ""
    while True:
        with reading(context) as work:
            candidates = work.session.scalars(
                select(LFSObject.oid)
                .where(LFSObject.oid > after, _is_garbage(context, older_than))
                .order_by(LFSObject.oid)
                .limit(_AT_ONCE)
            ).all()
        if not candidates:
            return count, size_bytes
        removed = []
        for oid in candidates:
            removed_bytes = _remove_object(context, oid, older_than)
            if removed_bytes is not None:
                removed.append(oid)
                size_bytes += removed_bytes
        count += len(removed)
        # All of them: a source may have pieces also of what lay whole in the object store.
        for source in context[SOURCES].values() if removed else ():
            source.forget(context, removed)
        after = candidates[-1]


def _remove_object(context: Context, oid: str, older_than: datetime) -> int | None:
    """Remove one object unless somebody holds it by now; return its size, or None.

    The bytes go inside the unit of work, against the rule that a unit of work waits for no storage, and for a reason:
    whoever is about to register the same object waits for this transaction, and then sees whether the bytes are there.
    A crash after the bytes went leaves a row that nobody holds; the next run removes it.
    """
    try:
        with unit_of_work(context) as work:
            removed_bytes = work.session.scalar(
                delete(LFSObject)
                .where(LFSObject.oid == oid, _is_garbage(context, older_than))
                .returning(LFSObject.size_bytes)
            )
            if removed_bytes is not None:
                context[STORE].delete(object_key(oid))
            return removed_bytes
    except IntegrityError:
        # On PostgreSQL, a link that was not yet committed when we looked: the foreign key saved the object.
        return None


def _is_garbage(context: Context, older_than: datetime) -> ColumnElement[bool]:
    """Nobody holds it, it is old, and who keeps its bytes is here to let them go."""
    return and_(
        LFSObject.created_at < older_than,
        LFSObject.source.in_(["", *context[SOURCES]]),
        is_unheld(),
    )
