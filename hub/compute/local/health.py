"""Asking an instance on the loopback interface whether it serves, without waiting for it: the loop does the waiting."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable

ANSWER_LIMIT_S = 5.0
_MAX_ANSWER_BYTES = 64


class Probe:
    """One question under way. ``told`` is called once, with whether the answer was good."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        *,
        port: int,
        path: str,
        ok_below: int,
        now: float,
        told: Callable[[bool], None],
    ) -> None:
        self.deadline = now + ANSWER_LIMIT_S
        self._selector = selector
        self._path = path
        self._ok_below = ok_below
        self._told = told
        self._answer = b""
        self._is_over = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.connect_ex(("127.0.0.1", port))
        selector.register(self._socket, selectors.EVENT_WRITE, self._write)
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: hub-health\r\nConnection: close\r\n\r\n"
        ).encode()

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        self._end(None)

    def expire(self) -> None:
        """No answer came in time."""
        self._end(False)

    def _write(self) -> None:
        if self._is_over:  # in this very turn of the loop
            return
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end(False)
        elif not self._path:
            self._end(True)
        else:
            try:
                self._socket.send(self._request)  # it fits into the empty buffer of a new connection
            except OSError:
                self._end(False)
                return
            self._selector.modify(self._socket, selectors.EVENT_READ, self._read)

    def _read(self) -> None:
        if self._is_over:
            return
        try:
            data = self._socket.recv(_MAX_ANSWER_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._answer += data
        words = self._answer.split(b" ", 2)
        if len(words) == 3 or not data or len(self._answer) >= _MAX_ANSWER_BYTES:
            is_status = len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1][:3].isdigit()
            self._end(is_status and 200 <= int(words[1][:3]) < self._ok_below)

    def _end(self, is_good: bool | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._selector.unregister(self._socket)
        self._socket.close()
        if is_good is not None:
            self._told(is_good)
