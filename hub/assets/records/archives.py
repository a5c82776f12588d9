"""ZIP archives that somebody sends: whatever they say of themselves, no more is read than is allowed."""

from __future__ import annotations

import contextlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

# What the library raises for archives that lie about themselves, or use what it does not know.
UNREADABLE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)
_PIECE_BYTES = 64 * 1024
# Of an archive's list of its files: 5,000 of them, each with a long path.
MAX_LIST_BYTES = 2 * 1024 * 1024


class _Bounded(io.RawIOBase):
    """An archive's bytes, of which nobody gets many at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        # The library takes the whole list at once, and makes half a kilobyte of every fifty bytes of it.
        data = self._stream.read(min(size, MAX_LIST_BYTES + 1) if size >= 0 else MAX_LIST_BYTES + 1)
        if len(data) > MAX_LIST_BYTES:
            raise zipfile.BadZipFile("it lists too many files")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True


@contextlib.contextmanager
def open_archive(stream: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """An archive whose list of files has at most ``MAX_LIST_BYTES``. Raises one of ``UNREADABLE``."""
    with zipfile.ZipFile(_Bounded(stream)) as archive:
        yield archive


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, limit_bytes: int) -> bytes:
    """The content of an entry, at most so many bytes of it and one more. Raises one of ``UNREADABLE``."""
    pieces: list[bytes] = []
    left = limit_bytes + 1
    with archive.open(entry) as file:
        while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)


def is_link(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a symbolic link, or another thing that is no plain file, on the system that made it."""
    kind = (entry.external_attr >> 16) & 0o170000
    return kind not in (0, 0o100000, 0o040000)
