"""What a workload prints, written down line by line: when, on which stream, what. For keepers: standard library only.

A line of the file is ``2026-11-27T10:00:00.123Z stdout text``. Source: compute contract, 15.7.
"""

from __future__ import annotations

import contextlib
import os
import time

TYPE_CHECKING = False  # see ``processes``
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_LINE_BYTES = 16 * 1024
MAX_FILE_BYTES = 10 * 1024 * 1024
FILES = 5
MASK = b"******"
# A shorter value is no secret, and masking it would leave nothing to read.
_MIN_SECRET_BYTES = 4


class LogWriter:
    """The log of one instance: rotated by size, each line capped, secrets masked by their exact values."""

    def __init__(
        self, path: str, secrets: Iterable[str] = (), *, max_file_bytes: int = MAX_FILE_BYTES, files: int = FILES
    ) -> None:
        self._path = path
        self._max_file_bytes = max_file_bytes
        self._files = files
        self._secrets = _parts_of(secrets)
        # A secret that the cap would cut in two is masked before it is cut.
        self._keep = MAX_LINE_BYTES + max(map(len, self._secrets), default=0)
        self._partial: dict[str, bytes] = {}
        self._file = -1
        self._size = 0

    def feed(self, stream: str, data: bytes) -> None:
        """Take what was read from a stream; whole lines are written now."""
        *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n")
        self._partial[stream] = self._shorten(rest)
        if lines:
            self.write(stream, lines)

    def flush(self) -> None:
        """Write what no end of a line has come for."""
        for stream, rest in list(self._partial.items()):
            if rest:
                self.write(stream, [rest])
        self._partial.clear()

    def write(self, stream: str, lines: Sequence[bytes]) -> None:
        """Write whole lines. On a full disk they are lost; the workload goes on."""
        head = f"{stamp(time.time())} {stream} ".encode()
        for start in range(0, len(lines), 512):
            block = b"".join(head + self._clean(line) + b"\n" for line in lines[start : start + 512])
            with contextlib.suppress(OSError):
                self._append(block)

    def _shorten(self, rest: bytes) -> bytes:
        # A progress bar that never ends its line takes no more room than its last state.
        if len(rest) > self._keep:
            body = rest.rstrip(b"\r")
            rest = body[body.rfind(b"\r") + 1 :] + (b"\r" if body != rest else b"")
        return rest[: self._keep + 1]

    def _clean(self, line: bytes) -> bytes:
        line = line.rstrip(b"\r")
        line = line[line.rfind(b"\r") + 1 :]
        is_cut = len(line) > MAX_LINE_BYTES
        line = line[: self._keep]
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        if is_cut:
            line = line[:MAX_LINE_BYTES] + b" [cut]"
        # Readers put lines into databases and JSON: valid UTF-8 without NUL.
        return line.decode(errors="replace").replace("\0", "\ufffd").encode()

    def _append(self, block: bytes) -> None:
        if self._file < 0:
            self._open()
        if self._size and self._size + len(block) > self._max_file_bytes:
            os.close(self._file)
            self._file = -1
            for number in range(self._files - 1, 0, -1):
                older = f"{self._path}.{number}"
                newer = f"{self._path}.{number - 1}" if number > 1 else self._path
                with contextlib.suppress(FileNotFoundError):
                    os.replace(newer, older)
            self._open()
        view = memoryview(block)
        while view:
            written = os.write(self._file, view)
            self._size += written
            view = view[written:]

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size


def _parts_of(secrets: Iterable[str]) -> list[bytes]:
    """The texts to mask, the longest first; of a secret of several lines each line."""
    found = set()
    for secret in secrets:
        for part in secret.encode(errors="replace").splitlines():
            if len(part.strip()) >= _MIN_SECRET_BYTES:
                found.add(part.strip())
    return sorted(found, key=len, reverse=True)


def stamp(moment: float) -> str:
    """A moment (seconds since 1970) as it stands at the beginning of a line."""
    whole = int(moment)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((moment - whole) * 1000):03}Z"
