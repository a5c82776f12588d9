"""Contents as streams of plain UTF-8: decompressed, taken out of archives, read in the encoding that they are in.

It runs in a child. Nothing is held whole: what does not end is cut off by limits on bytes, lines and members.
"""

from __future__ import annotations

import codecs
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from hub.assets.viewer.arrow import UnreadableTable
from hub.assets.viewer.worker import Source

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2"}
MAX_MEMBERS = 20_000
MAX_MEMBER_BYTES = 64 * 1024 * 1024
_SNIFFED_BYTES = 256 * 1024
_CHUNK_BYTES = 256 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True)
class Member:
    """A file of an archive. stream: its bytes, until the next one is asked for."""

    name: str
    stream: IO[bytes]


class Counted(io.RawIOBase):
    """A stream that counts what was read of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.done += len(data)
        return len(data)


class FirstLines(io.RawIOBase):
    """As many whole lines of a text as fit into so many bytes. is_cut: whether there is more.

    held: no more bytes are held back until a line's end comes; of longer lines a part may be the last.
    """

    def __init__(self, stream: Any, limit: int, held: int) -> None:
        self._stream = stream
        self._left = limit
        self._held = held
        self._ready = b""
        self._tail = b""
        self._is_over = False
        self.is_cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._is_over:
            self._fill()
        data = self._ready[: len(buffer)]
        self._ready = self._ready[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def _fill(self) -> None:
        if self._left <= 0:
            # What is behind the last line's end is not whole.
            self._is_over = True
            self.is_cut = bool(self._tail or self._stream.read(1))
            return
        data = self._stream.read(min(_CHUNK_BYTES, self._left))
        self._left -= len(data)
        whole, newline, tail = (self._tail + data).rpartition(b"\n")
        self._ready, self._tail = whole + newline, tail
        if len(tail) > self._held:
            self._ready, self._tail = self._ready + tail, b""
        if not data:
            self._is_over = True
            self._ready, self._tail = self._tail, b""


def suffixes_of(name: str) -> tuple[str, str]:
    """What a name's end says: the format's suffix, and the compression's ("" for none)."""
    path = PurePosixPath(name.lower())
    if path.suffix in COMPRESSED:
        return PurePosixPath(path.stem).suffix, path.suffix
    return (".tar", ".gz") if path.suffix == ".tgz" else (path.suffix, "")


def open_plain(stream: Any, compression: str) -> Any:
    """A stream without its compression. Raises UnreadableTable when it is none such."""
    if not compression:
        return stream
    import pyarrow as pa

    return io.BufferedReader(_Inflated(pa.CompressedInputStream(pa.PythonFile(stream), COMPRESSED[compression])))


class _Inflated(io.RawIOBase):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except OSError as error:
            raise UnreadableTable(f"It cannot be decompressed: {error}.") from None
        buffer[: len(data)] = data
        return len(data)


def members_of(source: Source) -> Iterator[Member]:
    """The files in an archive (zip, tar, tar.gz, tar.zst), one after the other. Raises UnreadableTable."""
    suffix, compression = suffixes_of(source.name)
    try:
        if suffix == ".zip":
            yield from _zipped(source)
        else:
            yield from _tarred(open_plain(source.open(), compression))
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UnreadableTable(f"The archive cannot be read: {error}.", source.name) from None
    except RuntimeError as error:  # encrypted, or compressed in a way that is not known
        raise UnreadableTable(f"The archive cannot be read: {error}.", source.name) from None


def _zipped(source: Source) -> Iterator[Member]:
    with zipfile.ZipFile(source.open()) as archive:
        for count, info in enumerate(archive.infolist()):
            if count >= MAX_MEMBERS:
                raise UnreadableTable(f"The archive has more than {MAX_MEMBERS} files.", source.name)
            if not info.is_dir() and _is_shown(info.filename):
                with archive.open(info) as stream:
                    yield Member(info.filename, stream)


def _tarred(stream: Any) -> Iterator[Member]:
    count = 0
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            count += 1
            if count > MAX_MEMBERS:
                raise UnreadableTable(f"The archive has more than {MAX_MEMBERS} files.")
            # What has been passed is of no use any more, and tarfile would keep it.
            archive.members = []  # type: ignore[attr-defined]
            opened = archive.extractfile(info) if info.isfile() and _is_shown(info.name) else None
            if opened is not None:
                yield Member(info.name.removeprefix("./"), opened)


def _is_shown(name: str) -> bool:
    parts = name.removeprefix("./").split("/")
    return not any(part.startswith((".", "__MACOSX")) for part in parts)


def read_member(member: Member) -> bytes:
    """All bytes of a member. Raises UnreadableTable for one that is too large."""
    data = member.stream.read(MAX_MEMBER_BYTES + 1)
    if len(data) > MAX_MEMBER_BYTES:
        raise UnreadableTable(f"{member.name!r} in the archive has more than {MAX_MEMBER_BYTES >> 20} MiB.")
    return data


def as_utf8(stream: Any, encoding: str = "") -> tuple[Any, str]:
    """A stream of text as UTF-8 without a mark at its beginning, and what it is in; "" where that is UTF-8.

    encoding: what it is known to be in.
    """
    reader = Peeked(stream)
    head = reader.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
    for bom, name in _BOMS:
        if head.startswith(bom):
            reader.read(len(bom))
            return (reader, "") if name == "utf-8" else (_Recoded(reader, name), name)
    guessed = encoding or _guess(head)
    return (reader, "") if guessed == "utf-8" else (_Recoded(reader, guessed), guessed)


def _guess(head: bytes) -> str:
    zeros = head.count(0)
    if zeros > len(head) // 4:
        return "utf-16-be" if head[0:1] == b"\0" else "utf-16-le"
    try:
        # The end may be in the middle of a character.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


class Peeked(io.RawIOBase):
    """A stream that shows its beginning before it is read."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._head = b""

    def readable(self) -> bool:
        return True

    def peek(self, length: int) -> bytes:
        while len(self._head) < length and (piece := self._stream.read(length - len(self._head))):
            self._head += piece
        return self._head

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Recoded(io.RawIOBase):
    """A stream in another encoding, as UTF-8."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._left = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._is_over:
            data = self._stream.read(_CHUNK_BYTES)
            self._is_over = not data
            self._left = memoryview(self._decoder.decode(data, not data).encode("utf-8", "replace"))
        length = min(len(buffer), len(self._left))
        buffer[:length] = self._left[:length]
        self._left = self._left[length:]
        return length
