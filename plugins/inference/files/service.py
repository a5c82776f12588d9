"""What can be done with files: keep one, look at it, list them, delete it. Whose they are is told by the key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO
from uuid import uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import CursorResult

from hub.plugin import Context, get_logger
from hub.plugin.db import UnitOfWork, insert_new, reading, unit_of_work
from hub.plugin.errors import Conflict, Invalid, NotFound, QuotaExceeded, TooLarge, Unavailable
from hub.plugin.objects import get_store
from hub.plugin.policy import Namespace
from hub.plugin.settings import settings_of
from plugins.inference.files.models import OVER, PREFIX, Batch, StoredFile
from plugins.inference.files.paging import Listed, Range, find_page
from plugins.inference.keys import Bearer
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# Source: gateway contract, section 1.10; what a batch writes nobody can bring.
BATCH, BATCH_OUTPUT = "batch", "batch_output"
PURPOSES = (BATCH, "fine-tune", "assistants", "vision", "user_data")
# Source: OpenAI's reference of files.
MIN_LIFE_S, MAX_LIFE_S = 3600, 30 * 24 * 3600
_ID = re.compile(r"file-[0-9a-f]{32}\Z")
_CHUNK = 256 * 1024
_SWEEP_BATCH = 500
# A file whose row is not yet there is younger than this.
_ORPHAN_AGE = timedelta(days=1)
# So long room is kept for a file whose bytes are on their way: whoever brings them may have died.
_STORING = timedelta(hours=1)


def read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file from its beginning."""
    file.seek(0)
    while piece := file.read(_CHUNK):
        yield piece


def keep_file(
    context: Context,
    *,
    bearer: Bearer,
    file: IO[bytes],
    size_bytes: int,
    filename: str,
    purpose: str,
    life_s: int | None = None,
) -> StoredFile:
    """Keep a file for the key's account. life_s: after so long it is deleted; None: never.

    Raises Invalid (``file_invalid``), TooLarge, QuotaExceeded (``files_full``), Unavailable.
    """
    settings = settings_of(context, InferenceSettings)
    if purpose not in PURPOSES:
        raise Invalid(f"A purpose is one of {', '.join(PURPOSES)}.", code="file_invalid")
    if life_s is not None and not MIN_LIFE_S <= life_s <= MAX_LIFE_S:
        raise Invalid(f"A file lives for {MIN_LIFE_S} to {MAX_LIFE_S} seconds.", code="file_invalid")
    if size_bytes > settings.max_file_bytes:
        raise TooLarge(f"A file may have {settings.max_file_bytes} bytes.", code="file_too_large")
    now = context.clock.now()
    row = StoredFile(
        public_id=f"file-{uuid4().hex}",
        namespace_id=bearer.namespace_id,
        owner_uuid=bearer.owner_uuid,
        key_id=bearer.key_id,
        purpose=purpose,
        filename=filename,
        size_bytes=size_bytes,
        expires_at=now + _STORING,
        is_stored=False,
        created_at=now,
    )
    # Its room first, so that files that come at once do not all take the last of it; nobody sees it before its bytes.
    with unit_of_work(context) as work:
        lock_account(work, bearer.namespace_id)
        held = select(func.sum(StoredFile.size_bytes)).where(StoredFile.namespace_id == bearer.namespace_id)
        if (work.session.scalar(held) or 0) + size_bytes > settings.max_files_bytes:
            raise QuotaExceeded("The account's files would be too much; delete some.", code="files_full")
        work.session.add(row)
    try:
        get_store(context).put(row.object_key, read_pieces(file), size_bytes=size_bytes)
        _show(context, row, expires_at=None if life_s is None else now + timedelta(seconds=life_s))
    except BaseException:
        with unit_of_work(context) as work:
            _delete(work, row)
        raise
    log.info("file_kept", file=row.public_id, size_bytes=size_bytes, key_id=bearer.key_id)
    return row


def _show(context: Context, row: StoredFile, *, expires_at: datetime | None) -> None:
    """From now on the file is there. Raises Unavailable when it was swept away meanwhile."""
    with unit_of_work(context) as work:
        shown = work.session.execute(
            update(StoredFile).where(StoredFile.id == row.id).values(is_stored=True, expires_at=expires_at)
        )
        assert isinstance(shown, CursorResult)
        if not shown.rowcount:
            raise Unavailable("The file took too long to be stored; send it again.", code="file_late")
    row.is_stored, row.expires_at = True, expires_at


def lock_account(work: UnitOfWork, namespace_id: int) -> None:
    """One after the other, so that two at once do not both take the last room of an account."""
    work.session.execute(select(Namespace.id).where(Namespace.id == namespace_id).with_for_update(key_share=True))


def write_file(context: Context, batch: Batch, *, public_id: str, filename: str, file: IO[bytes]) -> None:
    """Keep what a batch has written. Told again, it writes the same file again."""
    size = file.seek(0, 2)
    row = {
        "public_id": public_id,
        "namespace_id": batch.namespace_id,
        "owner_uuid": batch.owner_uuid,
        "key_id": batch.key_id,
        "purpose": BATCH_OUTPUT,
        "filename": filename,
        "size_bytes": size,
        "expires_at": None,
        "created_at": context.clock.now(),
    }
    get_store(context).put(StoredFile(**row).object_key, read_pieces(file), size_bytes=size)
    with unit_of_work(context) as work:
        insert_new(work.session, StoredFile, [row])


def get_file(work: UnitOfWork, *, bearer: Bearer, public_id: str) -> StoredFile:
    """A file of the key's account. Raises NotFound (``file_not_found``); one that has expired is gone, too."""
    query = select(StoredFile).where(
        StoredFile.public_id == public_id, StoredFile.namespace_id == bearer.namespace_id, StoredFile.is_stored
    )
    found = work.session.scalar(query) if _ID.match(public_id) else None
    if found is None or (found.expires_at is not None and found.expires_at <= work.now()):
        raise NotFound("There is no such file.", code="file_not_found")
    return found


def list_files(work: UnitOfWork, *, bearer: Bearer, range: Range, purpose: str = "") -> Listed[StoredFile]:
    """The account's files, the newest first unless told otherwise.

    Raises Invalid (``file_invalid``), NotFound (``file_not_found``).
    """
    if purpose and purpose not in (*PURPOSES, BATCH_OUTPUT):
        raise Invalid(f"A purpose is one of {', '.join(PURPOSES)}, {BATCH_OUTPUT}.", code="file_invalid")
    query = select(StoredFile).where(
        StoredFile.namespace_id == bearer.namespace_id,
        StoredFile.is_stored,
        StoredFile.expires_at.is_(None) | (StoredFile.expires_at > work.now()),
    )
    if purpose:
        query = query.where(StoredFile.purpose == purpose)
    after = get_file(work, bearer=bearer, public_id=range.after).id if range.after else None
    return find_page(work, query, StoredFile.id, range, after)


def delete_file(work: UnitOfWork, *, bearer: Bearer, public_id: str) -> None:
    """Delete a file. Raises NotFound (``file_not_found``), Conflict (``file_in_use``) while a batch reads it."""
    found = get_file(work, bearer=bearer, public_id=public_id)
    is_read = select(Batch.id).where(Batch.input_file_id == found.public_id, Batch.status.not_in(OVER)).limit(1)
    if work.session.scalar(is_read) is not None:
        raise Conflict("A batch that is under way reads this file; cancel it first.", code="file_in_use")
    _delete(work, found)
    log.info("file_deleted", file=public_id, key_id=bearer.key_id)


def _delete(work: UnitOfWork, row: StoredFile) -> None:
    store, key = get_store(work.context), row.object_key
    work.session.execute(delete(StoredFile).where(StoredFile.id == row.id))
    work.after_commit(lambda: store.delete(key))


def open_file(context: Context, row: StoredFile, start: int = 0) -> Iterator[bytes]:
    """A file's bytes from one on. Raises NotFound on the first piece when they are not there."""
    if row.size_bytes <= start:
        return iter(())
    return get_store(context).open_range(row.object_key, start, row.size_bytes - start)


def sweep_files(context: Context) -> int:
    """Delete files that have expired, or never came, but for those that a batch reads; how many they were."""
    removed, last = 0, 0
    read_by_batches = select(Batch.input_file_id).where(Batch.status.not_in(OVER))
    while True:
        with unit_of_work(context) as work:
            query = select(StoredFile).where(
                StoredFile.expires_at <= work.now(),
                StoredFile.id > last,
                StoredFile.public_id.not_in(read_by_batches),
            )
            rows = work.session.scalars(query.order_by(StoredFile.id).limit(_SWEEP_BATCH)).all()
            for row in rows:
                _delete(work, row)
        removed += len(rows)
        if len(rows) < _SWEEP_BATCH:
            return removed
        last = rows[-1].id


def sweep_objects(context: Context) -> int:
    """Remove bytes that no file has: of accounts that are gone, of requests that broke off; how many they were."""
    store, removed = get_store(context), 0
    oldest = context.clock.now() - _ORPHAN_AGE
    found: list[str] = []

    def remove_unknown() -> int:
        ids = {key.rpartition("/")[2]: key for key in found}
        with reading(context) as work:
            known = set(work.session.scalars(select(StoredFile.public_id).where(StoredFile.public_id.in_([*ids]))))
        gone = [key for id, key in ids.items() if id not in known]
        store.delete_many(gone)
        return len(gone)

    for info in store.list(PREFIX):
        if info.modified_at < oldest:
            found.append(info.key)
        if len(found) >= _SWEEP_BATCH:
            removed += remove_unknown()
            found.clear()
    return removed + (remove_unknown() if found else 0)
