"""Tables of CSV and JSON become Parquet, a part at a time; what Parquet files say of themselves.

``pyarrow`` is not a part of every installation (the extra "dataset"), and heavy: it is imported where it is used.
"""

from __future__ import annotations

import codecs
import csv as plain_csv
import importlib.util
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from hub.assets.viewer.features import features_of
from hub.assets.viewer.writing import Writer
from hub.base.streams import RangedStream
from hub.base.texts import as_storable

# What is read of a source at once.
BLOCK_BYTES = 8 * 1024 * 1024
# JSON that is one object, over many lines, cannot be read in parts.
MAX_OBJECT_BYTES = 16 * 1024 * 1024
_LIST_BYTES = 1024 * 1024
_MARK_BYTES = 4096
MAX_LINE_BYTES = 16 * 1024 * 1024
# Of a table, those within others included. pyarrow takes some kilobytes for each, and where it gets no more memory it
# ends the process: so they are counted before it sees the file.
MAX_COLUMNS = 5_000
# Of what a Parquet file says of itself at its end, and of what the library ``datasets`` wrote there.
MAX_FOOTER_BYTES = 32 * 1024 * 1024
_MAX_HEADER_BYTES = 8 * 1024 * 1024
_MAX_ERROR_CHARS = 500
_BLANK = re.compile(r"[ \t\r\n]*")
_TOO_LONG_FIELD = re.compile("field limit")
_ROW = re.compile(r"in row (\d+)")
_BETWEEN = re.compile(r"[ \t\r\n,]*")


class UnreadableTable(ValueError):
    """A table cannot be read; the text says why. at: the name of the file, where it is one of several."""

    def __init__(self, reason: str, at: str = "") -> None:
        # It may quote the file.
        super().__init__(as_storable(reason))
        self.at = at


@dataclass(frozen=True)
class Source:
    """A file to read. open: its bytes from a place on, so many of them."""

    name: str
    size_bytes: int
    open_range: Callable[[int, int], Iterable[bytes]]


@dataclass(frozen=True)
class Written:
    """What became of sources. bytes: of the rows in memory. is_partial: there was more than the limit."""

    rows: int
    size_bytes: int
    is_partial: bool
    features: dict[str, Any] | None


@cache
def is_available() -> bool:
    """Whether ``pyarrow`` is installed. Asked once a process: each page of a table asks some times."""
    return importlib.util.find_spec("pyarrow") is not None


def write_parquet(
    sources: Sequence[Source],
    *,
    format: str,
    delimiter: str,
    folder: Path,
    max_bytes: int,
    take: Callable[[Path], None],
    note: Callable[[int], None] = lambda done: None,
) -> Written:
    """Write the rows of sources of one format ("csv", "json") as Parquet files, each handed to ``take`` when whole.

    max_bytes: of the sources; what is beyond is left out. note: told how many bytes of them were read.
    Raises UnreadableTable; files that were taken stay with whoever took them.
    """
    import pyarrow as pa

    writer = Writer(folder, lambda path, _rows: take(path))
    read = 0
    is_partial = False
    is_too_much = sum(source.size_bytes for source in sources) > max_bytes
    try:
        for source in sources:
            stream = _Stream(source)
            delimited = delimiter or ("\t" if source.name.lower().endswith(".tsv") else ",")
            for table in read_csv(stream, delimited) if format == "csv" else read_json(stream, writer.schema):
                writer.add(table)
                note(read + stream.done)
                if is_too_much and read + stream.done > max_bytes:
                    is_partial = True
                    break
            read += source.size_bytes
            if is_partial:
                break
        writer.close()
    except (pa.ArrowException, UnicodeError, OverflowError, RecursionError, ValueError) as error:
        raise UnreadableTable(f"{str(error)[:_MAX_ERROR_CHARS]}") from None
    finally:
        writer.abandon()
    return Written(writer.rows, writer.size_bytes, is_partial, features_of(writer.schema))


class _Stream(io.RawIOBase):
    """A source from its beginning to its end, as a file. done: how much of it was read."""

    def __init__(self, source: Source) -> None:
        self._chunks = iter(source.open_range(0, source.size_bytes))
        self._left = memoryview(b"")
        self.done = 0

    def readable(self) -> bool:
        return True

    def peek(self, length: int) -> bytes:
        """The first bytes, which are still to be read; before anything was."""
        start = bytearray(self._left)
        while len(start) < length and (chunk := next(self._chunks, None)) is not None:
            start += chunk
        self._left = memoryview(bytes(start))
        return bytes(start[:length])

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        length = min(len(buffer), len(self._left))
        buffer[:length] = self._left[:length]
        self._left = self._left[length:]
        self.done += length
        return length


def read_csv(stream: Any, delimiter: str, types: Mapping[int, Any] | None = None) -> Iterator[Any]:
    """The rows of CSV as tables of pyarrow's, block by block. types: of columns by their place, where known."""
    import pyarrow as pa
    from pyarrow import csv

    header = check_header(stream.peek(_MAX_HEADER_BYTES), delimiter)
    names = {header[at]: type for at, type in (types or {}).items() if at < len(header)}
    reader = csv.open_csv(
        io.BufferedReader(stream, BLOCK_BYTES),
        # With threads it would not tell which row is broken.
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=names),
    )
    is_empty = True
    for batch in reader:
        is_empty = False
        yield pa.Table.from_batches([batch])
    if is_empty:
        yield reader.schema.empty_table()


def check_header(start: bytes, delimiter: str) -> list[str]:
    """The names of the columns of a CSV file. Raises UnreadableTable."""
    # Bytes as they are: what ends a column or a line is the same in UTF-8.
    text = start.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    try:
        lines = plain_csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header = next((line for line in lines if line), [])
    except (plain_csv.Error, TypeError, ValueError) as error:
        if _TOO_LONG_FIELD.search(str(error)):
            raise UnreadableTable(
                f"A name in the first line has more than {plain_csv.field_size_limit()} bytes."
            ) from None
        raise UnreadableTable(f"The first line cannot be read: {error}.") from None
    if len(header) > MAX_COLUMNS:
        raise UnreadableTable(f"A table can have {MAX_COLUMNS} columns; this one has more.")
    return [name.encode("latin-1").decode("utf-8", "replace") for name in header]


class _Columns:
    """Counts the columns of rows of JSON, those within others included."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], int] = {}

    def add(self, row: Any) -> None:
        """Raises UnreadableTable when there are too many."""
        waiting = [(0, row)]
        while waiting:
            within, value = waiting.pop()
            if isinstance(value, list):
                waiting += [(within, each) for each in value if isinstance(each, list | dict)]
            elif isinstance(value, dict):
                for name, each in value.items():
                    number = self._known.setdefault((within, name), len(self._known) + 1)
                    if isinstance(each, list | dict):
                        waiting.append((number, each))
                if len(self._known) > MAX_COLUMNS:
                    raise UnreadableTable(f"A table can have {MAX_COLUMNS} columns; this one has more.")

    def add_all(self, lines: bytes) -> None:
        """The rows of a text of JSON, one after the other. Raises UnreadableTable, ValueError, RecursionError."""
        text = lines.decode("utf-8-sig", "replace")
        decoder = json.JSONDecoder()
        at = _BLANK.match(text).end()  # type: ignore[union-attr]
        while at < len(text):
            row, at = decoder.raw_decode(text, at)
            self.add(row)
            at = _BLANK.match(text, at).end()  # type: ignore[union-attr]


def read_json(stream: Any, schema: Any) -> Iterator[Any]:
    """The rows of JSON as tables of pyarrow's: of one object a line, of a list of objects, or of one object.

    schema: that the rows must fit, None: it is found out from the first of them.
    """
    beginning = stream.peek(BLOCK_BYTES)
    start = beginning[:_MARK_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    head = io.BufferedReader(stream, BLOCK_BYTES)
    if start.startswith(b"["):
        blocks = _blocks_of_list(head)
    elif start.startswith(b"{"):
        blocks = _blocks_of_objects(head, beginning.lstrip().split(b"\n", 1)[0])
    else:
        blocks = _blocks_of_lines(head)
    rows = 0
    for lines in blocks:
        if schema is None:
            # Any row of the first block may bring columns.
            _Columns().add_all(lines)
        try:
            table = _parse_lines(lines, schema)
        except ValueError as error:
            raise UnreadableTable(_ROW.sub(partial(_say_row, rows), str(error))[:_MAX_ERROR_CHARS]) from None
        schema = schema or table.schema
        rows += table.num_rows
        yield table


def _say_row(before: int, match: re.Match[str]) -> str:
    """pyarrow counts from the beginning of what it was given."""
    return f"in row {before + int(match[1]) + 1}"


def _blocks_of_list(stream: io.BufferedReader[Any]) -> Iterator[bytes]:
    """The items of a list of objects as lines, some megabytes at a time."""
    decoder, decode = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8-sig")()
    text = decode.decode(stream.read(_LIST_BYTES)).lstrip().removeprefix("[")
    wanted = _LIST_BYTES
    lines: list[str] = []
    ready = place = 0
    is_over = False
    while True:
        at = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        if text.startswith("]", at):
            break
        try:
            item, end = decoder.raw_decode(text, at)
        except ValueError as error:
            if is_over or len(text) - at > MAX_LINE_BYTES:
                raise UnreadableTable(f"The list cannot be read: {error}."[:_MAX_ERROR_CHARS]) from None
            data = stream.read(wanted)
            # What is not whole is read again from its beginning: with more each time, so that it is not often.
            wanted = min(2 * wanted, MAX_LINE_BYTES)
            is_over = not data
            text, place = text[at:] + decode.decode(data, is_over), 0
            continue
        if not isinstance(item, dict):
            raise UnreadableTable("The list has items that are no objects.")
        lines.append(json.dumps(item, ensure_ascii=False))
        ready += end - at
        place = end
        if ready >= _LIST_BYTES:
            yield _joined(lines)
            lines, ready, wanted = [], 0, _LIST_BYTES
    if lines:
        yield _joined(lines)


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _blocks_of_objects(stream: io.BufferedReader[Any], first: bytes) -> Iterator[bytes]:
    """Objects: one a line, or one that is the whole file, whose list of objects or whose columns are the rows."""
    try:
        json.loads(first.decode("utf-8-sig"))
    except ValueError:
        text = stream.read(MAX_OBJECT_BYTES + 1)
        if len(text) > MAX_OBJECT_BYTES:
            # Lines after all, the first of them long or broken.
            yield from _blocks_of_lines(io.BufferedReader(_Joined(text, stream), BLOCK_BYTES))
            return
        try:
            whole = json.loads(text.decode("utf-8-sig"))
        except ValueError:
            yield from _blocks_of_lines(io.BufferedReader(_Joined(text, stream), BLOCK_BYTES))
            return
        yield _joined([json.dumps(row, ensure_ascii=False) for row in _rows_in(whole)])
        return
    yield from _blocks_of_lines(stream)


def _rows_in(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that an object holds: under its only key that has a list of objects, as columns, or itself."""
    tables = [
        value
        for value in whole.values()
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value)
    ]
    if len(tables) == 1:
        return tables[0]
    columns = [value for value in whole.values() if isinstance(value, list)]
    if columns and len(columns) == len(whole) and len({len(column) for column in columns}) == 1:
        return [dict(zip(whole, row, strict=True)) for row in zip(*columns, strict=True)]
    return [whole]


class _Joined(io.RawIOBase):
    """What was read already, and then the rest."""

    def __init__(self, start: bytes, stream: Any) -> None:
        self._start = memoryview(start)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start[: len(buffer)] or self._stream.read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def _parse_lines(lines: bytes, schema: Any) -> Any:
    from pyarrow import json as arrow_json

    options = arrow_json.ParseOptions(
        newlines_in_values=False,
        explicit_schema=schema,
        unexpected_field_behavior="infer" if schema is None else "error",
    )
    read_options = arrow_json.ReadOptions(use_threads=False, block_size=max(len(lines), 1))
    return arrow_json.read_json(io.BytesIO(lines), read_options=read_options, parse_options=options)


def _blocks_of_lines(stream: io.BufferedReader[Any]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        whole, newline, tail = (rest + block).rpartition(b"\n")
        if newline and whole.strip():
            yield whole + newline
        rest = tail
        if len(rest) > MAX_LINE_BYTES:
            raise UnreadableTable("A line of JSON has more than 16 MiB.")
    if rest.strip():
        yield rest


# Parquet files that are there.


class _Seekable(RangedStream):
    """A source that can be read anywhere, as a file: the end of a Parquet file says where the rest is."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.size_bytes = source.size_bytes

    def read_range(self, start: int, length: int) -> bytes:
        length = min(length, self.size_bytes - start)
        return b"".join(self._source.open_range(start, length)) if length > 0 else b""


def _check_footer(source: Source) -> None:
    """Raises UnreadableTable for one that is too long to be read; what is no Parquet file is found out later."""
    end = b"".join(source.open_range(max(0, source.size_bytes - 8), min(8, source.size_bytes)))
    if len(end) == 8 and int.from_bytes(end[:4], "little") > MAX_FOOTER_BYTES:
        raise UnreadableTable(f"What the file says of itself has more than {MAX_FOOTER_BYTES} bytes.")


def describe_parquet(sources: Sequence[Source]) -> Written:
    """The rows and the features of Parquet files, from their ends. Raises UnreadableTable."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = size_bytes = 0
    features = None
    try:
        for at, source in enumerate(sources):
            _check_footer(source)
            found = parquet.ParquetFile(io.BufferedReader(_Seekable(source), 64 * 1024))
            if found.metadata.num_columns > MAX_COLUMNS:
                raise UnreadableTable(f"A table can have {MAX_COLUMNS} columns; this one has more.")
            rows += found.metadata.num_rows
            size_bytes += sum(
                found.metadata.row_group(group).total_byte_size for group in range(found.metadata.num_row_groups)
            )
            if at == 0:
                features = features_of(found.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableTable(f"{str(error)[:_MAX_ERROR_CHARS]}") from None
    return Written(rows, size_bytes, False, features)
