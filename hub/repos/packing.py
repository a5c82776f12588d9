"""Files of a commit as one archive, made while it is sent: content in LFS is in it as what it is.

What is missing is in it as its pointer, as in a clone; submodules are left out.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.offload import offload
from hub.git.archive import ArchiveFormat
from hub.git.types import LINK_MODE, Commit, EntryKind, TreeEntry
from hub.repos.contents import OpenedFile
from hub.repos.lfs.contents import get_content
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

PACKED = (EntryKind.FILE, EntryKind.LINK)
_PIECE_BYTES = 256 * 1024
# ZIP knows no earlier time. Source: PKWARE's APPNOTE, 4.4.6.
_FIRST_YEAR = 1980
_PERMISSIONS = 0o777
# Most of what is large does not get smaller, and gets no smaller by trying harder.
_GZIP_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS


def pack(
    context: Context,
    repository: Shown,
    entries: Iterable[TreeEntry],
    *,
    actor: Actor,
    commit: Commit,
    format: ArchiveFormat,
    above: int = 0,
    prefix: str = "",
) -> Iterator[bytes]:
    """The archive in pieces. What a ZIP holds is not compressed.

    above: characters of a folder's path, which the names in the archive begin after. prefix: what they begin with.
    """
    path = repository_path(context.settings, repository)
    packer: _Packer = _Zip(commit) if format == "zip" else _Tar(commit)
    pieces = _pack(packer, _Opener(context, actor, repository.id, path, commit.id), entries, above, prefix)
    return _compress(pieces) if format == "tar.gz" else pieces


def _pack(packer: _Packer, opener: _Opener, entries: Iterable[TreeEntry], above: int, prefix: str) -> Iterator[bytes]:
    for entry in entries:
        if entry.kind in PACKED:
            yield from packer.add(prefix + entry.path[above:], opener.open(entry))
    yield from packer.end()


@dataclass(frozen=True)
class _Opener:
    """Whose files are read for whom."""

    context: Context
    actor: Actor
    repository_id: int
    path: Path
    commit_id: str

    def open(self, entry: TreeEntry) -> OpenedFile:
        if entry.lfs is None:
            return OpenedFile(self.commit_id, entry, self.path)
        try:
            content = get_content(self.context, actor=self.actor, repository_id=self.repository_id, oid=entry.lfs.oid)
        except NotFound:
            size_bytes = entry.lfs.pointer_size_bytes
            pointer = TreeEntry(entry.name, entry.path, entry.kind, entry.mode, entry.oid, size_bytes)
            return OpenedFile(self.commit_id, pointer, self.path)
        return OpenedFile(self.commit_id, entry, self.path, content)


class _Packer(Protocol):
    """How a kind of archive is written."""

    def add(self, name: str, file: OpenedFile) -> Iterator[bytes]:
        """What one more file adds."""
        ...

    def end(self) -> Iterator[bytes]:
        """What comes after all files."""
        ...


class _Buffer(io.RawIOBase):
    """What ``zipfile`` writes, until it is sent; it can be written to only, so that nothing is gone back to."""

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


class _Zip:
    def __init__(self, commit: Commit) -> None:
        when = commit.committer.when
        self._moment = (max(when.year, _FIRST_YEAR), when.month, when.day, when.hour, when.minute, when.second)
        self._buffer = _Buffer()
        self._archive = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_STORED)

    def add(self, name: str, file: OpenedFile) -> Iterator[bytes]:
        info = zipfile.ZipInfo(name, self._moment)
        is_link = file.entry.kind is EntryKind.LINK
        info.external_attr = (LINK_MODE | _PERMISSIONS if is_link else file.entry.mode) << 16
        info.file_size = file.size_bytes
        with self._archive.open(info, "w") as target:
            for piece in file.open_range(0, file.size_bytes):
                target.write(piece)
                yield from self._buffer.take(_PIECE_BYTES)

    def end(self) -> Iterator[bytes]:
        self._archive.close()
        yield from self._buffer.take()


class _Tar:
    def __init__(self, commit: Commit) -> None:
        self._moment = int(commit.committer.when.timestamp())

    def add(self, name: str, file: OpenedFile) -> Iterator[bytes]:
        info = tarfile.TarInfo(name)
        info.mtime = self._moment
        info.mode = file.entry.mode & _PERMISSIONS or _PERMISSIONS
        info.uname = info.gname = "root"
        if file.entry.kind is EntryKind.LINK:
            target = b"".join(file.open_range(0, file.size_bytes))
            info.type, info.linkname = tarfile.SYMTYPE, target.decode("utf-8", "surrogateescape")
            yield info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
            return
        info.size = file.size_bytes
        yield info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
        yield from file.open_range(0, file.size_bytes)
        yield bytes(-file.size_bytes % tarfile.BLOCKSIZE)

    def end(self) -> Iterator[bytes]:
        yield bytes(2 * tarfile.BLOCKSIZE)


def _compress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packed = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP)
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _PIECE_BYTES:
            yield offload(packed.compress, bytes(waiting))
            waiting.clear()
    yield packed.compress(bytes(waiting)) + packed.flush()
