"""What tables are made of: Parquet files and other contents that are read by ranges, wherever they lie."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select

from hub.accounts.policy import Actor
from hub.assets.service.tables import TableFile
from hub.base.context import Context
from hub.base.streams import RangedStream
from hub.db.uow import reading
from hub.git import tree
from hub.objects.store import STORE
from hub.repos.lfs.contents import LFSContent
from hub.repos.lfs.holdings import batches, is_had
from hub.repos.lookup import repository_path
from hub.repos.models import LFSObject
from hub.repos.rows import Shown

Ranges = Callable[[int, int], Iterable[bytes]]


@dataclass(frozen=True)
class Content:
    """Bytes that can be read from anywhere. local_path: the plain file that holds them, where there is one."""

    name: str
    etag: str
    size_bytes: int
    open_range: Ranges = field(repr=False)
    local_path: Path | None = None

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes, or those before the end."""
        length = min(length, self.size_bytes - start)
        return b"".join(self.open_range(start, length)) if length > 0 else b""


@dataclass(frozen=True)
class Column:
    """A column of a table. type: Arrow's, as text. feature: as the library ``datasets`` spells it, where it can."""

    name: str
    type: str
    feature: dict[str, Any] | None = None


@dataclass(frozen=True)
class Part:
    """A Parquet file of a table. etag: by which its content is known."""

    etag: str
    size_bytes: int
    num_rows: int
    content: Content

    @property
    def local_path(self) -> Path | None:
        """The plain file that holds the content, where the object store has such."""
        return self.content.local_path

    def open(self) -> io.RawIOBase:
        """The content as a file that can be read anywhere; each read is a range of the object store."""
        return PartStream(self.content)


@dataclass(frozen=True)
class Table:
    """A split, ready to be read. digest: tells its rows from any others'. is_partial: there are more rows than these.

    unread: files of the split that could not be read, and why; their rows are not here. notes: how files were read,
    where there was something to guess.
    """

    config: str
    split: str
    digest: str
    columns: Sequence[Column]
    parts: Sequence[Part]
    num_rows: int
    is_partial: bool
    commit_id: str
    unread: Sequence[tuple[str, str]] = field(default=())
    notes: Sequence[tuple[str, str]] = field(default=())


class PartStream(RangedStream):
    """A content as a file that can be read anywhere."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.size_bytes = content.size_bytes

    def read_range(self, start: int, length: int) -> bytes:
        return self._content.read(start, length)


_HELD = select(LFSObject.oid, LFSObject.size_bytes, LFSObject.created_at, LFSObject.source).where(
    LFSObject.oid.in_(bindparam("oids", expanding=True)), is_had()
)


def find_contents(
    context: Context, repository: Shown, files: Iterable[TableFile], *, actor: Actor
) -> dict[str, Content]:
    """The contents of files by path; those in LFS that the repository does not hold for the actor are not among them.

    One query for a thousand files. That the actor gets the repository's content must have been judged.
    """
    files = list(files)
    held: dict[str, LFSContent] = {}
    with reading(context) as work:
        for batch in batches(dict.fromkeys(file.lfs_oid for file in files if file.lfs_oid)):
            values = {"repository_id": repository.id, "oids": batch, "user_id": actor.user_id}
            held.update((row[0], LFSContent(context, *row)) for row in work.rows(_HELD, values))
    path = repository_path(context.settings, repository)
    found = {}
    for file in files:
        if not file.lfs_oid:
            found[file.path] = Content(file.path, file.etag, file.size_bytes, _blob_ranges(path, file.oid))
        elif file.lfs_oid in held:
            lfs = held[file.lfs_oid]
            found[file.path] = Content(file.path, file.etag, lfs.size_bytes, lfs.open_range, lfs.local_path)
    return found


def _blob_ranges(path: Path, oid: str) -> Ranges:
    return lambda start, length: tree.open_blob_range(path, oid, start, length)


def stored_content(context: Context, key: str, etag: str, size_bytes: int) -> Content:
    """An object of the store's own."""
    store = context[STORE]
    return Content(
        key, etag, size_bytes, lambda start, length: store.open_range(key, start, length), store.local_path(key)
    )
