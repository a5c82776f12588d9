"""Rows of Parquet files by their numbers, read in a child: DuckDB skips what lies before them."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import threading
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from hub.assets.viewer.arrow import UnreadableTable
from hub.assets.viewer.cells import MAX_CELL_BYTES, Page, jsonable, values_of
from hub.assets.viewer.slicing import slice_columns
from hub.assets.viewer.worker import Source

_MEMORY = "700MB"
_NUMBER = "file_row_number"
_PROTOCOL = "hubpart"
_SOURCES: dict[str, Source] = {}
_NUMBERS = itertools.count()
# DuckDB thinks for seconds about a statement of so many.
_MANY_COLUMNS = 500
# So many small files in memory are put together faster than DuckDB is started.
_FEW_COLUMNS = 100
_SMALL_GROUP_BYTES = 64 * 1024 * 1024
_TOO_MUCH = re.compile(r"Out of Memory|malloc of size|realloc of size", re.IGNORECASE)


def read_rows(
    sources: Sequence[Source], *, spans: Sequence[Sequence[int]], media: dict[str, str], columns: int
) -> dict[str, Any]:
    """The rows of a page. spans: of each source, the first row and how many. media: kinds of columns of files by
    their place. columns: how many there must be."""
    page = Page({int(at): kind for at, kind in media.items()})
    before = 0
    for source, (first, count) in zip(sources, spans, strict=True):
        files = sorted(map(int, media))
        try:
            table = _rows_of(source, first, count, files, columns)
            if table.num_columns != columns:
                raise UnreadableTable("The file has other columns than were found in it before.")
            page.add_table(table)
        except Exception as error:
            if not _is_too_much(error):
                raise UnreadableTable(str(error), source.name) from None
            page.forget(before)
            _add_one_by_one(page, source, range(first, first + count), files, columns)
        before = len(page.rows)
    return {"rows": page.rows, "cut": page.cut}


def _is_too_much(error: Exception) -> bool:
    return isinstance(error, MemoryError) or _TOO_MUCH.match(str(error)) is not None


def _add_one_by_one(page: Page, source: Source, rows: range, media: Sequence[int], columns: int) -> None:
    """Add rows that have no room at once; of one that has none by itself there is nothing but that."""
    for row in rows:
        try:
            page.add_table(_rows_of(source, row, 1, media, columns, in_pieces=True))
        except Exception as error:
            if not _is_too_much(error):
                raise UnreadableTable(str(error), source.name) from None
            page.add_lost(columns)


def read_cell(
    sources: Sequence[Source], *, row: int, column: int, columns: int, limit_bytes: int, form: str
) -> dict[str, Any]:
    """One value of the first source. form: "value" for it in words of JSON; "bytes" for the file that it holds."""
    table = _select(sources[0], row, 1, [], only=[column], is_whole=True)
    if table.num_rows != 1 or table.num_columns != 1:
        raise ValueError("There is no such row.")
    if table.nbytes > 2 * limit_bytes:
        return {"is_too_large": True}
    [value] = values_of(table.column(0))
    if form == "bytes":
        return _file_in(value, limit_bytes)
    shown = jsonable(value)
    return {"is_too_large": True} if len(json.dumps(shown)) > limit_bytes else {"value": shown}


def _file_in(value: Any, limit_bytes: int) -> dict[str, Any]:
    held = value if isinstance(value, dict) else {"bytes": value, "path": ""}
    data, path = held.get("bytes"), held.get("path")
    path = path if isinstance(path, str) else ""
    if not isinstance(data, bytes):
        return {"bytes": None, "path": path}
    if len(data) > limit_bytes:
        return {"is_too_large": True}
    return {"bytes": base64.b64encode(data).decode(), "path": path}


def _rows_of(
    source: Source, first: int, count: int, media: Sequence[int], columns: int, *, in_pieces: bool = False
) -> Any:
    """Rows as a table of pyarrow's. Of large groups no more is read than the pages that they lie in.

    in_pieces: also where a file that is near has many columns.
    """
    import pyarrow as pa

    if columns > _MANY_COLUMNS and not media and (read := _read_groups(source, first, count)) is not None:
        return read
    plain = [at for at in range(columns) if at not in media]
    # Also of a file that is near: so a new child needs no DuckDB, whose start takes longer than the page.
    is_sliced = in_pieces or source.path is None or len(plain) <= _FEW_COLUMNS
    sliced = slice_columns(source, plain, first, count) if is_sliced else {}
    if not sliced:
        return _select(source, first, count, media)
    others = [at for at in range(columns) if at not in sliced]
    if others:
        table = _select(source, first, count, media, only=others)
        sliced |= {at: table.column(number) for number, at in enumerate(others)}
    return pa.table([sliced[at] for at in range(columns)], names=[str(at) for at in range(columns)])


def _select(
    source: Source,
    first: int,
    count: int,
    media: Sequence[int],
    only: Sequence[int] | None = None,
    *,
    is_whole: bool = False,
) -> Any:
    """Rows as a table of pyarrow's. media: columns of files, of which only the paths are read. only: these columns.

    is_whole: long texts, too, of which otherwise no more is taken than is shown.
    """
    connection = _connect()
    place = source.path or _place_of(source)
    opened = "read_parquet(?, hive_partitioning = false{0})"
    # Of words of our own only; the place is a parameter, and columns are called by their number.
    names, texts = _columns_of(place)
    is_numbered = not any(name.lower() == _NUMBER for name in names)
    chosen = [_path_only(f"c{at}") if at in media else f"c{at}" for at in range(len(names))]
    for at in () if is_whole else texts:
        chosen[at] = f"left(c{at}, {MAX_CELL_BYTES + 1}) AS c{at}"
    chosen = chosen if only is None else [chosen[at] for at in only]
    aliases = ", ".join(f"c{at}" for at in range(len(names)))
    if is_numbered:
        source_sql = opened.format(", file_row_number = true")
        statement = f"SELECT {', '.join(chosen)} FROM {source_sql} AS t({aliases}, n) WHERE n >= ? AND n < ? ORDER BY n"  # noqa: S608
        parameters = [place, first, first + count]
    else:
        statement = f"SELECT {', '.join(chosen)} FROM {opened.format('')} AS t({aliases}) LIMIT ? OFFSET ?"  # noqa: S608
        parameters = [place, count, first]
    return connection.sql(statement, params=parameters).to_arrow_table()


def _read_groups(source: Source, first: int, count: int) -> Any | None:
    """Rows of small groups, which pyarrow reads as they are; None where one is large."""
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(source.open())
    before, found = 0, []
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        start, stop = max(first - before, 0), min(first + count - before, group.num_rows)
        before += group.num_rows
        if start < stop:
            if group.total_byte_size > _SMALL_GROUP_BYTES:
                return None
            found.append(file.read_row_group(number, use_threads=False).slice(start, stop - start))
    return pa.concat_tables(found) if found else None


@lru_cache(maxsize=32)
def _columns_of(place: str) -> tuple[list[str], list[int]]:
    """The names of a file's columns, and which are texts, by their places. What lies at a place never changes."""
    found = _connect().sql("SELECT * FROM read_parquet(?, hive_partitioning = false)", params=[place])
    return list(found.columns), [at for at, type in enumerate(found.types) if str(type) == "VARCHAR"]


def _path_only(name: str) -> str:
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE struct_pack(path := {name}.path) END AS {name}"


@cache
def _connect() -> Any:
    import duckdb

    warnings.simplefilter("ignore")
    return duckdb.connect(
        ":memory:",
        config={
            "threads": 2,
            "memory_limit": _MEMORY,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "enable_object_cache": True,
        },
    )


def _place_of(source: Source) -> str:
    """An address by which DuckDB reads a source through the parent."""
    _file_system()
    # Never the same address for another content: DuckDB keeps what it has read of one.
    number = str(next(_NUMBERS))
    _SOURCES.clear()
    _SOURCES[number] = source
    return f"{_PROTOCOL}://{number}"


class _Shared(io.RawIOBase):
    """A source as DuckDB reads it: its threads share a file, and each seeks before it reads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._places: dict[int, int] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._places.get(threading.get_ident(), 0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._source.size_bytes}[whence]
        place = self._places[threading.get_ident()] = max(0, base + offset)
        return place

    def readinto(self, buffer: Any) -> int:
        place = self.tell()
        data = self._source.read_range(place, len(buffer))
        buffer[: len(data)] = data
        self._places[threading.get_ident()] = place + len(data)
        return len(data)


@cache
def _file_system() -> None:
    from fsspec.spec import AbstractFileSystem

    class Parts(AbstractFileSystem):  # type: ignore[misc]  # the library carries no types
        """The source that is being read."""

        protocol = _PROTOCOL
        cachable = False

        def open(self, path: str, mode: str = "rb", **_: Any) -> _Shared:
            return _Shared(_SOURCES[path.rpartition("/")[2]])

        def info(self, path: str, **_: Any) -> dict[str, Any]:
            return {"name": path, "size": _SOURCES[path.rpartition("/")[2]].size_bytes, "type": "file"}

        def exists(self, path: str, **_: Any) -> bool:
            return True

        def glob(self, path: str, **_: Any) -> list[str]:
            return [path]

        def modified(self, path: str) -> datetime:
            return datetime.fromtimestamp(0, UTC)

    _connect().register_filesystem(Parts())
