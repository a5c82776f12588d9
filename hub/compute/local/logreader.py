"""Reading what keepers have written (``logwriter``): from the end, from a moment on, and as it comes."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hub.compute.local.logwriter import FILES
from hub.compute.reports import SYSTEM, LogLine

_BLOCK_BYTES = 64 * 1024
_TAIL_CHARACTERS = 8000
_NAME = re.compile(r"(\d+)\.(\d+)\.log\Z")


def find_logs(directory: Path) -> dict[int, Path]:
    """The logs of the latest start, by instance; none while nothing was ever printed."""
    found: dict[int, dict[int, Path]] = {}
    with suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            if match := _NAME.match(entry.name):
                found.setdefault(int(match[1]), {})[int(match[2])] = Path(entry.path)
    return found[max(found)] if found else {}


def parse_line(line: bytes) -> LogLine | None:
    """The line that bytes of the file mean; None where a crash has cut one off."""
    moment, _, rest = line.decode(errors="replace").partition(" ")
    stream, _, text = rest.partition(" ")
    try:
        return LogLine(datetime.fromisoformat(moment), stream, text) if stream else None
    except ValueError:
        return None


def read_last(path: Path, *, limit: int, since: datetime | None = None) -> list[LogLine]:
    """The last lines of a log and of what was rotated away from it, the oldest first, none before ``since``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        return _read_last(path, descriptor, _whole_end(descriptor), limit=limit, since=since)
    finally:
        os.close(descriptor)


def _read_last(path: Path, descriptor: int, end: int, *, limit: int, since: datetime | None) -> list[LogLine]:
    found: deque[LogLine] = deque()
    if limit and _take(found, _backwards(descriptor, end), limit, since):
        current = os.fstat(descriptor).st_ino
        for number in range(1, FILES):
            with suppress(FileNotFoundError), path.with_name(f"{path.name}.{number}").open("rb") as file:
                other = os.fstat(file.fileno())
                # It may have been rotated just now.
                if other.st_ino != current and not _take(found, _backwards(file.fileno(), other.st_size), limit, since):
                    break
    return list(found)


def _take(found: deque[LogLine], lines: Iterator[bytes], limit: int, since: datetime | None) -> bool:
    """Put lines in front of those that are there; whether more are wanted."""
    for raw in lines:
        line = parse_line(raw)
        if line is None:
            continue
        if since is not None and line.at < since:
            return False
        found.appendleft(line)
        if len(found) >= limit:
            return False
    return True


def _whole_end(descriptor: int) -> int:
    """Where the last whole line of a file ends."""
    at = os.fstat(descriptor).st_size
    while at > 0:
        size = min(_BLOCK_BYTES, at)
        place = os.pread(descriptor, size, at - size).rfind(b"\n")
        if place >= 0:
            return at - size + place + 1
        at -= size
    return 0


def _backwards(descriptor: int, end: int) -> Iterator[bytes]:
    """The lines of a file before an offset, from the last one to the first."""
    at, rest = end, b""
    while at > 0:
        size = min(_BLOCK_BYTES, at)
        at -= size
        rest, *lines = (os.pread(descriptor, size, at) + rest).split(b"\n")
        yield from (line for line in reversed(lines) if line)
    if rest:
        yield rest


def tail(path: Path, lines: int) -> str:
    """The texts of the last lines that a workload itself has printed, as one; at most some kilobytes of them."""
    found = [line.text for line in read_last(path, limit=2 * lines) if line.stream != SYSTEM]
    return "\n".join(found[-lines:])[-_TAIL_CHARACTERS:]


@dataclass
class Follower:
    """Reads on in a log as it grows, over its rotation."""

    path: Path
    _descriptor: int = -1
    _inode: int = 0
    _rest: bytes = field(default=b"")

    def begin(self, limit: int, since: datetime | None) -> list[LogLine]:
        """The last lines that are there now; ``read`` gives what comes after them."""
        self._open()
        if self._descriptor < 0:
            return []
        end = os.lseek(self._descriptor, _whole_end(self._descriptor), os.SEEK_SET)
        return _read_last(self.path, self._descriptor, end, limit=limit, since=since)

    def read(self) -> list[LogLine]:
        """What has come since the last call."""
        found: list[LogLine] = []
        if self._descriptor < 0:
            self._open()
        while self._descriptor >= 0:
            while data := os.read(self._descriptor, _BLOCK_BYTES):
                *lines, self._rest = (self._rest + data).split(b"\n")
                found += [line for raw in lines if (line := parse_line(raw)) is not None]
                if len(found) > 10_000:
                    return found
            if not self._was_rotated():
                break
            self.close()
            self._open()
        return found

    def close(self) -> None:
        """Read no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._rest = b""

    def _open(self) -> None:
        with suppress(FileNotFoundError):
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self._inode = os.fstat(self._descriptor).st_ino

    def _was_rotated(self) -> bool:
        try:
            return os.stat(self.path).st_ino != self._inode
        except FileNotFoundError:
            return False
