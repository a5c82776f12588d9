"""The bytes of LFS objects, in and out: whole objects, those sent straight to the store, and those sent in parts.

What comes in here goes to the object store, unless a source (``sources``) has it already: then it is only hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge, Unavailable, Unprocessable
from hub.base.log import get_logger
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.objects.store import STAGING, STORE, ObjectInfo
from hub.objects.stream import Verifier, hash_mismatch, take_in
from hub.repos.gates import require_content
from hub.repos.lfs.holdings import (
    Stored,
    held_objects,
    is_had,
    is_unheld,
    object_key,
    sizes_of_held,
    stored_objects,
    unlink_object,
    validate_oid,
)
from hub.repos.lfs.proposed import check_room, register_for
from hub.repos.lfs.sources import SOURCES, get_source
from hub.repos.lookup import get_for, get_readable_place
from hub.repos.models import LFSObject, LFSUpload
from hub.repos.quotas import require_free_store

log = get_logger(__name__)

# Source: CSGHub contract, section 6.4.
MAX_PARTS = 1000


@dataclass(frozen=True)
class LFSContent:
    """An object that a repository holds, ready to be read.

    created_at: when the hub first got it. source: who keeps its bytes; "": they are whole in the object store.
    """

    context: Context
    oid: str
    size_bytes: int
    created_at: datetime
    source: str = ""

    def open_range(self, start: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes, in chunks. Raises Unavailable (``content_source_missing``)."""
        if self.source:
            return get_source(self.context, self.source).open_range(self.context, self.oid, start, length)
        return self.context[STORE].open_range(object_key(self.oid), start, length)

    def find_info(self) -> ObjectInfo | None:
        """What the object store has of it, of content that lies there whole; None: nothing."""
        return self.context[STORE].find(object_key(self.oid))

    @property
    def local_path(self) -> Path | None:
        """The plain file that holds the content, where the store has such."""
        return None if self.source else self.context[STORE].local_path(object_key(self.oid))

    def direct_url(self, *, expires_s: int, filename: str | None = None, method: str = "GET") -> str | None:
        """An address that the client may be sent to instead; None when the transfer goes through the hub."""
        store = self.context[STORE]
        if self.source or not store.is_direct:
            return None
        return store.presign_get(object_key(self.oid), expires_s=expires_s, filename=filename, method=method)


def get_content(context: Context, *, actor: Actor, repository_id: int, oid: str) -> LFSContent:
    """An object of a repository that the actor may read. It takes no lock and reads no byte of the object.

    Raises NotFound: ``repository_not_found``, ``lfs_object_not_found``; NotSignedIn, Denied: ``gated_repository``.
    """
    validate_oid(oid)
    with reading(context) as work:
        require_content(work, actor, get_readable_place(work, actor=actor, repository_id=repository_id))
        found = work.rows(_HELD, {"repository_id": repository_id, "oid": oid, "user_id": actor.user_id})
    if not found:
        raise object_missing()
    size_bytes, created_at, source = found[0]
    return LFSContent(context, oid, size_bytes, created_at, source)


# Built once: each download of a file in LFS asks it.
_HELD = select(LFSObject.size_bytes, LFSObject.created_at, LFSObject.source).where(
    LFSObject.oid == bindparam("oid"), is_had()
)


def object_missing() -> NotFound:
    """The repository does not hold the object, whether or not the hub does."""
    return NotFound("The repository has no such LFS object.", code="lfs_object_not_found")


def receive_object(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    oid: str,
    size_bytes: int,
    chunks: Iterable[bytes],
    action: Action = Action.REPOSITORY_WRITE,
) -> None:
    """Store an object's bytes and let the repository hold it. It opens its own short units of work.

    action: by which right; REPOSITORY_PROPOSE for a pull request's content.

    The whole body is always read and hashed, even when the hub has the object: only who has the bytes gets the link.
    Raises NotFound, Denied, Invalid, TooLarge, QuotaExceeded, Unavailable, Unprocessable (``size_mismatch``,
    ``hash_mismatch``); nothing is kept then.
    """
    _check_object(context, oid, size_bytes)
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        if oid not in sizes_of_held(work, repository_id, [oid], actor=actor):
            check_room(work, actor, repository, size_bytes)
    is_new = _find_stored(context, oid, size_bytes) is None
    if is_new:
        context[STORE].put(object_key(oid), chunks, size_bytes=size_bytes, sha256=oid)
    else:
        take_in(chunks, Verifier(size_bytes, oid))
    _register(
        context,
        actor=actor,
        repository_id=repository_id,
        oid=oid,
        size_bytes=size_bytes,
        is_placed=is_new,
        action=action,
    )
    log.info("lfs_object_received", repository_id=repository_id, oid=oid, size_bytes=size_bytes)


def verify_object(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    oid: str,
    size_bytes: int,
    action: Action = Action.REPOSITORY_WRITE,
) -> None:
    """Return when the repository holds the object with this size; else take what was sent straight to the store.

    Raises Invalid (``lfs_object_missing``, ``size_mismatch``), Unprocessable (``hash_mismatch``), NotFound, Denied,
    QuotaExceeded.
    """
    _check_object(context, oid, size_bytes)
    with reading(context) as work:
        get_for(work, actor=actor, action=action, repository_id=repository_id)
        held = held_objects(work, repository_id, [oid], actor=actor).get(oid)
    store = context[STORE]
    if held is not None:
        if held.size_bytes != size_bytes:
            raise Invalid(f"The object has {held.size_bytes} bytes.", code="size_mismatch")
        if not _is_there(context, oid, held):
            raise Invalid("The object's content is missing; upload it again.", code="lfs_object_missing")
        return
    staged = direct_key(repository_id, oid)
    if not store.is_direct or store.find(staged) is None:
        raise Invalid("The object has not been uploaded.", code="lfs_object_missing")
    is_placed = _adopt_staged(context, staged, oid, size_bytes)
    _register(
        context,
        actor=actor,
        repository_id=repository_id,
        oid=oid,
        size_bytes=size_bytes,
        is_placed=is_placed,
        action=action,
    )
    store.delete(staged)


def direct_key(repository_id: int, oid: str) -> str:
    """Where a client that was given a presigned address puts an object until it is verified."""
    return f"{STAGING}direct-{repository_id}-{oid}"


def _adopt_staged(context: Context, staged: str, oid: str, size_bytes: int) -> bool:
    """Hash what was staged and put it in its place, unless the hub has it; whether it was put there.

    The client's address can still write: so the very content that was hashed is copied, by its etag, or none.
    """
    store = context[STORE]
    info, sha256 = store.digest(staged)
    if info.size_bytes != size_bytes or sha256 != oid:
        store.delete(staged)
        if info.size_bytes != size_bytes:
            raise Unprocessable(f"{info.size_bytes} bytes came instead of {size_bytes}.", code="size_mismatch")
        raise hash_mismatch()
    if _find_stored(context, oid, size_bytes) is not None:
        return False
    store.copy(staged, object_key(oid), if_etag=info.etag)
    return True


def _check_object(context: Context, oid: str, size_bytes: int) -> None:
    validate_oid(oid)
    if size_bytes < 0:
        raise Invalid("The size is negative.", code="lfs_size_invalid")
    if size_bytes > context.settings.max_lfs_object_size_bytes:
        raise TooLarge(f"An object has at most {context.settings.max_lfs_object_size_bytes} bytes.")


def _find_stored(context: Context, oid: str, size_bytes: int) -> Stored | None:
    """Where the hub has the whole object, whoever holds it; None: it has not. Never to be told to a client."""
    with reading(context) as work:
        stored = stored_objects(work, [oid]).get(oid)
    if stored is None or stored.size_bytes != size_bytes or not _is_there(context, oid, stored):
        return None
    return stored


def _is_there(context: Context, oid: str, stored: Stored) -> bool:
    """Whether the bytes are where the row says. A source that does not run has none that anybody could read."""
    if stored.source:
        source = context[SOURCES].find(stored.source)
        return source is not None and source.holds(context, oid)
    info = context[STORE].find(object_key(oid))
    return info is not None and info.size_bytes == stored.size_bytes


def _register(
    context: Context, *, actor: Actor, repository_id: int, oid: str, size_bytes: int, is_placed: bool, action: Action
) -> None:
    """Let the repository hold an object whose bytes were seen and are in their place.

    is_placed: they were just put into the object store, so that is where they are from now on.
    Rights and quota are judged again: both may have changed while the bytes came.
    """
    with unit_of_work(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        if oid not in sizes_of_held(work, repository_id, [oid], actor=actor):
            require_free_store(context, size_bytes)
            register_for(work, actor, repository, {oid: size_bytes})
        if is_placed:
            work.session.execute(
                update(LFSObject).where(LFSObject.oid == oid, LFSObject.source != "").values(source="")
            )
        stored = stored_objects(work, [oid])[oid]
        work.session.execute(delete(LFSUpload).where(LFSUpload.repository_id == repository_id, LFSUpload.oid == oid))
    if not _is_there(context, oid, stored):
        # The garbage collector saw the object without a link just before there was one, and took its bytes.
        with unit_of_work(context) as work:
            unlink_object(work, repository_id, oid, size_bytes)
            # A row without bytes would be believed by a source that has them: a known content stays where it is.
            # On PostgreSQL somebody may just be linking it; their own look at the bytes is still to come.
            with suppress(IntegrityError), work.savepoint():
                work.session.execute(delete(LFSObject).where(LFSObject.oid == oid, is_unheld()))
        raise Unavailable("The object could not be stored just now; upload it again.", code="lfs_object_lost")


# Uploads in parts.


def part_size_of(context: Context, size_bytes: int, *, least_bytes: int | None = None) -> int:
    """How large each part of such an object is, the last one excepted. Source: CSGHub contract, section 6.4.

    least_bytes: None: as the setting has it.
    """
    least = context.settings.lfs_part_size_bytes if least_bytes is None else least_bytes
    return max(least, context[STORE].min_part_size_bytes, -(-size_bytes // MAX_PARTS))


def part_count_of(upload: LFSUpload) -> int:
    """How many parts make up the upload; 0 for an empty object."""
    return -(-upload.size_bytes // upload.part_size_bytes)


def prepare_uploads(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    sizes: dict[str, int],
    least_part_bytes: int | None = None,
) -> dict[str, LFSUpload]:
    """An upload in parts for each oid: the one that is under way, else a new one.

    least_part_bytes: as in ``part_size_of``. Rights must have been judged. Two queries and one write, whatever the
    number.
    """
    with reading(context) as work:
        found = _find_uploads(work, repository_id, [*sizes])
    now = context.clock.now()
    expires_at = now + timedelta(seconds=context.settings.lfs_url_ttl_s)
    rows = []
    stale = []
    for oid, size_bytes in sizes.items():
        upload = found.get(oid)
        part_bytes = part_size_of(context, size_bytes, least_bytes=least_part_bytes)
        if upload is not None and _is_usable(context, upload, size_bytes, part_bytes, now):
            continue
        if upload is not None:
            stale.append(upload)
        rows.append(_begin_upload(context, actor, repository_id, oid, size_bytes, part_bytes, now, expires_at))
    with unit_of_work(context) as work:
        if stale:
            work.session.execute(delete(LFSUpload).where(LFSUpload.id.in_([upload.id for upload in stale])))
        insert_new(work.session, LFSUpload, rows)
        work.session.execute(
            update(LFSUpload)
            .where(LFSUpload.repository_id == repository_id, LFSUpload.oid.in_([*sizes]))
            .values(expires_at=expires_at)
        )
        uploads = _find_uploads(work, repository_id, [*sizes])
    # Those that another request began at the same moment won; ours go.
    used = {upload.upload_id for upload in uploads.values()}
    for upload in stale:
        context[STORE].abort_multipart(upload.object_key, upload.upload_id)
    for row in rows:
        if row["upload_id"] not in used:
            context[STORE].abort_multipart(str(row["object_key"]), str(row["upload_id"]))
    return uploads


def _find_uploads(work: UnitOfWork, repository_id: int, oids: Sequence[str]) -> dict[str, LFSUpload]:
    rows = work.session.scalars(
        select(LFSUpload).where(LFSUpload.repository_id == repository_id, LFSUpload.oid.in_(oids))
    )
    return {upload.oid: upload for upload in rows}


def find_upload(work: UnitOfWork, repository_id: int, oid: str) -> LFSUpload | None:
    """The upload in parts that is under way for a content; None: there is none, or it has expired."""
    upload = _find_uploads(work, repository_id, [oid]).get(oid)
    return upload if upload is not None and upload.expires_at > work.now() else None


def _is_usable(context: Context, upload: LFSUpload, size_bytes: int, part_size_bytes: int, now: datetime) -> bool:
    if upload.size_bytes != size_bytes or upload.part_size_bytes != part_size_bytes or upload.expires_at <= now:
        return False
    try:
        context[STORE].list_parts(upload.object_key, upload.upload_id)
    except NotFound:
        return False
    return True


def _begin_upload(
    context: Context,
    actor: Actor,
    repository_id: int,
    oid: str,
    size_bytes: int,
    part_size_bytes: int,
    now: datetime,
    expires_at: datetime,
) -> dict[str, object]:
    key = f"{STAGING}{uuid4()}"
    return {
        "repository_id": repository_id,
        "user_id": actor.user_id,
        "oid": oid,
        "size_bytes": size_bytes,
        "part_size_bytes": part_size_bytes,
        "object_key": key,
        "upload_id": context[STORE].create_multipart(key, part_size_bytes=part_size_bytes),
        "created_at": now,
        "expires_at": expires_at,
    }


def receive_part(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    oid: str,
    upload_id: str,
    number: int,
    size_bytes: int,
    chunks: Iterable[bytes],
    action: Action = Action.REPOSITORY_WRITE,
) -> str:
    """Store one part of an upload; return the etag that completion asks for. size_bytes: of this part.

    Raises NotFound (also ``upload_not_found``), Denied, Unprocessable, Unavailable.
    """
    with reading(context) as work:
        get_for(work, actor=actor, action=action, repository_id=repository_id)
        upload = _get_upload(work, repository_id, oid, upload_id)
    if not 1 <= number <= part_count_of(upload):
        raise Invalid(f"The upload has the parts 1 to {part_count_of(upload)}.", code="part_invalid")
    require_free_store(context, size_bytes)
    return context[STORE].put_part(upload.object_key, upload_id, number, chunks, size_bytes=size_bytes)


def complete_upload(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    oid: str,
    size_bytes: int,
    upload_id: str,
    parts: Sequence[tuple[int, str]],
    action: Action = Action.REPOSITORY_WRITE,
) -> None:
    """Put the parts together, check the whole, and let the repository hold it. parts: (number, etag), in order.

    Repeating it after it succeeded is harmless. Raises NotFound (``upload_not_found``), Denied, QuotaExceeded,
    Unprocessable (``parts_mismatch``: the upload goes on; ``hash_mismatch``: it is over).
    """
    store = context[STORE]
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        if sizes_of_held(work, repository_id, [oid], actor=actor).get(oid) == size_bytes and not _find_uploads(
            work, repository_id, [oid]
        ):
            return
        upload = _get_upload(work, repository_id, oid, upload_id)
        check_room(work, actor, repository, size_bytes, are_stored=True)
    if size_bytes == 0:
        # S3 knows no upload without parts.
        store.put(upload.object_key, [], size_bytes=0, sha256=oid)
        store.abort_multipart(upload.object_key, upload_id)
    else:
        try:
            store.complete_multipart(upload.object_key, upload_id, parts, size_bytes=size_bytes, sha256=oid)
        except Unprocessable as error:
            if error.code != "parts_mismatch":
                _drop_upload(context, upload)
            raise
    found = _find_stored(context, oid, size_bytes)
    is_kept = found is not None and bool(found.source)
    if is_kept:
        store.delete(upload.object_key)
    else:
        store.move(upload.object_key, object_key(oid))
    _register(
        context,
        actor=actor,
        repository_id=repository_id,
        oid=oid,
        size_bytes=size_bytes,
        is_placed=not is_kept,
        action=action,
    )
    log.info("lfs_upload_completed", repository_id=repository_id, oid=oid, size_bytes=size_bytes)


def _get_upload(work: UnitOfWork, repository_id: int, oid: str, upload_id: str) -> LFSUpload:
    upload = _find_uploads(work, repository_id, [oid]).get(oid)
    if upload is None or upload.upload_id != upload_id or upload.expires_at <= work.now():
        raise NotFound("There is no such upload; ask for a new one.", code="upload_not_found")
    return upload


def _drop_upload(context: Context, upload: LFSUpload) -> None:
    with unit_of_work(context) as work:
        work.session.execute(delete(LFSUpload).where(LFSUpload.id == upload.id))
    context[STORE].abort_multipart(upload.object_key, upload.upload_id)
