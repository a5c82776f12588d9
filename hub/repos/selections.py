"""Chosen files and folders of a revision as one ZIP, content in LFS included, made while it is sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git import tree
from hub.git.types import LINK_MODE, Commit, EntryKind, TreeEntry
from hub.repos.comparison import read_last_commit
from hub.repos.contents import OpenedFile
from hub.repos.gates import check_content
from hub.repos.lfs.contents import get_content
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

MAX_NAMES = 1000
# What is more is for Git, which goes on where it was cut off.
MAX_FILES = 10_000
MAX_BYTES = 100 * 1024**3
_PAGE = 2000
_PIECE_BYTES = 256 * 1024
_FILES = (EntryKind.FILE, EntryKind.LINK)
# ZIP knows no earlier time. Source: PKWARE's APPNOTE, 4.4.6.
_FIRST_YEAR = 1980


@dataclass(frozen=True)
class Selection:
    """Files that are about to be sent. name: what the archive is called, without its ending."""

    commit_id: str
    name: str
    chunks: Iterator[bytes]


def zip_selection(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    revision: str = "",
    folder: str = "",
    names: Sequence[str] = (),
) -> Selection:
    """A ZIP of entries of one folder, by their names; without names all of the folder. Nothing is compressed.

    A file whose content in LFS is missing is in it as its pointer, as in a clone; submodules are left out.
    Before the stream begins: raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid
    (``path_invalid``), TooLarge (``selection_too_large``: over 10,000 files or 100 GiB), NotSignedIn or Denied
    (``gated_repository``).
    """
    check_content(context, actor, repository)
    if len(names) > MAX_NAMES:
        raise Invalid(f"Choose at most {MAX_NAMES} files and folders, or the folder that holds them.", code="REQ-ERR-6")
    folder = normalise_path(folder, allow_root=True)
    path = repository_path(context.settings, repository)
    commit = read_last_commit(context, repository, revision)
    wanted = [normalise_path(f"{folder}/{name}" if folder else name) for name in dict.fromkeys(names)] or [folder]
    entries = offload(_list_files, path, commit.id, wanted)
    short = revision[:10] if revision == commit.id else (revision or repository.default_branch).replace("/", "-")
    above = len(folder) + 1 if folder else 0
    sent = _Sent(context, actor, repository, path, commit, above)
    name = "-".join(part for part in (repository.name, folder.rpartition("/")[2], short) if part)
    return Selection(commit.id, name, sent.stream(entries))


def _list_files(path: Path, commit_id: str, wanted: Sequence[str]) -> list[TreeEntry]:
    found: list[TreeEntry] = []
    size_bytes = 0

    def add(entry: TreeEntry) -> None:
        nonlocal size_bytes
        if entry.kind not in _FILES:
            return
        found.append(entry)
        size_bytes += entry.size_bytes or 0
        if len(found) > MAX_FILES or size_bytes > MAX_BYTES:
            raise TooLarge(
                f"A ZIP holds at most {MAX_FILES} files and {MAX_BYTES // 1024**3} GiB; choose fewer, or clone the "
                "repository with Git.",
                code="selection_too_large",
            )

    for place, entry in zip(wanted, tree.find_entries(path, commit_id, wanted)[1], strict=True):
        if entry is None:
            raise NotFound(f"There is no {place!r} in this revision.", code="entry_not_found")
        if entry.kind is not EntryKind.DIRECTORY:
            add(entry)
            continue
        cursor: str | None = None
        while True:
            page = tree.walk_tree(path, commit_id, place, limit=_PAGE, cursor=cursor)
            for below in page.entries:
                add(below)
            cursor = page.next_cursor
            if cursor is None:
                break
    return found


class _Buffer(io.RawIOBase):
    """What the archive writes, until it is sent; it can be written to only, so that nothing is gone back to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def take(self, least_bytes: int = 0) -> Iterator[bytes]:
        """What lies here, once it is so much."""
        if self._size > least_bytes:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            yield data


@dataclass(frozen=True)
class _Sent:
    """Whose files go to whom. above: characters of the folder's path, which the names in the archive begin after."""

    context: Context
    actor: Actor
    repository: Shown
    path: Path
    commit: Commit
    above: int

    def stream(self, entries: Sequence[TreeEntry]) -> Iterator[bytes]:
        buffer = _Buffer()
        when = self.commit.committer.when
        moment = (max(when.year, _FIRST_YEAR), when.month, when.day, when.hour, when.minute, when.second)
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for entry in entries:
                file = self._open(entry)
                info = zipfile.ZipInfo(entry.path[self.above :], moment)
                info.external_attr = (LINK_MODE | 0o777 if entry.kind is EntryKind.LINK else entry.mode) << 16
                info.file_size = file.size_bytes
                with archive.open(info, "w") as target:
                    for piece in file.open_range(0, file.size_bytes):
                        target.write(piece)
                        yield from buffer.take(_PIECE_BYTES)
        yield from buffer.take()

    def _open(self, entry: TreeEntry) -> OpenedFile:
        lfs = None
        if entry.lfs is not None:
            try:
                lfs = get_content(self.context, actor=self.actor, repository_id=self.repository.id, oid=entry.lfs.oid)
            except NotFound:
                pointer = TreeEntry(
                    entry.name, entry.path, entry.kind, entry.mode, entry.oid, entry.lfs.pointer_size_bytes
                )
                return OpenedFile(self.commit.id, pointer, self.path)
        return OpenedFile(self.commit.id, entry, self.path, lfs)
