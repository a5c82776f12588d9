"""ZIP archives that somebody sends: whatever they say of themselves, no more is read than is allowed."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

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
