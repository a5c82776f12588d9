"""Files of every format as rows: tables of pyarrow's, some megabytes at a time. It runs in a child."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NoReturn

from hub.assets.viewer import arrow
from hub.assets.viewer.arrow import UnreadableTable
from hub.assets.viewer.media import MEDIA, read_folder, read_samples
from hub.assets.viewer.streams import (
    Counted,
    FirstLines,
    Member,
    Peeked,
    as_utf8,
    members_of,
    open_plain,
    read_member,
    suffixes_of,
)
from hub.assets.viewer.worker import Source
from hub.base.texts import as_storable

_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".parquet": "parquet",
}
# Beside pictures and sounds in a WebDataset.
_SAMPLES = frozenset({".cls", ".txt", ".text", ".npy", ".transcript", ".id"})
# Of CSV, what the first rows are read of at most: a part of a line could be taken for a row. A list of JSON may be one
# line, and its parts are told from wholes.
_HELD_BYTES = {"csv": 4 * 1024 * 1024, "json": 64 * 1024}
_IN_MEMORY_BYTES = 256 * 1024 * 1024
_MAX_ERROR_CHARS = 500
_WRONG_TYPE = re.compile(r"In CSV column #(\d+): CSV conversion error to (\w+)")
_NOT_UTF8 = re.compile(r"invalid UTF-?8", re.IGNORECASE)
_TOO_LONG = re.compile(r"straddl|block size", re.IGNORECASE)
MAX_TRIES = 12


@dataclass
class Reading:
    """How files are read, and what was found out about that on the way. notes: in words, by file.

    limit_bytes: of each file's text, beyond which is not read. features: of columns, where they are known otherwise
    than by their types.
    """

    format: str
    delimiter: str = ""
    limit_bytes: int = 1 << 62
    types: dict[int, Any] = field(default_factory=dict)
    encodings: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)
    is_cut: bool = False
    done: int = 0
    schema: Any = None


class Again(Exception):
    """The files must be read from the beginning, in the other way that ``Reading`` now says."""


def read_sources(reading: Reading, sources: Sequence[Source], unread: dict[str, str]) -> Iterator[Any]:
    """The rows of files, in order. unread: gets the reasons of files that cannot be read; what came of them before
    stays. All have the columns of the first. Raises Again, MemoryError."""
    reading.schema, reading.done, reading.is_cut = None, 0, False
    if reading.format in ("imagefolder", "audiofolder"):
        kind = "Image" if reading.format == "imagefolder" else "Audio"
        reading.features[kind.lower()] = {"_type": kind}
        yield from read_folder(sources, kind.lower(), unread)
        return
    before = 0
    for source in sources:
        try:
            for table in _read_source(reading, source):
                if reading.schema is None:
                    reading.schema = table.schema.remove_metadata()
                yield _fit(reading, table)
                reading.done = before + min(source.size_bytes, reading.done - before)
        except UnreadableTable as error:
            unread[source.name] = str(error)
        except Again:
            raise
        except _errors() as error:
            unread[source.name] = _reason(str(error))
        before += source.size_bytes
        reading.done = before


def _fit(reading: Reading, table: Any) -> Any:
    """A table in the columns of those before it: what it lacks is empty. Raises UnreadableTable, Again."""
    import pyarrow as pa

    schema, names = reading.schema, table.schema.names
    if table.schema.equals(schema):
        return table
    more = [name for name in names if name not in schema.names]
    if more:
        raise UnreadableTable(f"It has a column {more[0]!r} that what comes before it has not.")
    columns = []
    for at, column in enumerate(schema):
        try:
            found = table.column(column.name) if column.name in names else pa.nulls(table.num_rows, column.type)
            columns.append(found.cast(column.type))
        except (pa.ArrowException, KeyError) as error:
            if reading.format == "csv" and names == schema.names and reading.types.get(at) != pa.string():
                _loosen(reading, at, is_number=pa.types.is_floating(table.schema.field(at).type))
            raise UnreadableTable(f"Its column {column.name!r} does not fit those before it: {error}"[:500]) from None
    return pa.Table.from_arrays(columns, schema=schema)


def _loosen(reading: Reading, column: int, *, is_number: bool) -> NoReturn:
    """Read a column of CSV as numbers with fractions, else as texts. Raises Again."""
    import pyarrow as pa

    reading.types[column] = pa.float64() if is_number and column not in reading.types else pa.string()
    raise Again


def _errors() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (pa.ArrowException, UnicodeError, OverflowError, RecursionError, ValueError, OSError, KeyError, TypeError)


def _reason(text: str) -> str:
    if _TOO_LONG.search(text):
        return f"A line has more than {arrow.BLOCK_BYTES >> 20} MiB, or a quoted value does not end."
    if "recursion" in text:
        return "Its values lie too deep in each other."
    return " ".join(as_storable(text).split())[:_MAX_ERROR_CHARS] or "It cannot be read."


def _read_source(reading: Reading, source: Source) -> Iterator[Any]:
    suffix, compression = suffixes_of(source.name)
    if suffix in (".zip", ".tar"):
        yield from _read_archive(reading, source)
        return
    stream = open_plain(source.open(), compression)
    yield from _read_stream(reading, source.name, suffix, stream, is_seekable=not compression)


def _read_archive(reading: Reading, source: Source) -> Iterator[Any]:
    """The rows of an archive: of its tables of the format that comes first, or of its pictures and sounds."""
    members = _members(source)
    first = next(members, None)
    if first is None:
        raise UnreadableTable("The archive has no files that could be read as a table.", source.name)
    is_tar = suffixes_of(source.name)[0] == ".tar"
    begun = [first]
    suffix = suffixes_of(first.name)[0]
    if is_tar and suffix == ".json":
        # Of a WebDataset the first file may be what is said of the second.
        begun = [Member(first.name, io.BytesIO(read_member(first)))]
        begun += [following] if (following := next(members, None)) is not None else []
        suffix = suffixes_of(begun[-1].name)[0]
    if suffix in MEDIA or (is_tar and suffix in _SAMPLES):
        yield from read_samples(chain(begun, members), reading.features, is_keyed=is_tar)
        return
    wanted = _FORMATS[suffixes_of(first.name)[0]]
    for member in chain(begun, members):
        suffix, compression = suffixes_of(member.name)
        if _FORMATS.get(suffix) == wanted:
            name, stream = f"{source.name}/{member.name}", open_plain(member.stream, compression)
            try:
                yield from _read_stream(reading, name, suffix, stream, is_seekable=False)
            except _errors() as error:
                raise UnreadableTable(f"{member.name!r} in it: {_reason(str(error))}", source.name) from None


def _members(source: Source) -> Iterator[Member]:
    """The files of an archive that something can be made of."""
    for member in members_of(source):
        suffix = suffixes_of(member.name)[0]
        if suffix in _FORMATS or suffix in MEDIA or suffix in _SAMPLES:
            yield member


def _read_stream(reading: Reading, name: str, suffix: str, stream: Any, *, is_seekable: bool) -> Iterator[Any]:
    format = _FORMATS.get(suffix) or reading.format
    if format in ("arrow", "parquet"):
        yield from _read_arrow(_whole(stream) if not is_seekable else stream, format)
        return
    counted = Counted(stream)
    text, encoding = as_utf8(counted, reading.encodings.get(name, ""))
    if encoding:
        reading.notes[name] = f"It is no UTF-8; it was read as {encoding.upper()}."
    lines = FirstLines(text, reading.limit_bytes, _HELD_BYTES[format])
    peeked = Peeked(lines)
    tables = (
        arrow.read_csv(peeked, reading.delimiter or _delimiter_of(suffix), reading.types)
        if format == "csv"
        else arrow.read_json(peeked, None)
    )
    before = reading.done
    try:
        for table in tables:
            reading.done = before + counted.done
            yield table
    except _errors() as error:
        if lines.is_cut:
            # What is wrong may be only that it does not end here.
            reading.is_cut = True
            return
        _judge(reading, name, str(error))
        raise
    reading.is_cut = reading.is_cut or lines.is_cut


def _judge(reading: Reading, name: str, said: str) -> None:
    """Find another way to read what pyarrow has refused. Raises Again where there is one."""
    if _NOT_UTF8.search(said) and not reading.encodings.get(name):
        reading.encodings[name] = "latin-1"
        raise Again
    found = _WRONG_TYPE.search(said)
    if found is not None:
        # Of another type than its first values said.
        _loosen(reading, int(found[1]), is_number=found[2].startswith("int"))


def _delimiter_of(suffix: str) -> str:
    return "\t" if suffix == ".tsv" else ","


def _whole(stream: Any) -> Any:
    import pyarrow as pa

    data = stream.read(_IN_MEMORY_BYTES + 1)
    if len(data) > _IN_MEMORY_BYTES:
        raise UnreadableTable(f"Compressed, a file of this format can have {_IN_MEMORY_BYTES >> 20} MiB.")
    return pa.BufferReader(data)


def _read_arrow(stream: Any, format: str) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import ipc, parquet

    if format == "parquet":
        for batch in parquet.ParquetFile(stream).iter_batches(8192):
            yield pa.Table.from_batches([batch])
        return
    start = stream.read(6)
    stream.seek(0)
    if start == b"ARROW1":
        reader = ipc.open_file(stream)
        batches = (reader.get_batch(at) for at in range(reader.num_record_batches))
    else:
        reader = ipc.open_stream(stream)
        batches = iter(reader)
    _check_columns(reader.schema)
    is_empty = True
    for batch in batches:
        batch.validate(full=True)
        is_empty = False
        yield pa.Table.from_batches([batch])
    if is_empty:
        yield reader.schema.empty_table()


def _check_columns(schema: Any) -> None:
    if len(schema) > arrow.MAX_COLUMNS:
        raise UnreadableTable(f"A table can have {arrow.MAX_COLUMNS} columns; this one has more.")
