"""Shards: lists of files with their terms, and of xorbs with their chunks. Source: Xet contract, 6.2 to 6.5."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, overload

from plugins.xnet.formats.hashes import HASH_BYTES, ZERO_HASH, Hash, hash_to_text, hmac_hash
from plugins.xnet.formats.xorbs import MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_RAW_BYTES, FormatError, PackedChunks

__all__ = [
    "MAX_ENTRIES",
    "MAX_SHARD_BYTES",
    "FormatError",
    "Shard",
    "ShardChunk",
    "ShardFile",
    "ShardXorb",
    "Term",
    "read_shard",
    "write_dedup_shard",
]

# Source: Xet contract, section 6.4: clients merge their shards up to 64 MiB.
MAX_SHARD_BYTES = 80 * 1024 * 1024
# Files, and xorbs: each becomes an object, some ten times as large as its smallest record.
MAX_ENTRIES = 100_000

_TAG = b"HFRepoMetaData" + bytes.fromhex("00556967456a7b815783a5bdd95ccdd14aa9")
_VERSION = 2
_RECORD_BYTES = 48
_FOOTER_BYTES = 200
_BOOKEND_HASH = b"\xff" * HASH_BYTES
_BOOKEND = _BOOKEND_HASH + bytes(16)
_HAS_VERIFICATION = 1 << 31
_HAS_METADATA = 1 << 30

_SHARD_HEADER = struct.Struct("<32sQQ")
_FILE_HEADER = struct.Struct("<32sIIQ")
_TERM = struct.Struct("<32sxxxxIII")
_JUST_HASH = struct.Struct("<32s16x")
_XORB_HEADER = struct.Struct("<32s4I")
_CHUNK = struct.Struct("<32sIIIxxxx")
_FOOTER = struct.Struct("<9Q32sQQ48x4Q")

T = TypeVar("T")


class Term(NamedTuple):
    """Chunks ``start`` to ``end`` (exclusive) of a xorb as a piece of a file. raw_length: uncompressed bytes."""

    xorb: Hash
    raw_length: int
    start: int
    end: int


class ShardChunk(NamedTuple):
    """A chunk as a shard lists it. offset, raw_length: in the uncompressed xorb, in bytes."""

    hash: Hash
    offset: int
    raw_length: int
    flags: int


class Records(Sequence[T], Generic[T]):
    """Records of a shard, read when they are asked for: a full shard has more than a million."""

    __slots__ = ("_blob", "_form", "_make")

    def __init__(self, blob: bytes, form: struct.Struct, make: Callable[..., T]) -> None:
        self._blob, self._form, self._make = blob, form, make

    def __len__(self) -> int:
        return len(self._blob) // _RECORD_BYTES

    def __iter__(self) -> Iterator[T]:
        for fields in self._form.iter_unpack(self._blob):
            yield self._make(*fields)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return self._make(*self._form.unpack_from(self._blob, number * _RECORD_BYTES))


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file's reconstruction. verification: the range hash of each term. sha256: in its usual hexadecimal form.

    Of an empty file, the hash is zero, there are no terms, and sha256 is None.
    """

    hash: Hash
    terms: Sequence[Term]
    verification: Sequence[Hash] | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class ShardXorb:
    """A xorb's chunks, as its uploader lists them."""

    hash: Hash
    chunks: Sequence[ShardChunk]


@dataclass(frozen=True)
class Shard:
    """What an uploaded shard says; nothing of it is proved yet."""

    files: list[ShardFile]
    xorbs: list[ShardXorb]


def read_shard(body: bytes | bytearray | memoryview) -> Shard:
    """Read an uploaded shard. Raises FormatError.

    Its form and its limits are checked; whether its xorbs exist and its hashes are right is not. Of files with the
    same hash, the first counts. What follows the second section (lookup tables and a footer, of older clients) is not
    read.
    """
    if len(body) > MAX_SHARD_BYTES:
        raise FormatError(f"a shard has at most {MAX_SHARD_BYTES} bytes")
    with memoryview(body) as view:
        reader = _Reader(view)
        tag, version, _ = _SHARD_HEADER.unpack(reader.take(1))
        if tag != _TAG or version != _VERSION:
            raise FormatError("not a shard of version 2")
        files: dict[Hash, ShardFile] = {}
        are_verified = set()
        while (head := reader.take(1)) != _BOOKEND:
            file = _read_file(head, reader)
            are_verified.add(file.verification is not None)
            files.setdefault(file.hash, file)
            _check_count(files, "files")
        if len(are_verified) > 1:
            raise FormatError("some files of a shard have verification and others have none")
        xorbs: list[ShardXorb] = []
        while (head := reader.take(1)) != _BOOKEND:
            xorbs.append(_read_xorb(head, reader))
            _check_count(xorbs, "xorbs")
    return Shard(list(files.values()), xorbs)


def write_dedup_shard(
    xorbs: Iterable[tuple[Hash, PackedChunks]], *, hmac_key: bytes, created_at_s: int, expires_at_s: int
) -> bytes:
    """An answer to a dedup query: a shard with no files, and the xorbs' chunks under a key.

    hmac_key: 32 random bytes. The times are Unix seconds. Source: Xet contract, sections 6.5 and 8.3.
    """
    parts = [_SHARD_HEADER.pack(_TAG, _VERSION, _FOOTER_BYTES), _BOOKEND]
    raw_bytes = stored_bytes = 0
    for xorb, chunks in xorbs:
        raw_length = chunks.raw_length(0, len(chunks))
        stored_length = chunks.stored_range(0, len(chunks))[1]
        parts.append(_XORB_HEADER.pack(xorb, 0, len(chunks), raw_length, stored_length))
        offset = 0
        for chunk, length in chunks.nodes():
            parts.append(_CHUNK.pack(hmac_hash(hmac_key, chunk), offset, length, 0))
            offset += length
        raw_bytes += raw_length
        stored_bytes += stored_length
    parts.append(_BOOKEND)
    end = len(parts) * _RECORD_BYTES
    # The lookup tables are empty: all begin where the footer does.
    places = (_RECORD_BYTES, 2 * _RECORD_BYTES, end, 0, end, 0, end, 0)
    parts.append(_FOOTER.pack(1, *places, hmac_key, created_at_s, expires_at_s, stored_bytes, 0, raw_bytes, end))
    return b"".join(parts)


class _Reader:
    def __init__(self, view: memoryview) -> None:
        self._view, self._position = view, 0

    def take(self, records: int) -> bytes:
        """The next records; what is asked for is compared with what is left before anything is made."""
        end = self._position + records * _RECORD_BYTES
        if end > len(self._view):
            raise FormatError("a shard is cut off")
        taken = bytes(self._view[self._position : end])
        self._position = end
        return taken


def _check_count(entries: Sized, kind: str) -> None:
    if len(entries) > MAX_ENTRIES:
        raise FormatError(f"a shard has at most {MAX_ENTRIES} {kind}")


def _read_file(head: bytes, reader: _Reader) -> ShardFile:
    name, flags, count, _ = _FILE_HEADER.unpack(head)
    if name == _BOOKEND_HASH:
        raise FormatError("a section of a shard ends wrongly")
    if flags & ~(_HAS_VERIFICATION | _HAS_METADATA):
        raise FormatError("a file has unknown flags")
    terms = Records(reader.take(count), _TERM, Term)
    for term in terms:
        if not term.start < term.end <= MAX_CHUNKS or not 0 < term.raw_length <= MAX_RAW_BYTES:
            raise FormatError("a term of a file is out of range")
    verification = Records(reader.take(count), _JUST_HASH, bytes) if flags & _HAS_VERIFICATION else None
    sha256 = None
    if flags & _HAS_METADATA:
        (raw,) = _JUST_HASH.unpack(reader.take(1))
        # Kept in the same order as hashes are. All zero: of an empty file, or not known.
        sha256 = None if raw == ZERO_HASH else hash_to_text(raw)
    return ShardFile(name, terms, verification, sha256)


def _read_xorb(head: bytes, reader: _Reader) -> ShardXorb:
    name, _, count, raw_bytes, _ = _XORB_HEADER.unpack(head)
    if name == _BOOKEND_HASH:
        raise FormatError("a section of a shard ends wrongly")
    if not 0 < count <= MAX_CHUNKS:
        raise FormatError(f"a xorb has 1 to {MAX_CHUNKS} chunks, not {count}")
    chunks = Records(reader.take(count), _CHUNK, ShardChunk)
    offset = 0
    for chunk in chunks:
        if chunk.offset != offset or not 0 < chunk.raw_length <= MAX_CHUNK_BYTES:
            raise FormatError("a chunk of a xorb is out of range")
        offset += chunk.raw_length
    if offset != raw_bytes or offset > MAX_RAW_BYTES:
        raise FormatError("a xorb has another length than its chunks")
    return ShardXorb(name, chunks)
