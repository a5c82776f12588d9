"""Files of any format become Parquet, and their first rows are shown before that. It runs in a child."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hub.assets.viewer.arrow import UnreadableTable
from hub.assets.viewer.cells import Page
from hub.assets.viewer.features import describe_columns, media_of
from hub.assets.viewer.formats import MAX_TRIES, Again, Reading, read_sources
from hub.assets.viewer.worker import Source
from hub.assets.viewer.writing import Writer

PREVIEW_BYTES = 2 * 1024 * 1024
_MAX_NOTES = 100


def convert(
    sources: Sequence[Source],
    *,
    format: str,
    delimiter: str,
    folder: str,
    max_bytes: int,
    note: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Write the rows of files as Parquet into a folder: 0000.parquet and so on.

    The answer says the columns, the files with their rows, what could not be read, and how the rest was. max_bytes: of
    what is read; what is beyond is left out.
    """
    reading = Reading(format, delimiter)
    total = sum(source.size_bytes for source in sources)
    for _ in range(MAX_TRIES):
        unread: dict[str, str] = {}
        files: list[dict[str, Any]] = []

        def take(path: Path, rows: int, files: list[dict[str, Any]] = files) -> None:
            files.append({"name": path.name, "num_rows": rows})

        writer = Writer(Path(folder), take, has_index=True)
        is_partial = False
        try:
            for table in read_sources(reading, sources, unread):
                writer.add(table)
                note(min(reading.done, total), total)
                if reading.done > max_bytes or writer.size_bytes > max_bytes:
                    is_partial = True
                    break
            writer.close()
        except Again:
            writer.abandon()
            for path in Path(folder).glob("*.parquet"):
                path.unlink()
            continue
        return {
            "columns": _with_features(writer.schema, reading),
            "files": files,
            "unread": sorted(unread.items())[:_MAX_NOTES],
            "notes": sorted(reading.notes.items())[:_MAX_NOTES],
            "is_partial": is_partial or bool(unread),
        }
    raise UnreadableTable("Its columns change their types too often.")


def _with_features(schema: Any, reading: Reading) -> list[dict[str, Any]]:
    if schema is None:
        return []
    columns = describe_columns(schema)
    for column in columns:
        column["feature"] = reading.features.get(column["name"], column["feature"])
    return columns


def preview(sources: Sequence[Source], *, format: str, delimiter: str, offset: int, limit: int) -> dict[str, Any]:
    """The first rows, from the beginning of the files: columns, a page of rows, how many were found, whether all."""
    reading = Reading(format, delimiter, limit_bytes=PREVIEW_BYTES)
    for _ in range(MAX_TRIES):
        unread: dict[str, str] = {}
        try:
            return _first_rows(reading, sources, unread, offset, limit)
        except Again:
            continue
    raise UnreadableTable("Its columns change their types too often.")


def _first_rows(
    reading: Reading, sources: Sequence[Source], unread: dict[str, str], offset: int, limit: int
) -> dict[str, Any]:
    schema = None
    page: Page | None = None
    seen = 0
    is_whole = True
    size = 0
    for table in _tables(reading, sources, unread):
        if schema is None:
            schema = table.schema
            page = Page(media_of(_with_features(schema, reading)))
        assert page is not None
        wanted = table.slice(max(0, offset - seen), max(0, offset + limit - max(seen, offset)))
        page.add_table(wanted)
        seen += table.num_rows
        size += table.nbytes
        if seen > offset + limit or size > 4 * PREVIEW_BYTES:
            is_whole = False
            break
    return {
        "columns": _with_features(schema, reading),
        "rows": page.rows if page else [],
        "cut": page.cut if page else [],
        "num_rows": seen,
        "is_whole": is_whole and not reading.is_cut,
        "unread": sorted(unread.items())[:_MAX_NOTES],
        "notes": sorted(reading.notes.items())[:_MAX_NOTES],
    }


def _tables(reading: Reading, sources: Sequence[Source], unread: dict[str, str]) -> Iterator[Any]:
    """The tables of the sources, in small pieces, the first of them soon."""
    for table in read_sources(reading, sources, unread):
        for at in range(0, max(table.num_rows, 1), 1000):
            yield table.slice(at, 1000)
