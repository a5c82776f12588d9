"""What a shard says, compared with what the hub knows of its xorbs. Source: Xet contract, section 8.2.

To compare is slow, and a term of a hundred bytes may name thousands of chunks. So what the shard announces is summed up
first, for the caller to look whether there is room for so much; the work is then in proportion to these bytes.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from hub.plugin import Context
from hub.plugin.errors import Invalid
from hub.plugin.objects import offload
from plugins.xnet.formats.hashes import ZERO_HASH, is_dedup_eligible, range_hash
from plugins.xnet.formats.shards import FormatError, ShardFile, ShardXorb, Term, read_shard
from plugins.xnet.formats.trees import FileHasher
from plugins.xnet.formats.xorbs import PackedChunks
from plugins.xnet.reading import find_chunks, read_windows

_XORBS_AT_ONCE = 8
# Clients cut chunks of 8 KiB at least, but for the end of a file: many more than that are there to make work.
_SMALLEST_CHUNK_BYTES = 8 * 1024
_SPARE_CHUNKS = 1024
# It is Python that compares: two threads that do would make all others wait longer, and be no sooner done.
_JUDGING = threading.BoundedSemaphore(1)
# Bit 31 of a chunk's flags: ask for it by its hash. So many of a xorb are taken, besides those whose hash says so.
_IS_ASKED_FOR = 1 << 31
_MAX_FLAGGED = 512

# A chunk's hash, and a xorb that has it.
Place = tuple[bytes, bytes]


@dataclass(frozen=True)
class Announced:
    """What a shard says; nothing of it is proved. sizes: of its files, oid to bytes."""

    files: Sequence[ShardFile]
    xorbs: Sequence[ShardXorb]
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class JudgedFile:
    """A file whose chunks are all here and whose hash is right. oid: the SHA-256 that it is announced with."""

    hash: bytes
    oid: str
    size_bytes: int
    terms: Sequence[Term]
    xorbs: frozenset[bytes]
    first_chunk: Place


@dataclass(frozen=True)
class JudgedShard:
    """What is right in a shard. xorbs: those that it lists. chunks: by which clients may ask for these."""

    files: Sequence[JudgedFile]
    xorbs: Sequence[bytes]
    chunks: Sequence[Place]


def read_announced(path: Path) -> Announced:
    """Read a shard's body, and sum it up. Raises Invalid (``shard_invalid``)."""
    return offload(_read, path)


def judge_shard(context: Context, shard: Announced) -> Generator[int, None, JudgedShard]:
    """Compare a shard with the hub's own lists of chunks; a few queries, a few xorbs at a time. It yields after each.

    Raises Invalid: ``shard_not_proved`` for whatever would tell of xorbs that the sender does not have;
    ``file_hash_mismatch``.
    """
    judge = _Judge(shard.files)
    for window in read_windows(context, chain.from_iterable(file.terms for file in judge.files)):
        with _JUDGING:
            offload(judge.take, window.terms, window.chunks)
        yield 0
    places: list[Place] = []
    for start in range(0, len(shard.xorbs), _XORBS_AT_ONCE):
        listed = shard.xorbs[start : start + _XORBS_AT_ONCE]
        known = find_chunks(context, {xorb.hash for xorb in listed})
        with _JUDGING:
            places += offload(_compare, listed, known)
        yield 0
    return JudgedShard(judge.judged, [xorb.hash for xorb in shard.xorbs], places)


def not_proved() -> Invalid:
    """One refusal for all that is wrong with xorbs: the hub's having them or not is nobody's business."""
    return Invalid(
        "The shard refers to chunks that are not here, or its verification does not prove that you have them. "
        "Upload the xorbs first; a client that remembers them from long ago must clear its cache.",
        code="shard_not_proved",
    )


def _read(path: Path) -> Announced:
    with path.open("rb") as stream:
        try:
            with closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as body, memoryview(body) as view:
                shard = read_shard(view)
        except FormatError as error:
            raise Invalid(f"The shard is refused: {error}.", code="shard_invalid") from None
        except ValueError:  # nothing came: an empty file has no map
            raise Invalid("The shard is empty.", code="shard_invalid") from None
    files = [file for file in shard.files if not _is_empty(file)]
    sizes: dict[str, int] = {}
    chunks = 0
    for file in files:
        oid = _check_form(file)
        if oid in sizes:
            raise Invalid("Two files of the shard have the same SHA-256.", code="shard_invalid")
        sizes[oid] = sum(term.raw_length for term in file.terms)
        chunks += _count_chunks(file, sizes[oid])
    if chunks > sum(sizes.values()) // _SMALLEST_CHUNK_BYTES + len(files) + _SPARE_CHUNKS:
        raise Invalid("The files of the shard are cut into too many chunks.", code="shard_invalid")
    return Announced(files, shard.xorbs, sizes)


def _is_empty(file: ShardFile) -> bool:
    """Whether it is a file without a byte, which needs no chunks and is nobody's content."""
    return file.hash == ZERO_HASH and not file.terms


def _count_chunks(file: ShardFile, size_bytes: int) -> int:
    """How many chunks are to be gone through for a file. Each of its terms has one at least."""
    chunks = sum(term.end - term.start for term in file.terms)
    if chunks > size_bytes // _SMALLEST_CHUNK_BYTES + _SPARE_CHUNKS:
        raise Invalid("A file of the shard is cut into too many chunks.", code="shard_invalid")
    return chunks


def _check_form(file: ShardFile) -> str:
    """Return the file's SHA-256 when the form is right."""
    if not file.terms:
        raise Invalid("A file of the shard has no terms.", code="shard_invalid")
    if file.verification is None or len(file.verification) != len(file.terms):
        raise Invalid("A file of the shard has no verification.", code="shard_invalid")
    if file.sha256 is None:
        raise Invalid("A file of the shard has no SHA-256.", code="shard_invalid")
    return file.sha256


@dataclass
class _Progress:
    """A file whose terms are being compared."""

    file: ShardFile
    proofs: Iterator[bytes]
    left: int
    size_bytes: int = 0
    first_chunk: Place = (b"", b"")
    xorbs: set[bytes] = field(default_factory=set)
    hasher: FileHasher = field(default_factory=FileHasher)


class _Judge:
    """Compares the terms of many files, which come in order and in any batches."""

    def __init__(self, files: Sequence[ShardFile]) -> None:
        self.files = files
        self.judged: list[JudgedFile] = []
        self._waiting = iter(files)
        self._current: _Progress | None = None

    def take(self, terms: Sequence[Term], chunks: Mapping[bytes, PackedChunks]) -> None:
        """Compare the next terms; chunks: of their xorbs, as far as these are known. Raises Invalid."""
        for term in terms:
            current = self._current or self._begin(next(self._waiting))
            self._current = current
            packed = chunks.get(term.xorb)
            if packed is None or term.end > len(packed):
                raise not_proved()
            if packed.raw_length(term.start, term.end) != term.raw_length:
                raise not_proved()
            if range_hash(packed.hashes(term.start, term.end)) != next(current.proofs):
                raise not_proved()
            self._add(current, term, packed)
            if not current.left:
                self.judged.append(self._finish(current))
                self._current = None

    @staticmethod
    def _begin(file: ShardFile) -> _Progress:
        assert file.verification is not None  # the form was checked
        return _Progress(file, iter(file.verification), len(file.terms))

    @staticmethod
    def _add(current: _Progress, term: Term, packed: PackedChunks) -> None:
        if not current.size_bytes:
            current.first_chunk = (packed.hash(term.start), term.xorb)
        current.left -= 1
        current.size_bytes += term.raw_length
        current.xorbs.add(term.xorb)
        current.hasher.feed(packed.nodes(term.start, term.end))

    @staticmethod
    def _finish(current: _Progress) -> JudgedFile:
        file = current.file
        if current.hasher.digest() != file.hash:
            raise Invalid("The hash of a file is not that of its chunks.", code="file_hash_mismatch")
        assert file.sha256 is not None  # the form was checked
        xorbs = frozenset(current.xorbs)
        return JudgedFile(file.hash, file.sha256, current.size_bytes, file.terms, xorbs, current.first_chunk)


def _compare(listed: Sequence[ShardXorb], known: Mapping[bytes, PackedChunks]) -> list[Place]:
    """The places of the chunks that clients ask for in these xorbs. Raises Invalid."""
    places = []
    for xorb in listed:
        packed = known.get(xorb.hash)
        if packed is None or len(packed) != len(xorb.chunks):
            raise not_proved()
        flagged = 0
        for chunk, (name, length) in zip(xorb.chunks, packed.nodes(), strict=True):
            if (chunk.hash, chunk.raw_length) != (name, length):
                raise not_proved()
            is_flagged = bool(chunk.flags & _IS_ASKED_FOR) and flagged < _MAX_FLAGGED
            flagged += is_flagged
            if is_flagged or is_dedup_eligible(name):
                places.append((name, xorb.hash))
    return places
