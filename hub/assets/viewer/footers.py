"""What Parquet files say of themselves: rows and columns, from their last bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.assets.viewer import arrow
from hub.assets.viewer.features import describe_columns
from hub.assets.viewer.worker import Source

_MAX_ERROR_CHARS = 500
_END = b"PAR1"


def describe_files(sources: Sequence[Source], *, etags: Sequence[str]) -> dict[str, Any]:
    """Columns and parts of Parquet files, and which could not be read: in words of JSON.

    The first file that can be read says what columns there are; one whose columns differ is not a part of the table.
    """
    columns: list[dict[str, Any]] | None = None
    parts: list[dict[str, Any]] = []
    unread: list[list[str]] = []
    for source, etag in zip(sources, etags, strict=True):
        try:
            found, num_rows = describe_file(source)
        except arrow.UnreadableTable as error:
            unread.append([source.name, str(error)])
            continue
        if columns is None:
            columns = found
        elif [(each["name"], each["type"]) for each in found] != [(each["name"], each["type"]) for each in columns]:
            unread.append([source.name, "Its columns are others than those of the files before it."])
            continue
        part = {"path": source.name, "etag": etag, "size_bytes": source.size_bytes, "num_rows": num_rows}
        parts.append(part)
    return {"columns": columns or [], "parts": parts, "unread": unread}


def describe_file(source: Source) -> tuple[list[dict[str, Any]], int]:
    """The columns and the number of rows of a Parquet file. Raises UnreadableTable."""
    import pyarrow as pa
    from pyarrow import parquet

    end = source.read_range(max(0, source.size_bytes - 8), 8)
    if len(end) < 8 or end[4:] != _END:
        raise arrow.UnreadableTable("It is no Parquet file: its last bytes are not 'PAR1'.")
    length = int.from_bytes(end[:4], "little")
    if length > min(arrow.MAX_FOOTER_BYTES, source.size_bytes):
        raise arrow.UnreadableTable(f"What the file says of itself at its end has {length} bytes, which is too much.")
    try:
        opened = parquet.ParquetFile(source.open())
        metadata = opened.metadata
        if metadata.num_columns > arrow.MAX_COLUMNS:
            raise arrow.UnreadableTable(f"A table can have {arrow.MAX_COLUMNS} columns; this one has more.")
        counted = sum(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        if metadata.num_rows != counted or counted < 0:
            raise arrow.UnreadableTable("What the file says of the number of its rows does not add up.")
        return describe_columns(opened.schema_arrow), counted
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise arrow.UnreadableTable(str(error)[:_MAX_ERROR_CHARS]) from None
