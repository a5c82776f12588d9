"""A few rows of a large group of rows of a Parquet file, by the pages that they lie in. It runs in a child.

Libraries decode a group from its beginning. Here the heads of the pages are looked at, and of each column a file of its
own is put together in memory, of the pages that are wanted and nothing else, which pyarrow reads. Columns whose pages
do not tell which rows they hold are left to others.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from hub.assets.viewer import thrift
from hub.assets.viewer.thrift import BINARY, I32, I64, LIST, STRUCT, Malformed, Short
from hub.assets.viewer.worker import Source

_TYPES = {name: at for at, name in enumerate(
    ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
)}  # fmt: skip
_CODECS = {"UNCOMPRESSED": 0, "SNAPPY": 1, "GZIP": 2, "BROTLI": 4, "ZSTD": 6}
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_RLE = 3
_HEAD_BYTES = 256
_MAX_HEAD_BYTES = 1024 * 1024
_MAX_PAGE_BYTES = 256 * 1024 * 1024
_NEAR_BYTES, _FAR_BYTES = 64 * 1024, 1024 * 1024
_MAX_PAGES = 100_000
_KEPT_COLUMNS = 2_000
# To pyarrow these are bytes; others have words for them.
_SHOWN_AS_BYTES = frozenset({"UUID", "ENUM", "JSON", "BSON", "INTERVAL"})
_MAGIC = b"PAR1"


# Groups of fewer bytes are read as they are.
_MIN_GROUP_BYTES = 4 * 1024 * 1024
_KEPT_FILES = 16


class NotSliceable(Exception):
    """A column must be read in another way."""


# What heads that are made up lead to; libraries have their own word on such a file.
_ODD = (NotSliceable, ValueError, OSError, TypeError, LookupError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class _Page:
    """A page of values. rows: that begin in it. is_whole: whether its first value begins a row."""

    start: int
    size: int
    values: int
    rows: int
    is_whole: bool
    raw_bytes: int


@dataclass
class _Pages:
    """The pages of a column in a group that were looked at so far, from the first on. next: where the next one is."""

    next: int
    end: int
    pages: list[_Page]
    dictionary: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class _Column:
    """A column as the schema has it: its elements as bytes, its first leaf's number and path, how many leaves."""

    elements: list[bytes]
    first_leaf: int
    path: list[str]
    leaves: int


class Slicer:
    """The columns of one Parquet file, to be sliced. metadata: pyarrow's."""

    def __init__(self, source: Source, metadata: Any) -> None:
        self.source = source
        self._metadata = metadata
        self._columns = _read_schema(source)

    def can_slice(self, column: int) -> bool:
        """Whether a column, by its place, is of one sort of values, in lists of one level at most."""
        found = self._columns[column]
        leaf = self._metadata.schema.column(found.first_leaf)
        return found.leaves == 1 and leaf.max_repetition_level <= 1 and leaf.logical_type.type not in _SHOWN_AS_BYTES

    def spans(self, first: int, count: int) -> list[tuple[int, int, int]]:
        """In which groups rows lie: group, first row in it, how many. Raises NotSliceable for small groups."""
        found, before = [], 0
        for number in range(self._metadata.num_row_groups):
            group = self._metadata.row_group(number)
            start, stop = max(first - before, 0), min(first + count - before, group.num_rows)
            if start < stop:
                if group.total_byte_size < _MIN_GROUP_BYTES:
                    raise NotSliceable
                found.append((number, start, stop - start))
            before += group.num_rows
        return found

    def slice(self, group: int, column: int, first: int, count: int) -> Any:
        """Rows of a column of a group, as a chunked array of pyarrow's. Raises NotSliceable."""
        from pyarrow import BufferReader, parquet

        leaf = self._columns[column].first_leaf
        chunk = self._metadata.row_group(group).column(leaf)
        levels = self._metadata.schema.column(leaf).max_repetition_level
        if chunk.compression not in _CODECS or chunk.physical_type not in _TYPES:
            raise NotSliceable
        try:
            found, before = self._find_pages(group, leaf, chunk, levels, first, count)
            data = self._file(column, chunk, *found)
        except Malformed:
            raise NotSliceable from None
        rows = sum(page.rows for page in found[1])
        if rows < first - before + count:
            raise NotSliceable
        table = parquet.ParquetFile(BufferReader(data)).read()
        if table.num_rows != rows:
            raise NotSliceable
        return table.column(0).slice(first - before, count)

    def _find_pages(
        self, group: int, leaf: int, chunk: Any, levels: int, first: int, count: int
    ) -> tuple[tuple[_Pages, list[_Page]], int]:
        """The pages that hold some rows, and the number of the first row in them."""
        known = _kept(self.source.etag, group, leaf, chunk)
        reader = _Reader(self.source, known.end)
        before = 0
        chosen: list[_Page] = []
        chosen_before = 0
        at = 0
        while True:
            if at == len(known.pages) and not _look(known, reader, chunk, levels):
                break
            page = known.pages[at]
            at += 1
            if before >= first + count and page.is_whole:
                break
            if page.is_whole and before <= first:
                # Row ``first`` begins here or later: what came before is of no use.
                chosen, chosen_before = [], before
            chosen.append(page)
            before += page.rows
        if not chosen or not chosen[0].is_whole:
            raise NotSliceable
        return (known, chosen), chosen_before

    def _file(self, column: int, chunk: Any, known: _Pages, pages: list[_Page]) -> bytes:
        """A Parquet file of one column and these pages."""
        body = bytearray(_MAGIC)
        raw_bytes = 0
        dictionary: list[tuple[int, int, bytes]] = []
        if known.dictionary is not None:
            start, size, raw = known.dictionary
            dictionary = [(11, I64, thrift.signed(len(body)))]
            body += self.source.read_range(start, size)
            raw_bytes += raw
        data_at = len(body)
        start, end = pages[0].start, pages[-1].start + pages[-1].size
        if end - start > _MAX_PAGE_BYTES:
            raise NotSliceable
        body += self.source.read_range(start, end - start)
        raw_bytes += sum(page.raw_bytes for page in pages)
        size, rows = len(body) - len(_MAGIC), sum(page.rows for page in pages)
        told = thrift.struct(
            [
                (1, I32, thrift.signed(_TYPES[chunk.physical_type])),
                (2, LIST, thrift.list_of(I32, [thrift.signed(each) for each in (0, _RLE, 8)])),
                (3, LIST, thrift.list_of(BINARY, [thrift.text(name) for name in self._columns[column].path])),
                (4, I32, thrift.signed(_CODECS[chunk.compression])),
                (5, I64, thrift.signed(sum(page.values for page in pages))),
                (6, I64, thrift.signed(raw_bytes)),
                (7, I64, thrift.signed(size)),
                (9, I64, thrift.signed(data_at)),
                *dictionary,
            ]
        )
        in_group = thrift.struct([(2, I64, thrift.signed(len(_MAGIC))), (3, STRUCT, told)])
        group = thrift.struct(
            [
                (1, LIST, thrift.list_of(STRUCT, [in_group])),
                (2, I64, thrift.signed(raw_bytes)),
                (3, I64, thrift.signed(rows)),
            ]
        )
        root = thrift.struct([(4, BINARY, thrift.text("schema")), (5, I32, thrift.signed(1))])
        schema = [root, *self._columns[column].elements]
        footer = thrift.struct(
            [
                (1, I32, thrift.signed(2)),
                (2, LIST, thrift.list_of(STRUCT, schema)),
                (3, I64, thrift.signed(rows)),
                (4, LIST, thrift.list_of(STRUCT, [group])),
            ]
        )
        return bytes(body) + footer + len(footer).to_bytes(4, "little") + _MAGIC


_SLICERS: OrderedDict[str, Slicer] = OrderedDict()


def slice_columns(source: Source, columns: list[int], first: int, count: int) -> dict[int, Any]:
    """Rows of those of these columns that can be sliced, by their places; none where the groups of rows are small."""
    from pyarrow import chunked_array, parquet

    try:
        slicer = _SLICERS.pop(source.etag, None) if source.etag else None
        if slicer is None:
            with source.open() as stream:
                slicer = Slicer(source, parquet.read_metadata(stream))
        slicer.source = source
        if source.etag:
            _SLICERS[source.etag] = slicer
            while len(_SLICERS) > _KEPT_FILES:
                _SLICERS.popitem(last=False)
        spans = slicer.spans(first, count)
    except NotSliceable:
        return {}
    found = {}
    for column in columns:
        if slicer.can_slice(column):
            try:
                slices = [slicer.slice(span[0], column, span[1], span[2]) for span in spans]
                found[column] = chunked_array([piece for each in slices for piece in each.chunks], slices[0].type)
            except _ODD:
                continue
    return found


def _read_schema(source: Source) -> list[_Column]:
    """The columns of a Parquet file, from the list of elements in its last bytes. Raises NotSliceable."""
    end = source.read_range(max(0, source.size_bytes - 8), 8)
    length = int.from_bytes(end[:4], "little")
    footer = source.read_range(source.size_bytes - 8 - length, length)
    try:
        elements = _elements_in(footer)
        columns: list[_Column] = []
        leaf, at = 0, 1
        while at < len(elements):
            first, path, leaves = at, [], 0
            left = 1
            while left:
                told, _ = elements[at]
                children = told.get(5) or 0
                if not leaves:
                    path.append(told[4].decode())
                leaves += not children
                left += children - 1
                at += 1
            columns.append(_Column([data for _, data in elements[first:at]], leaf, path, leaves))
            leaf += leaves
        return columns
    except (Malformed, IndexError, KeyError, UnicodeDecodeError, AttributeError):
        raise NotSliceable from None


def _elements_in(footer: bytes) -> list[tuple[dict[int, Any], bytes]]:
    """The elements of the schema, each with its bytes: the second member, after the version."""
    if footer[:1] != b"\x15":
        raise Malformed("The version does not come first.")
    _, at = thrift.read_signed(footer, 1)
    if footer[at : at + 1] != b"\x19":
        raise Malformed("The schema does not come second.")
    at += 1
    count, kind = footer[at] >> 4, footer[at] & 15
    at += 1
    if count == 15:
        count, at = thrift.read_varint(footer, at)
    if kind != STRUCT:
        raise Malformed("The schema is no list of elements.")
    found = []
    for _ in range(count):
        told, after = thrift.read_struct(footer, at)
        found.append((told, footer[at:after]))
        at = after
    return found


class _Reader:
    """A column's bytes, in blocks: small ones of a plain file, large ones of what is far away."""

    def __init__(self, source: Source, end: int) -> None:
        self._source = source
        self._end = end
        self._block_bytes = _NEAR_BYTES if source.path is not None else _FAR_BYTES
        self._start = 0
        self._block = b""

    def read(self, start: int, length: int) -> bytes:
        """These bytes, or those before the column's end."""
        stop = min(start + length, self._end)
        if start < self._start or stop > self._start + len(self._block):
            wanted = min(max(stop - start, self._block_bytes), self._end - start)
            self._start, self._block = start, self._source.read_range(start, wanted)
        return self._block[start - self._start : stop - self._start]


_PAGES: OrderedDict[tuple[str, int, int], _Pages] = OrderedDict()


def _kept(etag: str, group: int, leaf: int, chunk: Any) -> _Pages:
    key = (etag, group, leaf)
    found = _PAGES.pop(key, None) if etag else None
    if found is None:
        places = [chunk.data_page_offset]
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            places.append(chunk.dictionary_page_offset)
        start = min(places)
        found = _Pages(start, start + chunk.total_compressed_size, [])
    if etag:
        _PAGES[key] = found
        while len(_PAGES) > _KEPT_COLUMNS:
            _PAGES.popitem(last=False)
    return found


def _look(known: _Pages, reader: _Reader, chunk: Any, levels: int) -> bool:
    """Look at the heads of pages up to the next one of values; False at the end. Raises Malformed, NotSliceable."""
    while known.next < known.end:
        head, head_bytes = _head_at(reader, known.next)
        size, raw = head.get(3), head.get(2)
        if not isinstance(size, int) or not isinstance(raw, int) or not 0 <= size <= _MAX_PAGE_BYTES:
            raise Malformed("A page has no size.")
        start, whole = known.next, head_bytes + size
        if start + whole > known.end or len(known.pages) >= _MAX_PAGES:
            raise Malformed("A page ends behind its column.")
        if head.get(1) == _DICTIONARY:
            known.dictionary = (start, whole, head_bytes + raw)
        elif head.get(1) == _DATA_V2:
            told = head[8]
            known.pages.append(_Page(start, whole, told[1], told[3], True, head_bytes + raw))
        elif head.get(1) == _DATA:
            values = head[5][1]
            rows, is_whole = values, True
            if levels:
                if head[5][4] != _RLE:
                    raise NotSliceable
                body = _inflate(reader.read(start + head_bytes, size), raw, chunk.compression)
                rows, is_whole = _rows_in(body, values)
            known.pages.append(_Page(start, whole, values, rows, is_whole, head_bytes + raw))
        known.next = start + whole
        if head.get(1) in (_DATA, _DATA_V2):
            return True
    return False


def _head_at(reader: _Reader, start: int) -> tuple[dict[int, Any], int]:
    length = _HEAD_BYTES
    while True:
        data = reader.read(start, length)
        try:
            return thrift.read_struct(data, 0)
        except (Short, IndexError):
            if length >= _MAX_HEAD_BYTES or len(data) < length:
                raise Malformed("A page has no head.") from None
            length *= 8


def _inflate(data: bytes, raw_bytes: int, codec: str) -> bytes:
    import pyarrow as pa

    if codec == "UNCOMPRESSED":
        return data
    if raw_bytes > _MAX_PAGE_BYTES:
        raise NotSliceable
    try:
        found: bytes = pa.decompress(data, raw_bytes, codec.lower(), asbytes=True)
    except (pa.ArrowException, OSError):
        raise NotSliceable from None
    return found


def _rows_in(body: bytes, values: int) -> tuple[int, bool]:
    """How many rows begin in a page of lists, and whether one begins with its first value.

    Each value has a bit: whether it goes on with the row before. The bits are packed, or runs of one.
    """
    length = int.from_bytes(body[:4], "little")
    data, at = body[4 : 4 + length], 0
    seen = going_on = 0
    is_whole = True
    while seen < values and at < len(data):
        head, at = thrift.read_varint(data, at)
        if head & 1:
            count = min((head >> 1) * 8, values - seen)
            packed = int.from_bytes(data[at : at + (head >> 1)], "little") & ((1 << count) - 1)
            at += head >> 1
            bits = packed.bit_count()
            first = packed & 1
        else:
            count = min(head >> 1, values - seen)
            first = data[at] & 1 if at < len(data) else 0
            at += 1
            bits = count * first
        if not seen:
            is_whole = not first
        seen += count
        going_on += bits
    if seen != values:
        raise NotSliceable
    return values - going_on, is_whole
