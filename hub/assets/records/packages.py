"""Repositories from a ZIP: somebody sends it by a form that the hub has signed, then names it by its SHA-256.

Until then it lies in the staging area of the object store, where it is swept away once it is old. Contract: CSGHub,
sections 4.3 and 5.1 (``code_file``, ``skill_file``).
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hub.accounts.policy import Actor
from hub.assets.records.archives import UNREADABLE, is_link, open_archive
from hub.base.context import Context
from hub.base.errors import Denied, HubError, Invalid, NotFound, NotSignedIn, TooLarge
from hub.base.log import get_logger
from hub.base.names import fold_name, normalise_path
from hub.base.offload import offload
from hub.base.secrets import SECRET, Signer
from hub.db.base import new_uuid
from hub.db.uow import unit_of_work
from hub.objects.store import STAGING, STORE
from hub.repos import uploads
from hub.repos.files import CHUNK_BYTES, FileEdit, commit_files
from hub.repos.models import Repository
from hub.repos.service import create_repository, delete_repository

log = get_logger(__name__)

MAX_PACKAGE_BYTES = 100 * 1024 * 1024
MAX_UNPACKED_BYTES = 500 * 1024 * 1024
MAX_FILES = 2000
TICKET_TTL_S = 3600
# What the machines of those who pack leave in archives.
_LITTER = ("__MACOSX/", ".DS_Store")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class UploadTicket:
    """What a form must say, so that it is taken for one user's until it expires."""

    uuid: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class StoredPackage:
    """A package as it was received."""

    sha256: str
    size_bytes: int


def create_ticket(context: Context, *, actor: Actor) -> UploadTicket:
    """The members of a form by which the actor sends one package. Raises NotSignedIn."""
    if actor.user_id is None:
        raise NotSignedIn("Sign in, or send an access token, to send a package.")
    uuid = new_uuid()
    policy = f"{uuid}.{actor.user_id}.{int(context.clock.now().timestamp()) + TICKET_TTL_S}"
    return UploadTicket(uuid, {"key": f"{uuid}.zip", "policy": policy, "signature": _signer(context).sign(policy)})


def store_package(context: Context, *, fields: Mapping[str, str], stream: IO[bytes]) -> StoredPackage:
    """Keep the package of a form that ``create_ticket`` made.

    Raises Denied (``ticket_invalid``) for another form or one that has expired, TooLarge.
    """
    user_id = check_ticket(context, fields=fields)
    sha256, size_bytes = offload(_measure, stream)
    if size_bytes > MAX_PACKAGE_BYTES:
        raise TooLarge(f"A package has at most {MAX_PACKAGE_BYTES} bytes.", code="SKILL-ERR-9", size_bytes=size_bytes)
    context[STORE].put(_key(user_id, sha256), _chunks(stream), size_bytes=size_bytes, sha256=sha256)
    return StoredPackage(sha256, size_bytes)


def check_ticket(context: Context, *, fields: Mapping[str, str]) -> int:
    """The user whose form it is. Raises Denied (``ticket_invalid``)."""
    policy = fields.get("policy", "")
    parts = policy.split(".")
    if len(parts) != 3 or not _signer(context).verify(policy, fields.get("signature", "")):
        raise Denied("This form is none that the hub has signed.", code="ticket_invalid")
    _uuid, user_id, expires = parts
    if int(expires) < context.clock.now().timestamp():
        raise Denied("This form has expired; ask for another one.", code="ticket_invalid")
    return int(user_id)


def _measure(stream: IO[bytes]) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    while size_bytes <= MAX_PACKAGE_BYTES and (piece := stream.read(CHUNK_BYTES)):
        digest.update(piece)
        size_bytes += len(piece)
    stream.seek(0)
    return digest.hexdigest(), size_bytes


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(CHUNK_BYTES):
        yield piece


def _key(user_id: int, sha256: str) -> str:
    return f"{STAGING}packages/{user_id}/{sha256}"


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "package-upload")


def create_from_package(
    context: Context, *, actor: Actor, sha256: str, kind: str, details: Mapping[str, Any], **common: Any
) -> Repository:
    """A new repository with the files of a package that the actor has sent, in a commit after its first one.

    common: as ``create_repository`` takes them. The package is judged before anything is made; when its files cannot
    be committed the repository goes again. Raises NotFound (``package_not_found``), Invalid (``archive_unreadable``,
    ``path_invalid``, ``SKILL-ERR-8``), TooLarge (``SKILL-ERR-9``), what ``create_repository`` and ``commit_files``
    raise.
    """
    if actor.user_id is None:
        raise NotSignedIn("Sign in, or send an access token, to create a repository.")
    if not _SHA256.match(sha256):
        raise Invalid("The package is named by its SHA-256, 64 digits.", code="REQ-ERR-6")
    with uploads.folder(context) as folder:
        packed = folder / "package"
        _fetch(context, _key(actor.user_id, sha256), packed)
        edits = offload(unpack, packed, folder)
        repository = create_repository(context, actor=actor, kind=kind, details=details, **common)
        try:
            commit_files(
                context,
                actor=actor,
                repository_id=repository.id,
                message="Import the package",
                edits=edits,
                branch=repository.default_branch,
            )
        except HubError:
            with unit_of_work(context) as work:
                delete_repository(work, actor=actor, repository_id=repository.id)
            raise
    log.info("package_imported", repository_id=repository.id, files=len(edits), actor_id=actor.user_id)
    return repository


def _fetch(context: Context, key: str, target: Path) -> None:
    store = context[STORE]
    info = store.find(key)
    if info is None:
        raise NotFound("There is no such package of yours; send it again.", code="package_not_found")
    with target.open("wb") as file:
        for piece in store.open_range(key, 0, info.size_bytes):
            file.write(piece)


def unpack(packed: Path, folder: Path) -> list[FileEdit]:
    """The changes that write an archive's files, which lie in the folder, named by their numbers.

    When all are in one folder of the archive, they are taken out of it. Raises as ``create_from_package``.
    """
    try:
        with packed.open("rb") as stream, open_archive(stream) as archive:
            return list(_unpack_entries(archive, folder))
    except UNREADABLE as error:
        raise Invalid(f"The ZIP archive cannot be read ({str(error)[:200]}).", code="archive_unreadable") from None


def _unpack_entries(archive: zipfile.ZipFile, folder: Path) -> Iterator[FileEdit]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_litter(entry.filename)]
    if not entries:
        raise Invalid("The archive holds no files.", code="archive_unreadable")
    if len(entries) > MAX_FILES:
        raise Invalid(f"The archive holds more than {MAX_FILES} files.", code="SKILL-ERR-8")
    if any(is_link(entry) for entry in entries):
        raise Invalid("The archive holds links, which are not taken.", code="archive_unreadable")
    paths = _paths_of([entry.filename for entry in entries])
    left = MAX_UNPACKED_BYTES
    for number, (entry, path) in enumerate(zip(entries, paths, strict=True)):
        target = folder / str(number)
        left -= _write(archive, entry, target, left)
        yield FileEdit(path, content=target)


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER[0]) or name.rpartition("/")[2] == _LITTER[1]


def _paths_of(names: Sequence[str]) -> list[str]:
    paths = []
    for name in names:
        # What other systems call a root is no path here.
        if name.startswith("/") or re.match(r"[A-Za-z]:", name):
            raise Invalid(f"{name[:80]!r} is no path inside of an archive.", code="path_invalid")
        paths.append(normalise_path(name))
    tops = {path.partition("/")[0] if "/" in path else "" for path in paths}
    if len(tops) == 1 and "" not in tops:
        paths = [path.partition("/")[2] for path in paths]
    if len({fold_name(path) for path in paths}) < len(paths):
        raise Invalid("The archive holds two files of one name.", code="archive_unreadable")
    return paths


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    written = 0
    with archive.open(entry) as source, target.open("wb") as file:
        while piece := source.read(CHUNK_BYTES):
            written += len(piece)
            if written > left:
                raise TooLarge(f"The archive unpacks to more than {MAX_UNPACKED_BYTES} bytes.", code="SKILL-ERR-9")
            file.write(piece)
    return written
