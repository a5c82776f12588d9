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
# What a frame adds at most to a chunk that nothing can be saved on. Clients do not compress such ones; a frame may be
# padded with empty blocks, and stored bytes would be free.
_FRAME_BYTES = 64
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


class XorbReader:
    """Checks a xorb while its body comes in, in pieces of any length: headers, limits, payloads.

    A footer, as older clients append it, is not read.
    """

    def __init__(self) -> None:
        self._run = _Run(is_footer_allowed=True)
        # The chunk that the last piece ended in.
        self._begun = bytearray()
        self._received_bytes = 0
        self._hashes: list[Hash] = []
        self._raw_lengths: list[int] = []
        self._stored_lengths: list[int] = []

    def feed(self, piece: mmap | bytes | memoryview) -> None:
        """Check the next bytes of the body, of which nothing is kept but the last chunk's begin. Raises FormatError."""
        self._received_bytes += len(piece)
        if self._received_bytes > MAX_BODY_BYTES:
            raise FormatError(f"a xorb has at most {MAX_BODY_BYTES} bytes")
        with memoryview(piece) as view:
            position = 0
            while self._begun and position < len(view):
                end = min(position + self._run.missing_bytes(self._begun), len(view))
                self._begun += view[position:end]
                position = end
                with memoryview(self._begun) as begun:
                    taken = self._take(begun)
                del self._begun[:taken]
            with view[position:] as rest:
                self._begun += rest[self._take(rest) :]

    def finish(self) -> Xorb:
        """The xorb, once all is fed; its hash is computed from the uncompressed chunks. Raises FormatError."""
        self._run.end(len(self._begun))
        if not self._hashes:
            raise FormatError("a xorb has at least one chunk")
        return Xorb(
            tree_hash(zip(self._hashes, self._raw_lengths, strict=True)),
            sum(self._raw_lengths),
            sum(self._stored_lengths),
            PackedChunks.pack(self._hashes, self._raw_lengths, self._stored_lengths),
        )

    def _take(self, view: memoryview) -> int:
        """Check the chunks that are here whole; how many bytes that were."""
        for chunk, stored_length in self._run.read(view):
            self._hashes.append(chunk_hash(chunk))
            self._raw_lengths.append(len(chunk))
            self._stored_lengths.append(stored_length)
        return self._run.position


def read_xorb(body: mmap | bytes | memoryview) -> Xorb:
    """As ``XorbReader``, of a body that is here whole. Raises FormatError."""
    reader = XorbReader()
    reader.feed(body)
    return reader.finish()


def view_chunks(stored: bytes | memoryview) -> Iterator[bytes | bytearray | memoryview]:
    """The uncompressed chunks of a run of stored ones, each good only until the next is asked for.

    Raises FormatError.
    """
    run = _Run(is_footer_allowed=False)
    with memoryview(stored) as view:
        for chunk, _ in run.read(view):
            yield chunk
        run.end(len(view) - run.position)


def decode_chunks(stored: bytes | memoryview) -> Iterator[bytes]:
    """The uncompressed chunks of a run of stored ones, one after the other. Raises FormatError."""
    for chunk in view_chunks(stored):
        yield bytes(chunk)


class _Run:
    """Stored chunks, one after the other. position: in what was read last, the begin of the first that is not whole."""

    def __init__(self, *, is_footer_allowed: bool) -> None:
        self.position = 0
        self._count = 0
        self._raw_bytes = 0
        self._context = lz4.frame.create_decompression_context()
        self._is_footer_allowed = is_footer_allowed
        self._is_in_footer = False

    def read(self, view: memoryview) -> Iterator[tuple[bytes | bytearray | memoryview, int]]:
        """Each chunk that is here whole, uncompressed, and its stored length with the header."""
        self.position, size = 0, len(view)
        while not self._is_in_footer and size - self.position >= _HEADER_BYTES:
            first, second = _HEADER.unpack_from(view, self.position)
            version, length, scheme, raw_length = first & 0xFF, first >> 8, second & 0xFF, second >> 8
            if version:
                if not self._is_footer_allowed or not _begins_footer(view, self.position):
                    raise FormatError(f"a chunk has the unknown version {version}")
                self._is_in_footer = True
                break
            self._check_limits(raw_length, length)
            start = self.position + _HEADER_BYTES
            end = start + length
            if end > size:
                return
            self._count += 1
            self._raw_bytes += raw_length
            # Let go of at once: a map of a file cannot be closed while somebody holds a part of it.
            with view[start:end] as payload:
                yield self._decode(payload, scheme, raw_length), _HEADER_BYTES + length
            self.position = end
        if self._is_in_footer:
            self.position = size

    def end(self, rest_bytes: int) -> None:
        """Return when so many bytes may be left over. Raises FormatError."""
        if rest_bytes:
            raise FormatError("a chunk's header is cut off" if rest_bytes < _HEADER_BYTES else "a chunk is cut off")

    @staticmethod
    def missing_bytes(begun: bytearray) -> int:
        """How much is missing of a chunk, or at first of its header."""
        if len(begun) < _HEADER_BYTES:
            return _HEADER_BYTES - len(begun)
        length: int = _HEADER.unpack_from(begun)[0] >> 8
        return _HEADER_BYTES + length - len(begun)

    def _check_limits(self, raw_length: int, length: int) -> None:
        if length > raw_length + _FRAME_BYTES:
            raise FormatError("a chunk is larger compressed than uncompressed")
        if not 0 < raw_length <= MAX_CHUNK_BYTES:
            raise FormatError(f"a chunk has 1 to {MAX_CHUNK_BYTES} bytes, not {raw_length}")
        if self._count >= MAX_CHUNKS:
            raise FormatError(f"a xorb has at most {MAX_CHUNKS} chunks")
        if self._raw_bytes + raw_length > MAX_RAW_BYTES:
            raise FormatError(f"a xorb has at most {MAX_RAW_BYTES} bytes uncompressed")

    def _decode(self, payload: memoryview, scheme: int, raw_length: int) -> bytes | bytearray | memoryview:
        if scheme == _STORED:
            if len(payload) != raw_length:
                raise FormatError("an uncompressed chunk has two different lengths")
            return payload
        if scheme == _LZ4:
            return _decompress(self._context, payload, raw_length)
        if scheme == _BG4_LZ4:
            return _regroup(_decompress(self._context, payload, raw_length))
        raise FormatError(f"a chunk has the unknown compression scheme {scheme}")


def _begins_footer(view: memoryview, position: int) -> bool:
    return bytes(view[position : position + len(_FOOTER_MARK)]) == _FOOTER_MARK


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
