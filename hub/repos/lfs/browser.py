"""Large files out of a browser: what of each is there already, where the rest goes, and that it has arrived.

What is there is said by the store and not by the browser, so an upload goes on after a reload, or in another browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.settings import MIB
from hub.db.uow import reading
from hub.objects.store import STORE, PartInfo
from hub.repos.lfs.batch import LinkBuilder
from hub.repos.lfs.contents import (
    complete_upload,
    direct_key,
    find_upload,
    part_count_of,
    prepare_uploads,
    verify_object,
)
from hub.repos.lfs.holding import action_to_send
from hub.repos.lfs.holdings import held_objects
from hub.repos.lfs.proposed import check_room
from hub.repos.lookup import get_for
from hub.repos.models import LFSUpload

# Source: contract of the pages, section 12. What is no larger goes in one request.
PART_BYTES = 8 * MIB
# Addresses told at once; whoever has used them up asks again.
MAX_ADDRESSES = 1000


@dataclass(frozen=True)
class ObjectSteps:
    """What is left to do for one content. parts: number to address of those to send; address: of the whole, in one.

    is_held: nothing. received: the parts that are there. part_bytes: of each part, the last one excepted.
    """

    oid: str
    size_bytes: int
    is_held: bool = False
    address: str = ""
    part_bytes: int = 0
    received: Sequence[int] = ()
    parts: Mapping[int, str] = field(default_factory=dict)


def find_steps(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    sizes: Mapping[str, int],
    links: LinkBuilder,
    is_direct: bool,
    for_proposal: bool = False,
) -> list[ObjectSteps]:
    """What is left to do for each content (SHA-256 to size in bytes), in their order.

    is_direct: the browser sends straight to the object store, which must allow it (``ObjectStore.allows_pages_of``).
    Raises NotFound, NotSignedIn, Denied, QuotaExceeded, Unavailable (``disk_full``).
    """
    with reading(context) as work:
        action = action_to_send(for_proposal=for_proposal)
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        held = held_objects(work, repository_id, sizes, actor=actor)
        wanted = {oid: size for oid, size in sizes.items() if oid not in held}
        check_room(work, actor, repository, sum(wanted.values()))
    large = {oid: size for oid, size in wanted.items() if size > PART_BYTES}
    uploads = {}
    if large:
        uploads = prepare_uploads(
            context, actor=actor, repository_id=repository_id, sizes=large, least_part_bytes=PART_BYTES
        )
    store, expires_s = context[STORE], context.settings.lfs_url_ttl_s
    steps = []
    for oid, size_bytes in sizes.items():
        if oid not in wanted:
            steps.append(ObjectSteps(oid, size_bytes, is_held=True))
        elif oid in uploads:
            steps.append(_steps_of(context, uploads[oid], links, is_direct))
        elif is_direct:
            address = store.presign_put(direct_key(repository_id, oid), expires_s=expires_s)
            steps.append(ObjectSteps(oid, size_bytes, address=address))
        else:
            steps.append(ObjectSteps(oid, size_bytes, address=links.upload(oid, size_bytes)))
    return steps


def _steps_of(context: Context, upload: LFSUpload, links: LinkBuilder, is_direct: bool) -> ObjectSteps:
    store, expires_s = context[STORE], context.settings.lfs_url_ttl_s
    received = _received(context, upload)
    left = [number for number in range(1, part_count_of(upload) + 1) if number not in received][:MAX_ADDRESSES]
    parts = {
        number: store.presign_part(upload.object_key, upload.upload_id, number, expires_s=expires_s)
        if is_direct
        else links.part(upload, number)
        for number in left
    }
    return ObjectSteps(
        upload.oid, upload.size_bytes, part_bytes=upload.part_size_bytes, received=sorted(received), parts=parts
    )


def _received(context: Context, upload: LFSUpload) -> dict[int, PartInfo]:
    """The whole parts that the store has, by number; of one that was sent twice the last."""
    found = {}
    for part in context[STORE].list_parts(upload.object_key, upload.upload_id):
        start = (part.number - 1) * upload.part_size_bytes
        if part.size_bytes == min(upload.part_size_bytes, upload.size_bytes - start):
            found[part.number] = part
    return found


def finish_object(
    context: Context, *, actor: Actor, repository_id: int, oid: str, size_bytes: int, for_proposal: bool = False
) -> None:
    """Return when the repository holds the content: its size and its hash were checked, its bytes are in their place.

    May be repeated. Raises Invalid (``lfs_object_missing``), NotFound (``upload_not_found``), Denied, QuotaExceeded,
    Unprocessable (``parts_mismatch``: parts are missing; ``hash_mismatch``: it must be sent anew).
    """
    action = action_to_send(for_proposal=for_proposal)
    with reading(context) as work:
        get_for(work, actor=actor, action=action, repository_id=repository_id)
        held = held_objects(work, repository_id, [oid], actor=actor)
        upload = find_upload(work, repository_id, oid)
    given = {"actor": actor, "repository_id": repository_id, "oid": oid, "size_bytes": size_bytes, "action": action}
    if oid in held or upload is None or upload.size_bytes != size_bytes:
        verify_object(context, **given)  # type: ignore[arg-type]
        return
    received = _received(context, upload)
    parts = [(number, received[number].etag) for number in sorted(received)]
    complete_upload(context, **given, upload_id=upload.upload_id, parts=parts)  # type: ignore[arg-type]
