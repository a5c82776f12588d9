"""A server that says exactly the bytes it is told to, for clients that must bear anything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Serve = Callable[[socket.socket, bytes], bool | None]
"""``serve(connection, request)``: answer one request; False: close the connection after it."""


class WireServer:
    """Requests that came, as bytes, and how many connections there were. is_cut: one of them has ended."""

    def __init__(self, serve: Serve) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.is_cut = threading.Event()
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := self._read(connection):
                self.requests.append(request)
                if self._serve(connection, request) is False:
                    break
        self.is_cut.set()

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        left = int(sizes[0].split(b":")[1]) - len(body) if sizes else 0
        while left > 0:
            more = connection.recv(left)
            data, left = data + more, left - len(more)
        return data


@contextmanager
def serving(serve: Serve) -> Iterator[WireServer]:
    """Such a server for the length of the block."""
    server = WireServer(serve)
    try:
        yield server
    finally:
        server.close()


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole answer with a length."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body
