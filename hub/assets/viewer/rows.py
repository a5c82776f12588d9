"""Pages of rows as they are shown, whole cells, and the pictures and sounds in them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.accounts.policy import Action, Actor, require
from hub.assets.service.tables import FOLDERS
from hub.assets.viewer import making
from hub.assets.viewer.child import CHILDREN, ReadingFailed
from hub.assets.viewer.features import media_of
from hub.assets.viewer.media import rows_of_folder
from hub.assets.viewer.parts import Column, Content, Table
from hub.assets.viewer.queries import query_rows
from hub.assets.viewer.recent import RECENT
from hub.assets.viewer.tables import SplitSource, find_source, open_source, pending, unreadable
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound, TooLarge, Unprocessable
from hub.db.uow import reading
from hub.repos import contents
from hub.repos.gates import check_content
from hub.repos.models import Repository
from hub.repos.rows import Shown

MAX_ROWS = 500
MAX_CELL_BYTES = 16 * 1024 * 1024
MAX_MEDIA_BYTES = 32 * 1024 * 1024
_ROWS_S = 20.0
_PREVIEW_S = 10.0


@dataclass(frozen=True)
class Asked:
    """Which table: a split of a revision, or with a path a file by itself."""

    config: str = ""
    split: str = ""
    revision: str = ""
    path: str = ""


@dataclass(frozen=True)
class RowPage:
    """Rows as they are shown.

    numbers: of each row, its place in the table. cut: which cells are not whole, by their place here. total: how many
    rows there are, of which so many are known at least where ``is_total_exact`` is False. is_partial: there is more
    than could be read. is_pending: a job makes the table, and these are the first rows. sql: what was asked, in words.
    """

    config: str
    split: str
    commit_id: str
    digest: str
    columns: Sequence[Column]
    rows: Sequence[list[Any]]
    numbers: Sequence[int]
    cut: Sequence[list[int]]
    total: int
    is_total_exact: bool = True
    is_partial: bool = False
    is_pending: bool = False
    sql: str = ""
    unread: Sequence[tuple[str, str]] = ()
    notes: Sequence[tuple[str, str]] = field(default=())


def read_rows(
    context: Context,
    repository: Shown,
    asked: Asked,
    *,
    actor: Actor,
    offset: int = 0,
    limit: int = 100,
    search: str = "",
    where: str = "",
    order_by: str = "",
    source: SplitSource | None = None,
) -> RowPage:
    """A page of a table, or of what a filter and a word find in it.

    source: the files, where they were found for the same actor just now. While the table is being made, its first rows
    are read from where its files begin.
    Raises NotFound (``revision_not_found``, ``table_not_found``, ``entry_not_found``), Conflict (``table_pending``:
    what was asked needs the whole table), Unprocessable (``table_unreadable``), Invalid, Unavailable; NotSignedIn or
    Denied (``gated_repository``).
    """
    if not 0 <= limit <= MAX_ROWS or not 0 <= offset < 2**53:
        raise Invalid(f"A page has up to {MAX_ROWS} rows, and an offset is not negative.", code="rows_invalid")
    source = source or find(context, repository, asked, actor=actor)
    is_query = bool(search or where or order_by)
    try:
        table = open_source(context, repository, source)
    except Conflict:
        if is_query:
            raise
        return _first_rows(source, offset, limit)
    if is_query:
        return _queried(context, table, search=search, where=where, order_by=order_by, offset=offset, limit=limit)
    try:
        return _page(table, offset, limit)
    except Unprocessable:
        if making.forget_lost(context, table.digest):
            raise pending() from None
        raise


def find(context: Context, repository: Shown, asked: Asked, *, actor: Actor) -> SplitSource:
    """The files that were asked for. Raises as ``read_rows``."""
    check_content(context, actor, repository)
    commit_id = contents.resolve(context, repository, asked.revision)
    return find_source(
        context,
        repository,
        actor=actor,
        commit_id=commit_id,
        config=asked.config,
        split=asked.split,
        path=asked.path,
    )


def try_again(context: Context, repository: Repository, asked: Asked, *, actor: Actor) -> None:
    """Let a table that could not be made be tried once more, for who may write. Raises as ``read_rows``, and Denied."""
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_WRITE, repository)
    source = find(context, repository, asked, actor=actor)
    making.ask_again(context, repository, source.digest, dict(source.args))


def _page(table: Table, offset: int, limit: int) -> RowPage:
    spans: list[list[int]] = []
    parts: list[Content] = []
    before = 0
    for part in table.parts:
        first, last = max(offset - before, 0), min(offset + limit - before, part.num_rows)
        if first < last:
            spans.append([first, last - first])
            parts.append(part.content)
        before += part.num_rows
    read: dict[str, Any] = {"rows": [], "cut": []}
    if parts:
        arguments = {"spans": spans, "media": _media(table.columns), "columns": len(table.columns)}
        key = (table.digest, *(part.etag for part in parts), json.dumps(arguments))
        # What is lost from the store must be missed, so that it is made again.
        is_there = all(part.local_path is None or part.local_path.exists() for part in parts)
        try:
            read = RECENT.get(
                key, lambda: CHILDREN.call("rows", arguments, parts, deadline_s=_ROWS_S), may_be_kept=is_there
            )
        except ReadingFailed as error:
            raise unreadable(error.told) from None
    return RowPage(
        table.config,
        table.split,
        table.commit_id,
        table.digest,
        table.columns,
        read["rows"],
        range(offset, offset + len(read["rows"])),
        read["cut"],
        table.num_rows,
        is_partial=table.is_partial,
        unread=table.unread,
        notes=table.notes,
    )


def _media(columns: Sequence[Column]) -> dict[str, str]:
    told = [{"feature": column.feature, "type": column.type} for column in columns]
    return {str(at): kind for at, kind in media_of(told).items()}


def _queried(context: Context, table: Table, *, offset: int, limit: int, **words: str) -> RowPage:
    found = query_rows(context, table, offset=offset, limit=limit, **words)
    return RowPage(
        table.config,
        table.split,
        table.commit_id,
        table.digest,
        table.columns,
        [list(row.values) for row in found.rows],
        [row.number for row in found.rows],
        [[at, column] for at, row in enumerate(found.rows) for column in row.cut],
        found.total,
        found.is_total_exact,
        found.is_partial or table.is_partial,
        sql=found.sql,
        unread=table.unread,
        notes=table.notes,
    )


def _first_rows(source: SplitSource, offset: int, limit: int) -> RowPage:
    arguments = {"format": source.format, "delimiter": source.delimiter, "offset": offset, "limit": limit}
    try:
        read = CHILDREN.call("preview", arguments, source.contents, deadline_s=_PREVIEW_S)
    except ReadingFailed as error:
        raise unreadable(error.told) from None
    if not read["columns"] and read["unread"]:
        path, reason = read["unread"][0]
        raise unreadable(f"{path}: {reason}")
    if offset and not read["rows"] and not read["is_whole"]:
        raise pending()
    return RowPage(
        source.config,
        source.split,
        str(source.args["commit_id"]),
        source.digest,
        [Column(**column) for column in read["columns"]],
        read["rows"],
        range(offset, offset + len(read["rows"])),
        read["cut"],
        read["num_rows"],
        read["is_whole"],
        not read["is_whole"] or bool(read["unread"]),
        True,
        unread=[(path, reason) for path, reason in [*read["unread"], *source.missing]],
        notes=[(path, note) for path, note in read["notes"]],
    )


# Cells.


def read_cell(context: Context, repository: Shown, asked: Asked, *, actor: Actor, row: int, column: int) -> Any:
    """One whole value, in words of JSON.

    Raises as ``read_rows``, NotFound (``cell_not_found``), TooLarge for one of more than 16 MiB.
    """
    source = find(context, repository, asked, actor=actor)
    table = open_source(context, repository, source)
    return _call_cell(table, row, column, MAX_CELL_BYTES, "value")["value"]


def _call_cell(table: Table, row: int, column: int, limit_bytes: int, form: str) -> dict[str, Any]:
    if not 0 <= column < len(table.columns):
        raise NotFound("The table has no such column.", code="cell_not_found")
    before = 0
    for part in table.parts:
        if 0 <= row - before < part.num_rows:
            arguments = {
                "row": row - before,
                "column": column,
                "columns": len(table.columns),
                "limit_bytes": limit_bytes,
                "form": form,
            }
            try:
                found: dict[str, Any] = CHILDREN.call("cell", arguments, [part.content], deadline_s=_ROWS_S)
            except ReadingFailed as error:
                raise unreadable(error.told) from None
            if found.get("is_too_large"):
                raise TooLarge(f"The cell has more than {limit_bytes >> 20} MiB; read the file instead.")
            return found
        before += part.num_rows
    raise NotFound("The table has no such row.", code="cell_not_found")


@dataclass(frozen=True)
class Media:
    """A picture or a sound. mimetype: what its first bytes say, "application/octet-stream" for all that is neither."""

    content: Content
    mimetype: str


def open_media(context: Context, repository: Shown, asked: Asked, *, actor: Actor, row: int, column: int) -> Media:
    """The picture or sound of a cell. Raises as ``read_cell``; NotFound also for a cell that holds none."""
    source = find(context, repository, asked, actor=actor)
    if source.format in FOLDERS:
        content = _in_folder(source, row)
    else:
        table = open_source(context, repository, source)
        found = _call_cell(table, row, column, MAX_MEDIA_BYTES, "bytes")
        if found["bytes"] is None:
            content = _beside(context, repository, actor, table, found["path"])
        else:
            data = base64.b64decode(found["bytes"])
            content = Content(found["path"], hashlib.sha256(data).hexdigest(), len(data), _slices(data))
    return Media(content, mimetype_of(content.read(0, 64)))


def _slices(data: bytes) -> Any:
    return lambda start, length: [data[start : start + length]]


def _no_media() -> NotFound:
    return NotFound("The cell holds no picture or sound.", code="cell_not_found")


def _in_folder(source: SplitSource, row: int) -> Content:
    # No child is asked: a page has an address for each of its pictures, and a folder thousands of them.
    by_path = {content.name: content for content in source.contents}
    paths = rows_of_folder([*by_path])
    if row >= len(paths):
        raise _no_media()
    return by_path[paths[row]]


def _beside(context: Context, repository: Shown, actor: Actor, table: Table, path: str) -> Content:
    """A file of the repository that a cell names only, in the same commit."""
    if not path or "://" in path:
        raise _no_media()
    try:
        opened = contents.open_file(context, repository, actor=actor, path=path, revision=table.commit_id)
    except (NotFound, Invalid):
        raise _no_media() from None
    return Content(path, opened.etag, opened.size_bytes, opened.open_range, opened.local_path)


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
)


def mimetype_of(start: bytes) -> str:
    """What a file is by its first bytes: a picture or a sound that browsers show; anything else is only bytes."""
    if start[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(start[8:12], "application/octet-stream")
    if start[4:8] == b"ftyp":
        return {b"avif": "image/avif", b"M4A ": "audio/mp4"}.get(start[8:12], "application/octet-stream")
    return next((mimetype for magic, mimetype in _MAGIC if start.startswith(magic)), "application/octet-stream")
