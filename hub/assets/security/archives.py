"""Pickles, wherever they are: in files of their own, in NumPy's, and packed in zip, tar and compressed files.

PyTorch's files are zips, joblib's may be compressed, .npz are zips of .npy, and any of them may be in another.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from hub.assets.security.files import HEAD_BYTES, Budget, CheckedFile, Exceeded, Result, Treatment, treatment_of
from hub.assets.security.pickles import scan_pickles

_PROTOCOLS = tuple(b"\x80" + bytes([version]) for version in range(6))
_ZIP = b"PK\x03\x04"
_NUMPY = b"\x93NUMPY"
_MAX_NUMPY_HEADER_BYTES = 1024 * 1024
_OBJECTS = re.compile(rb"['\"][|<>=]?O\d*['\"]")
_TAR_AT, _TAR = 257, b"ustar"
_UNOPENED = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR"}
_CHUNK_BYTES = 64 * 1024
_MAX_LZMA_BYTES = 256 * 1024 * 1024
_SPOOL_BYTES = 1024 * 1024
_ENCRYPTED = 0x1


def check_pickles(file: CheckedFile, result: Result) -> None:
    """Report what pickles in the file import."""
    if is_of_interest(file.head, file.treatment):
        _inspect(file.open(), file.treatment, file.budget, result, "", 0)


def is_of_interest(head: bytes, treatment: Treatment) -> bool:
    """Whether a file that begins so can be, or hold, a pickle."""
    if treatment == Treatment.PICKLE:
        return bool(head)
    starts = (*_PROTOCOLS, _ZIP, _NUMPY, *_UNOPENED, b"\x1f\x8b\x08")
    return head.startswith(starts) or head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR


def _inspect(stream: BinaryIO, treatment: Treatment, budget: Budget, result: Result, where: str, depth: int) -> None:
    """Look through one file that is where its beginning is. Raises Exceeded, and what reading raises."""
    head = _peek(stream)
    if depth > budget.limits.depth:
        raise Exceeded(f"Files are packed in it more than {budget.limits.depth} times over.")
    unopened = next((name for start, name in _UNOPENED.items() if head.startswith(start)), "")
    if unopened:
        result.miss(f"{where or 'It'} is an archive of a kind that is not opened: {unopened}.", is_skipped=True)
    elif head.startswith(_ZIP):
        _inspect_zip(stream, budget, result, where, depth)
    elif head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        _inspect_tar(stream, budget, result, where, depth)
    elif (unpack := _unpacker_of(head, treatment)) is not None:
        inner = cast(BinaryIO, io.BufferedReader(_Unpacked(stream, unpack, budget), _CHUNK_BYTES))
        if is_of_interest(_peek(inner), treatment):
            _inspect(inner, treatment, budget, result, where, depth + 1)
    elif head.startswith(_NUMPY):
        if _has_objects(stream):
            scan_pickles(stream, budget, result, where)
    elif treatment == Treatment.PICKLE or head.startswith(_PROTOCOLS):
        scan_pickles(stream, budget, result, where)


def _peek(stream: BinaryIO) -> bytes:
    """The first bytes of a buffered file, which stay to be read."""
    head: bytes = cast(Any, stream).peek(HEAD_BYTES)[:HEAD_BYTES]
    return head


def _has_objects(stream: BinaryIO) -> bool:
    """Read a NumPy file's header; whether pickled objects follow it.

    Source: numpy.lib.format, "Format Version 1.0" to "3.0".
    """
    start = stream.read(8)
    length = int.from_bytes(stream.read(2 if start[6:7] == b"\1" else 4), "little")
    if length > _MAX_NUMPY_HEADER_BYTES:
        raise Exceeded("The header of a NumPy file is too long.")
    return _OBJECTS.search(stream.read(length)) is not None


def _inspect_zip(stream: BinaryIO, budget: Budget, result: Result, where: str, depth: int) -> None:
    # Only here: see ``pickles.judge``. It reads also what PyTorch reads of a zip that breaks the rules.
    from picklescan.relaxed_zipfile import RelaxedZipFile

    with _seekable(stream, budget) as file:
        try:
            archive = RelaxedZipFile(file, "r")
        except Exceeded:
            raise
        except Exception as error:  # a broken zip may break in any way
            result.miss(f"{where or 'The zip file'} cannot be read: {_words(error)}")
            return
        with archive:
            for member in archive.infolist():
                budget.enter()
                if member.is_dir():
                    continue
                name = f"{where}:{member.filename}" if where else member.filename
                _inspect_member(lambda member=member: archive.open(member), name, budget, result, depth)  # type: ignore[misc]
                if member.flag_bits & _ENCRYPTED:
                    result.miss(f"{name} is encrypted.", is_skipped=True)


def _inspect_tar(stream: BinaryIO, budget: Budget, result: Result, where: str, depth: int) -> None:
    try:
        with _seekable(stream, budget) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                budget.enter()
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                if member.isreg() and (packed := archive.extractfile(member)) is not None:
                    name = f"{where}:{member.name}" if where else member.name
                    _inspect_member(lambda packed=packed: packed, name, budget, result, depth)  # type: ignore[misc]
    except Exceeded:
        raise
    except Exception as error:
        result.miss(f"{where or 'The tar file'} cannot be read: {_words(error)}")


def _inspect_member(open: Callable[[], Any], name: str, budget: Budget, result: Result, depth: int) -> None:
    """Look through a packed file. One that is broken has its reason told; the others are looked through."""
    try:
        with open() as packed:
            inner = cast(BinaryIO, io.BufferedReader(_Counted(packed, budget), HEAD_BYTES))
            treatment = treatment_of(name)
            if is_of_interest(_peek(inner), treatment):
                _inspect(inner, treatment, budget, result, name, depth + 1)
    except Exceeded:
        raise
    except Exception as error:
        result.miss(f"{name} cannot be read: {_words(error)}")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


class _Counted(io.RawIOBase):
    """A packed file, forwards only; what comes out of it counts."""

    def __init__(self, packed: BinaryIO, budget: Budget) -> None:
        self._packed = packed
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._packed.read(min(len(buffer), _CHUNK_BYTES))
        self._budget.unpack(len(data))
        buffer[: len(data)] = data
        return len(data)


def _unpacker_of(head: bytes, treatment: Treatment) -> Callable[[], Any] | None:
    """What unpacks a file that begins so. What few bytes tell of is believed only where a pickle is looked for."""
    if head.startswith(b"\x1f\x8b\x08"):
        return lambda: zlib.decompressobj(wbits=31)
    if treatment != Treatment.PICKLE:
        return None
    if head.startswith((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
        return zlib.decompressobj
    if head.startswith(b"BZh"):
        return bz2.BZ2Decompressor
    if head.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return lambda: lzma.LZMADecompressor(memlimit=_MAX_LZMA_BYTES)
    return None


class _Unpacked(io.RawIOBase):
    """A compressed file unpacked, forwards only and in pieces; what comes out of it counts."""

    def __init__(self, packed: BinaryIO, make: Callable[[], Any], budget: Budget) -> None:
        self._packed = packed
        self._make = make
        self._unpacker = make()
        self._budget = budget
        self._rest = b""
        self._is_later = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        most, count = min(len(buffer), _CHUNK_BYTES), 0
        while count < most and (data := self._unpack(most - count)):
            self._budget.unpack(len(data))
            buffer[count : count + len(data)] = data
            count += len(data)
        return count

    def _unpack(self, most: int) -> bytes:
        """Some bytes of the content; none at its end."""
        while True:
            self._budget.unpack(0)
            if self._unpacker.eof:
                # Files may follow each other, and are read as one.
                self._rest = self._unpacker.unused_data or self._packed.read(_CHUNK_BYTES)
                if not self._rest:
                    return b""
                self._unpacker = self._make()
            try:
                data: bytes = self._unpacker.decompress(self._rest, most)
            except (zlib.error, OSError, lzma.LZMAError):
                if not self._is_later:
                    raise
                return b""  # what follows is no such file
            self._rest = getattr(self._unpacker, "unconsumed_tail", b"")
            self._is_later = True
            if data:
                return data
            if not self._unpacker.eof and not self._rest and getattr(self._unpacker, "needs_input", True):
                self._rest = self._packed.read(_CHUNK_BYTES)
                if not self._rest:
                    return b""


@contextmanager
def _seekable(stream: BinaryIO, budget: Budget) -> Iterator[BinaryIO]:
    """The file, or a copy of one that is read forwards only. Raises Exceeded where it is too large to be copied."""
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as copy:
        left = budget.limits.nested_bytes
        while piece := stream.read(_CHUNK_BYTES):
            left -= len(piece)
            if left < 0:
                raise Exceeded("An archive packed in it is too large to be opened.", is_size=True)
            copy.write(piece)
        copy.seek(0)
        yield cast(BinaryIO, copy)
