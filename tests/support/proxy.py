"""Proxies: one breaks connections in the middle of an answer, as a bad network does; one counts; one holds back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE_BYTES = 65536


@dataclass
class CuttingProxy:
    """Hands connections on to a port; those whose request holds ``marker`` end after ``after_bytes`` of the answer.

    cuts: how many more are to be cut. heads: what each request began with, in the order in which they came. watch: is
    told each head before it is handed on.
    """

    port: int
    target_port: int
    marker: bytes
    after_bytes: int
    cuts: int
    heads: list[bytes] = field(default_factory=list)
    watch: Callable[[bytes], None] = lambda head: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """The requests' first lines, without queries and the version of HTTP."""
        return [head.split(b"\r\n")[0].decode().rpartition(" ")[0].partition("?")[0] for head in self.heads]

    def serve(self, client: socket.socket) -> None:
        """One connection; it is closed after one answer or a cut, so each request makes its own."""
        with client, socket.create_connection(("127.0.0.1", self.target_port)) as target:
            if not (head := _read_head(client)):
                return
            self.heads.append(head)
            self.watch(head)
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


def _read_head(client: socket.socket) -> bytes:
    """A request's head, with what came together with it; empty when the client leaves before its end."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(_PIECE_BYTES)
        if not piece:
            return b""
        head += piece
    return head


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)


@dataclass
class CountingProxy:
    """Hands connections on to a port as they are, kept ones too. sent_bytes: from clients; received_bytes: to them."""

    port: int
    target_port: int
    sent_bytes: int = 0
    received_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """One connection, to its end."""
        with client, socket.create_connection(("127.0.0.1", self.target_port)) as target:
            back = threading.Thread(target=self._pass_on, args=(target, client, "received_bytes"), daemon=True)
            back.start()
            self._pass_on(client, target, "sent_bytes")
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, counter: str) -> None:
        buffer = memoryview(bytearray(16 * _PIECE_BYTES))
        with suppress(OSError):
            while count := source.recv_into(buffer):
                with self._lock:
                    setattr(self, counter, getattr(self, counter) + count)
                target.sendall(buffer[:count])
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@dataclass
class HoldingProxy:
    """Hands connections on to a port; of what a request for ``marker`` sends, or is sent, it holds back the rest.

    after_bytes: so many are let through, either way, until ``let_go``. is_holding: something is held back by now.
    """

    port: int
    target_port: int
    marker: bytes
    after_bytes: int
    is_holding: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def address(self, address: str) -> str:
        """An address of the target's, by way of the proxy."""
        return address.replace(f":{self.target_port}/", f":{self.port}/", 1)

    def serve(self, client: socket.socket) -> None:
        """One connection, which the target closes after one answer."""
        with client, socket.create_connection(("127.0.0.1", self.target_port)) as target:
            head = _read_head(client)
            is_held = self.marker in head.partition(b"\r\n")[0]
            target.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            threading.Thread(target=self._pass_on, args=(client, target, is_held), daemon=True).start()
            self._pass_on(target, client, is_held)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, source: socket.socket, target: socket.socket, is_held: bool) -> None:
        left = self.after_bytes
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                left -= len(piece)
                if is_held and left < 0:
                    self.is_holding.set()
                    self.let_go.wait()
                target.sendall(piece)


@contextmanager
def holding_proxy(target_port: int, *, marker: bytes, after_bytes: int) -> Iterator[HoldingProxy]:
    """A proxy in front of a port of this machine for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = HoldingProxy(server.getsockname()[1], target_port, marker, after_bytes)
        with _accepting(server, proxy.serve):
            try:
                yield proxy
            finally:
                proxy.let_go.set()


@contextmanager
def cutting_proxy(target_port: int, *, marker: bytes, after_bytes: int, cuts: int = 1) -> Iterator[CuttingProxy]:
    """A proxy in front of a port of this machine for the length of the block. cuts: 0 only keeps the heads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = CuttingProxy(server.getsockname()[1], target_port, marker, after_bytes, cuts)
        with _accepting(server, proxy.serve):
            yield proxy


@contextmanager
def counting_proxy(target_port: int) -> Iterator[CountingProxy]:
    """A proxy in front of a port of this machine for the length of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        proxy = CountingProxy(server.getsockname()[1], target_port)
        with _accepting(server, proxy.serve):
            yield proxy


@contextmanager
def _accepting(server: socket.socket, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    def guarded(client: socket.socket) -> None:
        with suppress(OSError):
            serve(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=guarded, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
