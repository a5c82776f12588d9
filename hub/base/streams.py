"""Contents that are read by ranges, as the files that libraries ask for."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import Any


class RangedStream(io.RawIOBase):
    """A content as a file that can be read anywhere; heirs say how many bytes it has and how some are had."""

    size_bytes: int
    _at = 0

    @abstractmethod
    def read_range(self, start: int, length: int) -> bytes:
        """These bytes, or those of them that come before the end."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self.read_range(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
