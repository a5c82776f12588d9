"""A proxy that breaks connections in the middle of an answer, as a bad network does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE_BYTES = 65536


@dataclass
class CuttingProxy:
    """Hands connections on to a port; those whose request holds ``marker`` end after ``after_bytes`` of the answer.

    cuts: how many more are to be cut. heads: what each request began with, in the order in which they came.
    """

    port: int
    target_port: int
    marker: bytes
    after_bytes: int
    cuts: int
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """One connection; it is closed after one answer or a cut, so each request makes its own."""
        with client, socket.create_connection(("127.0.0.1", self.target_port)) as target:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(_PIECE_BYTES)
                if not piece:
                    return
                head += piece
            self.heads.append(head)
            is_cut = self.cuts > 0 and self.marker in head.split(b"\r\n", 1)[0]
            self.cuts -= is_cut
            head = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
            target.sendall(head.replace(b"Connection: keep-alive\r\n", b"", 1))
            threading.Thread(target=_copy, args=(client, target), daemon=True).start()
            left = self.after_bytes if is_cut else None
            while left is None or left > 0:
                piece = target.recv(_PIECE_BYTES if left is None else min(_PIECE_BYTES, left))
                if not piece:
                    break
                client.sendall(piece)
                left = left if left is None else left - len(piece)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)


@contextmanager
def cutting_proxy(target_port: int, *, marker: bytes, after_bytes: int, cuts: int = 1) -> Iterator[CuttingProxy]:
    """A proxy in front of a port of this machine for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = CuttingProxy(server.getsockname()[1], target_port, marker, after_bytes, cuts)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=_serve, args=(proxy, client), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield proxy
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(proxy: CuttingProxy, client: socket.socket) -> None:
    with suppress(OSError):
        proxy.serve(client)
