"""The bytes of a file by ranges, within a budget: what a false head can make the hub read is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hub.assets.heads.types import HeadError

# What is read at once: little behind a leap, more where one goes on.
FIRST_PIECE_BYTES = 16 * 1024
PIECE_BYTES = 256 * 1024
MAX_FETCHES = 4_000
MAX_BYTES = 128 * 1024 * 1024


class Source:
    """A file that is read here and there. fetch: gives the bytes of a range, in chunks."""

    def __init__(
        self,
        size_bytes: int,
        fetch: Callable[[int, int], Iterable[bytes]],
        *,
        max_fetches: int = MAX_FETCHES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.size_bytes = size_bytes
        self._fetch = fetch
        self._fetches_left = max_fetches
        self._bytes_left = max_bytes
        self._start = 0
        self._piece = b""

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes. Raises HeadError beyond the file's end, and when the budget is spent."""
        if start < 0 or length < 0 or start + length > self.size_bytes:
            raise HeadError("The head points beyond the end of the file.")
        at = start - self._start
        if not (at >= 0 and at + length <= len(self._piece)):
            goes_on = 0 <= at <= len(self._piece)
            piece_bytes = min(2 * len(self._piece), PIECE_BYTES) if goes_on else FIRST_PIECE_BYTES
            wanted = min(max(length, piece_bytes, FIRST_PIECE_BYTES), self.size_bytes - start)
            self._fetches_left -= 1
            self._bytes_left -= wanted
            if self._fetches_left < 0 or self._bytes_left < 0:
                raise HeadError("The head is spread over too much of the file to be read.")
            self._start, self._piece, at = start, b"".join(self._fetch(start, wanted)), 0
            if len(self._piece) < length:
                raise HeadError("The file is shorter than it should be.")
        return self._piece[at : at + length]
