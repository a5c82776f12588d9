"""The batch request: for many objects at once, where to get them or where to put them.

Source: git-lfs, docs/api/batch.md; CSGHub contract, sections 2.5 and 6.4.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol

from hub.accounts.policy import Action as PolicyAction
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.settings import GIB
from hub.db.uow import reading
from hub.objects.store import STORE
from hub.repos.gates import require_content
from hub.repos.lfs.contents import direct_key, part_count_of, prepare_uploads
from hub.repos.lfs.holding import action_to_send
from hub.repos.lfs.holdings import Stored, held_objects, is_oid, object_key
from hub.repos.lfs.proposed import check_room
from hub.repos.lfs.sources import find_transfer
from hub.repos.lookup import get_for
from hub.repos.models import LFSUpload

BASIC = "basic"
MULTIPART = "multipart"
# In pieces, through the source that moves such. Source: Xet contract, section 12; Hugging Face contract, section 7.3.
XET = "xet"
# What S3 takes in one request; larger objects go in parts. Source: CSGHub contract, section 6.4.
MAX_BASIC_BYTES = 5 * GIB


class Operation(StrEnum):
    """What the client wants to do with the objects."""

    DOWNLOAD = "download"
    UPLOAD = "upload"


@dataclass(frozen=True)
class ObjectRequest:
    """One object that the client names, unjudged. oid and size_bytes are what it sent, if of the right type."""

    oid: str
    size_bytes: int


@dataclass(frozen=True)
class TransferAction:
    """Where and how one step of a transfer is done."""

    href: str
    header: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectAnswer:
    """What the client may do with one object: actions by name, or an error (status, text), or nothing to do.

    is_sent_elsewhere: whether the object store itself sends it, and the hub will not see that.
    """

    oid: str
    size_bytes: int
    actions: dict[str, TransferAction] = field(default_factory=dict)
    error: tuple[int, str] | None = None
    is_sent_elsewhere: bool = False


@dataclass(frozen=True)
class BatchResult:
    """The answers, in the order of the request. transfer: the chosen way; expires_in_s: of every action."""

    transfer: str
    objects: Sequence[ObjectAnswer]
    expires_in_s: int


class LinkBuilder(Protocol):
    """Writes the hub's own transfer addresses; each carries its permission in its query."""

    def download(self, oid: str, size_bytes: int) -> str: ...

    def upload(self, oid: str, size_bytes: int) -> str: ...

    def verify(self, oid: str, size_bytes: int) -> str: ...

    def part(self, upload: LFSUpload, number: int) -> str: ...

    def complete(self, upload: LFSUpload) -> str: ...

    def pieces(self, *, for_proposal: bool) -> TransferAction: ...


def batch(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    operation: Operation,
    objects: Sequence[ObjectRequest],
    transfers: Sequence[str],
    has_upload_id: bool,
    links: LinkBuilder,
    for_proposal: bool = False,
) -> BatchResult:
    """Answer a batch request, in a number of queries that does not grow with it. It opens its own units of work.

    transfers: the ways that the client knows; "basic" needs no mention. has_upload_id: the request comes from a client
    that wants addresses for objects which the repository holds already (CSGHub contract, section 2.5 c).
    for_proposal: the right to open a pull request is enough to upload.
    Raises NotFound, NotSignedIn, Denied, QuotaExceeded, Unavailable (``disk_full``).
    """
    action = PolicyAction.REPOSITORY_READ
    if operation is Operation.UPLOAD:
        action = action_to_send(for_proposal=for_proposal)
    sizes = {item.oid: item.size_bytes for item in objects if _find_fault(context, item) is None}
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        if operation is Operation.DOWNLOAD:
            require_content(work, actor, repository)
        held = held_objects(work, repository_id, sizes, actor=actor)
        wanted = {oid: size for oid, size in sizes.items() if oid not in held}
        if operation is Operation.UPLOAD and wanted:
            check_room(work, actor, repository, sum(wanted.values()))
    if operation is Operation.DOWNLOAD:
        return _answer_download(context, objects, held, links)
    if has_upload_id:
        wanted = {oid: size for oid, size in sizes.items() if oid not in held or held[oid].size_bytes == size}
    if XET in transfers and find_transfer(context) is not None:
        return _answer_pieces(context, objects, held, wanted, partial(links.pieces, for_proposal=for_proposal))
    in_parts = MULTIPART in transfers
    uploads = {}
    if in_parts and wanted:
        uploads = prepare_uploads(context, actor=actor, repository_id=repository_id, sizes=wanted)
    answers = []
    for item in objects:
        fault = _find_fault(context, item) or _find_size_fault(item, held) or _find_basic_fault(item, in_parts)
        if fault is not None:
            answers.append(ObjectAnswer(item.oid, item.size_bytes, error=fault))
        elif item.oid in wanted:
            # git-lfs hands the numbered addresses to its transfer program sorted as texts: "10" before "2". The
            # clients with an upload id look them up by their plain number.
            steps = _upload_actions(
                context, repository_id, item, uploads.get(item.oid), links, pad_numbers=not has_upload_id
            )
            answers.append(ObjectAnswer(item.oid, item.size_bytes, steps))
        else:
            answers.append(ObjectAnswer(item.oid, item.size_bytes))
    return BatchResult(MULTIPART if in_parts else BASIC, answers, context.settings.lfs_url_ttl_s)


def _find_fault(context: Context, item: ObjectRequest) -> tuple[int, str] | None:
    if not is_oid(item.oid):
        return 422, "The oid must be 64 lower-case hexadecimal digits."
    if item.size_bytes < 0:
        return 422, "The size must not be negative."
    if item.size_bytes > context.settings.max_lfs_object_size_bytes:
        return 422, f"This hub takes objects of at most {context.settings.max_lfs_object_size_bytes} bytes."
    return None


def _find_size_fault(item: ObjectRequest, held: Mapping[str, Stored]) -> tuple[int, str] | None:
    known = held.get(item.oid)
    if known is not None and known.size_bytes != item.size_bytes:
        return 422, f"The object has {known.size_bytes} bytes, not {item.size_bytes}."
    return None


def _find_basic_fault(item: ObjectRequest, in_parts: bool) -> tuple[int, str] | None:
    if not in_parts and item.size_bytes > MAX_BASIC_BYTES:
        return 422, (
            "Objects of more than 5 GiB are uploaded in parts: use the CSGHub SDK or huggingface_hub, or run "
            "`csghub-cli lfs-enable-largefiles` in this repository."
        )
    return None


def _answer_download(
    context: Context, objects: Sequence[ObjectRequest], held: Mapping[str, Stored], links: LinkBuilder
) -> BatchResult:
    store, expires_in_s = context[STORE], context.settings.lfs_url_ttl_s
    answers = []
    for item in objects:
        fault = _find_fault(context, item) or _find_size_fault(item, held)
        if fault is None and item.oid not in held:
            fault = 404, "The repository has no such object."
        if fault is not None:
            answers.append(ObjectAnswer(item.oid, item.size_bytes, error=fault))
            continue
        is_elsewhere = store.is_direct and not held[item.oid].source
        if is_elsewhere:
            href = store.presign_get(object_key(item.oid), expires_s=expires_in_s)
        else:
            href = links.download(item.oid, item.size_bytes)
        action = {"download": TransferAction(href)}
        answers.append(ObjectAnswer(item.oid, item.size_bytes, action, is_sent_elsewhere=is_elsewhere))
    return BatchResult(BASIC, answers, expires_in_s)


def _answer_pieces(
    context: Context,
    objects: Sequence[ObjectRequest],
    held: Mapping[str, Stored],
    wanted: Container[str],
    get_leave: Callable[[], TransferAction],
) -> BatchResult:
    """huggingface_hub reads no more than the transfer's name; git-xet, the action, one and the same for all objects."""
    action: dict[str, TransferAction] | None = None
    answers = []
    for item in objects:
        fault = _find_fault(context, item) or _find_size_fault(item, held)
        if fault is None and item.oid in wanted:
            action = action or {"upload": get_leave()}
            answers.append(ObjectAnswer(item.oid, item.size_bytes, action))
        else:
            answers.append(ObjectAnswer(item.oid, item.size_bytes, error=fault))
    return BatchResult(XET, answers, context.settings.lfs_url_ttl_s)


def _upload_actions(
    context: Context,
    repository_id: int,
    item: ObjectRequest,
    upload: LFSUpload | None,
    links: LinkBuilder,
    *,
    pad_numbers: bool,
) -> dict[str, TransferAction]:
    store, expires_s = context[STORE], context.settings.lfs_url_ttl_s
    # Clients send the header of "verify" as it is; without it some would ask for another kind of answer.
    verify = TransferAction(links.verify(item.oid, item.size_bytes), {"Accept": "application/vnd.git-lfs+json"})
    if upload is None:
        if store.is_direct:
            href = store.presign_put(direct_key(repository_id, item.oid), expires_s=expires_s)
        else:
            href = links.upload(item.oid, item.size_bytes)
        return {"upload": TransferAction(href), "verify": verify}
    count = part_count_of(upload)
    width = len(str(count)) if pad_numbers else 1
    header = {"chunk_size": str(upload.part_size_bytes)}
    for number in range(1, count + 1):
        if store.is_direct:
            href = store.presign_part(upload.object_key, upload.upload_id, number, expires_s=expires_s)
        else:
            href = links.part(upload, number)
        header[str(number).zfill(width)] = href
    return {"upload": TransferAction(links.complete(upload), header), "verify": verify}
