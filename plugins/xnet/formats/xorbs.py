"""Xorbs: up to 8192 chunks of files, compressed one by one, in one body. Source: Xet contract, sections 6.1 and 8.1."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from mmap import mmap
from typing import Self

import lz4.frame

from plugins.xnet.formats.hashes import HASH_BYTES, Hash, chunk_hash, tree_hash

# Source of the limits: Xet contract, section 6.1.
MAX_CHUNKS = 8192
MAX_CHUNK_BYTES = 128 * 1024
MAX_RAW_BYTES = 64 * 1024 * 1024
_HEADER_BYTES = 8
# What a footer takes at most: its marks, and 40 bytes a chunk.
_MAX_FOOTER_BYTES = 512 * 1024
MAX_BODY_BYTES = MAX_RAW_BYTES + _HEADER_BYTES * MAX_CHUNKS + _MAX_FOOTER_BYTES

_FOOTER_MARK = b"XETBLOB"
_FRAME_MARK = b"\x04\x22\x4d\x18"
_STORED, _LZ4, _BG4_LZ4 = 0, 1, 2
# Two words: in each the low byte is the version or the scheme, the others are a length.
_HEADER = struct.Struct("<II")


class FormatError(ValueError):
    """The bytes are not what the format asks for; the message says what is wrong, and is safe to show."""


class PackedChunks:
    """The chunks of a xorb in 40 bytes each: all hashes, then all uncompressed lengths, then all stored lengths.

    Lengths are little-endian words of 32 bits; a stored length is that of the payload with its header. Ranges are of
    chunks, ``start`` inclusive and ``end`` exclusive; IndexError for a range that is not within the xorb.
    """

    __slots__ = ("_blob", "_count", "_raw_ends", "_stored_ends")

    BYTES_EACH = HASH_BYTES + 8

    def __init__(self, blob: bytes) -> None:
        """What ``to_bytes`` gave. Raises FormatError for a blob of another length."""
        self._count, rest = divmod(len(blob), self.BYTES_EACH)
        if rest:
            raise FormatError("a list of chunks is cut off")
        self._blob = blob
        lengths: tuple[int, ...] = struct.unpack_from(f"<{2 * self._count}I", blob, self._count * HASH_BYTES)
        self._raw_ends = tuple(accumulate(lengths[: self._count], initial=0))
        self._stored_ends = tuple(accumulate(lengths[self._count :], initial=0))

    @classmethod
    def pack(cls, hashes: list[Hash], raw_lengths: list[int], stored_lengths: list[int]) -> Self:
        """Of three lists with one entry a chunk."""
        return cls(b"".join(hashes) + struct.pack(f"<{2 * len(hashes)}I", *raw_lengths, *stored_lengths))

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """What ``to_bytes`` gave. Raises FormatError for a blob of another length."""
        return cls(bytes(blob))

    def to_bytes(self) -> bytes:
        return self._blob

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedChunks) and self._blob == other._blob

    def hash(self, index: int) -> Hash:
        """The hash of one chunk."""
        return self.hashes(index, index + 1)

    def hashes(self, start: int, end: int) -> bytes:
        """The raw hashes of a range, put together."""
        self._check(start, end)
        return self._blob[start * HASH_BYTES : end * HASH_BYTES]

    def nodes(self, start: int = 0, end: int | None = None) -> Iterator[tuple[Hash, int]]:
        """(hash, uncompressed bytes) of each chunk of a range, as ``tree_hash`` and ``file_hash`` take them."""
        stop = self._count if end is None else end
        self._check(start, stop)
        for index in range(start, stop):
            yield (
                self._blob[index * HASH_BYTES : (index + 1) * HASH_BYTES],
                self._raw_ends[index + 1] - self._raw_ends[index],
            )

    def raw_length(self, start: int, end: int) -> int:
        """The uncompressed bytes of a range."""
        self._check(start, end)
        return self._raw_ends[end] - self._raw_ends[start]

    def stored_range(self, start: int, end: int) -> tuple[int, int]:
        """Where a range lies in the stored xorb: its first byte, and the byte after its last."""
        self._check(start, end)
        return self._stored_ends[start], self._stored_ends[end]

    def _check(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self._count:
            raise IndexError(f"chunks {start} to {end} are not within {self._count}")


@dataclass(frozen=True)
class Xorb:
    """A xorb whose every chunk was checked. stored_bytes: of the chunks alone, without a footer."""

    hash: Hash
    raw_bytes: int
    stored_bytes: int
    chunks: PackedChunks


def read_xorb(body: mmap | bytes | memoryview) -> Xorb:
    """Check a xorb's body whole: headers, limits, payloads; its hash is computed from the uncompressed chunks.

    A footer, as older clients append it, is not read. Raises FormatError.
    """
    if len(body) > MAX_BODY_BYTES:
        raise FormatError(f"a xorb has at most {MAX_BODY_BYTES} bytes")
    hashes: list[Hash] = []
    raw_lengths: list[int] = []
    stored_lengths: list[int] = []
    with memoryview(body) as view:
        for chunk, stored_length in _read_chunks(view, is_footer_allowed=True):
            hashes.append(chunk_hash(chunk))
            raw_lengths.append(len(chunk))
            stored_lengths.append(stored_length)
    if not hashes:
        raise FormatError("a xorb has at least one chunk")
    return Xorb(
        tree_hash(zip(hashes, raw_lengths, strict=True)),
        sum(raw_lengths),
        sum(stored_lengths),
        PackedChunks.pack(hashes, raw_lengths, stored_lengths),
    )


def decode_chunks(stored: bytes | memoryview) -> Iterator[bytes]:
    """The uncompressed chunks of a run of stored ones, one after the other. Raises FormatError."""
    with memoryview(stored) as view:
        for chunk, _ in _read_chunks(view, is_footer_allowed=False):
            yield bytes(chunk)


def _read_chunks(view: memoryview, *, is_footer_allowed: bool) -> Iterator[tuple[bytes | bytearray | memoryview, int]]:
    """Each chunk uncompressed, and its stored length with the header."""
    context = lz4.frame.create_decompression_context()
    position, count, raw_bytes, size = 0, 0, 0, len(view)
    while position < size:
        if size - position < _HEADER_BYTES:
            raise FormatError("a chunk's header is cut off")
        first, second = _HEADER.unpack_from(view, position)
        version, length, scheme, raw_length = first & 0xFF, first >> 8, second & 0xFF, second >> 8
        if version:
            if is_footer_allowed and view[position : position + len(_FOOTER_MARK)] == _FOOTER_MARK:
                return
            raise FormatError(f"a chunk has the unknown version {version}")
        start = position + _HEADER_BYTES
        position = start + length
        count += 1
        raw_bytes += raw_length
        if position > size:
            raise FormatError("a chunk is cut off")
        if not 0 < raw_length <= MAX_CHUNK_BYTES:
            raise FormatError(f"a chunk has 1 to {MAX_CHUNK_BYTES} bytes, not {raw_length}")
        if count > MAX_CHUNKS:
            raise FormatError(f"a xorb has at most {MAX_CHUNKS} chunks")
        if raw_bytes > MAX_RAW_BYTES:
            raise FormatError(f"a xorb has at most {MAX_RAW_BYTES} bytes uncompressed")
        # Let go of at once: a map of a file cannot be closed while somebody holds a part of it.
        with view[start:position] as payload:
            if scheme == _STORED:
                if length != raw_length:
                    raise FormatError("an uncompressed chunk has two different lengths")
                yield payload, _HEADER_BYTES + length
            elif scheme == _LZ4:
                yield _decompress(context, payload, raw_length), _HEADER_BYTES + length
            elif scheme == _BG4_LZ4:
                yield _regroup(_decompress(context, payload, raw_length)), _HEADER_BYTES + length
            else:
                raise FormatError(f"a chunk has the unknown compression scheme {scheme}")


def _decompress(context: object, payload: memoryview, raw_length: int) -> bytes:
    """The content of one LZ4 frame that fills the payload and has exactly this length."""
    # Other frames' marks are valid for the library, with no content or in an older form.
    if payload[:4] != _FRAME_MARK:
        raise FormatError("a chunk is no LZ4 frame")
    try:
        # The limit is what is allocated, whatever the frame says of itself.
        chunk, read, is_end = lz4.frame.decompress_chunk(context, payload, max_length=raw_length)
    except RuntimeError as problem:
        raise FormatError("a chunk's LZ4 frame is broken") from problem
    if not is_end or read != len(payload) or len(chunk) != raw_length:
        raise FormatError("a chunk's LZ4 frame has another length than its header says")
    return bytes(chunk)  # as it is, without a copy


def _regroup(grouped: bytes) -> bytearray:
    """Undo BG4: put the bytes back that were grouped by their position modulo 4."""
    chunk = bytearray(len(grouped))
    whole, rest = divmod(len(grouped), 4)
    start = 0
    for group in range(4):
        end = start + whole + (group < rest)
        chunk[group::4] = grouped[start:end]
        start = end
    return chunk
