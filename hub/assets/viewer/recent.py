"""Pages of rows that were read a moment ago, as text: most are asked for again and again, by those who come to a table.

The rows of a content never change, so what is kept is never wrong. Whether somebody may see them is asked before.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

MAX_BYTES = 4 * 1024 * 1024
MAX_PAGE_BYTES = 256 * 1024


class RecentPages:
    """The pages that were used last, of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: Hashable, read: Callable[[], dict[str, Any]], *, may_be_kept: bool = True) -> dict[str, Any]:
        """What ``read`` reads, in words of JSON, or read under the same key; the caller's own in either case.

        may_be_kept: else it is read.
        """
        with self._lock:
            if (kept := self._pages.get(key)) is not None:
                self._pages.move_to_end(key)
        if kept is not None and may_be_kept:
            found: dict[str, Any] = json.loads(kept)
            return found
        found = read()
        self._keep(key, json.dumps(found, separators=(",", ":")).encode())
        return found

    def _keep(self, key: Hashable, page: bytes) -> None:
        if len(page) > MAX_PAGE_BYTES:
            return
        with self._lock:
            self._size_bytes += len(page) - len(self._pages.pop(key, b""))
            self._pages[key] = page
            while self._size_bytes > MAX_BYTES:
                self._size_bytes -= len(self._pages.popitem(last=False)[1])


RECENT = RecentPages()
