"""Pictures, sounds and films that people attach to what they say.

Whoever knows an attachment's address may have it, as with a picture in a text; the address cannot be guessed. What it
is, is told by its first bytes, never by who sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from sqlalchemy import delete, func, select

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.base.context import Context
from hub.base.errors import HubError, Invalid, NotFound, QuotaExceeded, TooLarge
from hub.base.log import get_logger
from hub.community.models import Attachment
from hub.db.base import new_uuid
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.objects.store import STORE
from hub.repos.quotas import require_free_store

log = get_logger(__name__)

MAX_BYTES = 10 * 1024 * 1024
# Of one account together.
MAX_TOTAL_BYTES = 1024 * 1024 * 1024

_PREFIX = "attachments/"
# Longer than any is on its way between its bytes and its row.
_GRACE = timedelta(hours=24)
_AT_ONCE = 500
_MAGIC_BYTES = 16
_TYPES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"ID3", "audio/mpeg"),
    *((0, bytes((0xFF, second)), "audio/mpeg") for second in (0xFB, 0xF3, 0xF2, 0xFA)),
)


def type_of(head: bytes) -> str | None:
    """The media type of what begins so; None for what is no picture, sound or film that browsers show."""
    for offset, magic, media_type in _TYPES:
        if head[offset : offset + len(magic)] == magic and (offset != 8 or head.startswith(b"RIFF")):
            return media_type
    return None


def object_key(uuid: str) -> str:
    """Where the object store keeps an attachment."""
    return f"{_PREFIX}{uuid}"


def add_attachment(context: Context, *, actor: Actor, chunks: Iterable[bytes]) -> Attachment:
    """Keep an attachment of the actor's. Its bytes are stored first, so that a crash leaves what is swept in a day.

    Raises NotSignedIn, Denied; Invalid (``attachment_type``), TooLarge, QuotaExceeded, Unavailable.
    """
    with reading(context) as work:
        _require_room(work, actor, 0)
    require_free_store(context, MAX_BYTES)
    remaining = iter(chunks)
    head = b""
    while len(head) < _MAGIC_BYTES and (chunk := next(remaining, b"")):
        head += chunk
    media_type = type_of(head)
    if media_type is None:
        raise Invalid("Pictures, sounds and films can be attached, and this is none of them.", code="attachment_type")
    uuid = new_uuid()
    info = context[STORE].put(object_key(uuid), _bounded(chain([head], remaining)))
    try:
        with unit_of_work(context) as work:
            user_id = _require_room(work, actor, info.size_bytes)
            attachment = Attachment(
                uuid=uuid, user_id=user_id, media_type=media_type, size_bytes=info.size_bytes, created_at=work.now()
            )
            work.session.add(attachment)
    except HubError:
        context[STORE].delete(object_key(uuid))
        raise
    log.info("attachment_added", attachment=uuid, size_bytes=info.size_bytes, actor_id=actor.user_id)
    return attachment


def _require_room(work: UnitOfWork, actor: Actor, size_bytes: int) -> int:
    """The id of the actor's account, when it may keep so many bytes more."""
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    if size_bytes:
        # One after the other, so that two at once do not both find the last room.
        work.session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    used = work.session.scalar(select(func.sum(Attachment.size_bytes)).where(Attachment.user_id == user.id)) or 0
    if used + size_bytes > MAX_TOTAL_BYTES:
        raise QuotaExceeded("Your attachments take all the room that an account has for them.")
    return user.id


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size_bytes = 0
    for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > MAX_BYTES:
            raise TooLarge(f"An attachment has at most {MAX_BYTES} bytes.")
        yield chunk


def get_attachment(work: UnitOfWork, uuid: str) -> Attachment:
    """The attachment at an address. Raises NotFound (``attachment_not_found``)."""
    attachment = work.session.get(Attachment, uuid)
    if attachment is None:
        raise NotFound("There is no such attachment.", code="attachment_not_found")
    return attachment


def forget_attachments(work: UnitOfWork, user_id: int) -> None:
    """Let go of all that an account attached; the bytes go with the next sweep."""
    statement = delete(Attachment).where(Attachment.user_id == user_id)
    work.session.execute(statement.execution_options(synchronize_session=False))


def sweep_attachments(context: Context, *, now: datetime) -> int:
    """Remove the bytes that no attachment has any more, or never had; how many there were."""
    store, count = context[STORE], 0
    old = (info.key for info in store.list(_PREFIX) if info.modified_at < now - _GRACE)
    while keys := [key for _, key in zip(range(_AT_ONCE), old, strict=False)]:
        with reading(context) as work:
            uuids = [key.removeprefix(_PREFIX) for key in keys]
            known = {*work.session.scalars(select(Attachment.uuid).where(Attachment.uuid.in_(uuids)))}
        gone = [key for key in keys if key.removeprefix(_PREFIX) not in known]
        store.delete_many(gone)
        count += len(gone)
    return count
