"""Kept connections through the guard: many requests to the same few servers, whose answers may stream for minutes.

Each new connection is judged as a single request is (``Outgoing.connect``); one that is kept goes on to the address
that was judged. The parser is that of httptools (llhttp): the standard library's takes longer than a proxied request.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httptools

from hub.base.context import Key
from hub.base.errors import Invalid, Unavailable
from hub.base.outgoing.addresses import Address
from hub.base.outgoing.client import Outgoing, Target

# Servers of our kind keep connections for a minute or less; one that is just being closed is worth nothing.
KEEP_S = 20.0
MAX_KEPT_EACH = 512
_READ_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_MAX_HEADERS = 200
_MAX_NAMED = 10_000
# So often whoever waits looks whether it is still wanted.
_LOOK_S = 0.5


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, to wait: for a connection, for the head of an answer, and between its pieces."""

    connect_s: float = 5.0
    head_s: float = 120.0
    piece_s: float = 60.0


class NoAnswer(Unavailable):
    """No answer, or no more of it. is_late: it took too long; was_sent: the server may have begun to work."""

    def __init__(self, reason: str, *, is_late: bool = False, was_sent: bool = True) -> None:
        super().__init__(f"There was no answer: {reason}.", code="outgoing_no_answer")
        self.is_late = is_late
        self.was_sent = was_sent


class Exchange:
    """One request under way. Its head is there; the body comes as it is read. Close it, whatever happens."""

    def __init__(self, channels: Channels, target: Target, sock: socket.socket, patience: Patience) -> None:
        self.while_waiting: Callable[[], None] | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self._channels, self._target, self._sock, self._patience = channels, target, sock, patience
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._head_bytes = 0
        self._has_head = self._is_complete = self._may_be_kept = self._is_closed = False

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) < _MAX_HEADERS:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self._has_head = status, True
        else:
            self.headers.clear()

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        # An answer such as "100 Continue" is a message of its own.
        self._is_complete = self._has_head
        # Asked later, the parser speaks of the message that has not begun.
        self._may_be_kept = self._parser.should_keep_alive()

    # What its user calls.

    def read_head(self) -> None:
        """Raises NoAnswer."""
        while not self._has_head:
            self._head_bytes += self._feed("its head", self._patience.head_s)
            if not self._has_head and self._head_bytes > _MAX_HEAD_BYTES:
                raise NoAnswer("its head is too long")

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives: what comes together is one piece. Raises NoAnswer when it breaks off."""
        while True:
            if self._pieces:
                piece = b"".join(self._pieces)
                self._pieces.clear()
                yield piece
            if self._is_complete:
                return
            self._feed("the rest", self._patience.piece_s)

    def read(self, limit_bytes: int, *, timeout_s: float | None = None) -> tuple[bytes, bool]:
        """The body, as much of it as is allowed, and whether that is all. Raises NoAnswer.

        timeout_s: until there is all of it, however fast the pieces come.
        """
        deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        found, size = [], 0
        for piece in self.pieces():
            found.append(piece)
            size += len(piece)
            if size > limit_bytes:
                return b"".join(found)[:limit_bytes], False
            if deadline is not None and time.monotonic() > deadline:
                raise NoAnswer("it took too long", is_late=True)
        return b"".join(found), True

    def close(self) -> None:
        """Keep the connection when all was read, and cut it off otherwise: then the server stops working for us."""
        if self._is_closed:
            return
        self._is_closed = True
        self._channels._note_end(self._target)
        # A body without a length ends with the connection; there is nothing to keep then.
        if self._is_complete and not self._pieces and self._may_be_kept:
            self._channels._keep(self._target, self._sock)
        else:
            _cut(self._sock)

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _feed(self, what: str, limit_s: float) -> int:
        try:
            data = self._receive(limit_s)
        except TimeoutError:
            raise NoAnswer(f"{what} took too long", is_late=True) from None
        except OSError as error:
            raise NoAnswer(f"the connection broke ({type(error).__name__})") from None
        if not data:
            if self._has_head and not self._has_length:
                self._is_complete = True
                return 0
            raise NoAnswer("the connection was closed")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise NoAnswer("it wants to speak something else") from None
        except httptools.HttpParserError as error:
            raise NoAnswer(f"it is no HTTP ({type(error).__name__})") from None
        return len(data)

    def _receive(self, limit_s: float) -> bytes:
        deadline = time.monotonic() + limit_s
        while True:
            self._sock.settimeout(max(min(deadline - time.monotonic(), _LOOK_S), 0.001))
            try:
                return self._sock.recv(_READ_BYTES)
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise
            if self.while_waiting is not None:
                self.while_waiting()

    @property
    def _has_length(self) -> bool:
        return "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()


class Channels:
    """Connections to servers, kept for the next request. One for a process; its requests may come side by side."""

    def __init__(self, guard: Outgoing) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, int], deque[tuple[float, socket.socket]]] = {}

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] = b"",
        size_bytes: int | None = None,
        patience: Patience | None = None,
        while_waiting: Callable[[], None] | None = None,
    ) -> Exchange:
        """Send a request and return once the head of its answer is there, whatever its status.

        body: the whole, or its pieces with their size in bytes. Redirects are answers like any other.
        while_waiting: called twice a second while nothing comes; what it raises ends the waiting.
        Raises Invalid (``outgoing_refused``) for an address that may not be asked, and NoAnswer.
        """
        patience = patience or Patience()
        target = self._guard.parse(url)
        size = len(body) if isinstance(body, bytes) else size_bytes or 0
        head = _head_of(method, target, headers or {}, size)
        sock = self._take(target) or self._connect(target, patience)
        exchange = Exchange(self, target, sock, patience)
        exchange.while_waiting = while_waiting
        try:
            sock.settimeout(patience.head_s)
            if isinstance(body, bytes):
                sock.sendall(head + body)
            else:
                sock.sendall(head)
                for piece in body:
                    sock.sendall(piece)
            exchange.read_head()
        except TimeoutError:
            _cut(sock)
            raise NoAnswer("it took too long to send", is_late=True) from None
        except OSError as error:
            _cut(sock)
            raise NoAnswer(f"the connection broke ({type(error).__name__})") from None
        except BaseException:
            _cut(sock)
            raise
        return exchange

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            kept, self._kept = self._kept, {}
        for _, sock in (one for some in kept.values() for one in some):
            _cut(sock)

    def _connect(self, target: Target, patience: Patience) -> socket.socket:
        try:
            sock = self._guard.connect(target, patience.connect_s)
        except Unavailable as error:
            raise NoAnswer(str(error).removeprefix("There was no answer: ").rstrip("."), was_sent=False) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _note_end(self, target: Target) -> None:
        """An exchange has come to its end."""

    def _take(self, target: Target) -> socket.socket | None:
        """A kept connection that the server has not closed; the one that was used last."""
        while True:
            with self._lock:
                kept = self._kept.get(target.server)
                if not kept:
                    return None
                until, sock = kept.pop()
            if time.monotonic() < until and _is_quiet(sock):
                return sock
            _cut(sock)

    def _keep(self, target: Target, sock: socket.socket) -> None:
        with self._lock:
            kept = self._kept.setdefault(target.server, deque())
            kept.append((time.monotonic() + KEEP_S, sock))
            old = kept.popleft()[1] if len(kept) > MAX_KEPT_EACH else None
        if old is not None:
            _cut(old)


CHANNELS: Key[Channels] = Key("base.channels")


class _Inside(Outgoing):
    """Connects to the servers that were named, wherever they are, and to no others."""

    def __init__(self) -> None:
        super().__init__()
        self._named: OrderedDict[tuple[str, str, int], None] = OrderedDict()
        self._lock = threading.Lock()

    def name(self, target: Target) -> None:
        if target.server in self._named:
            return
        with self._lock:
            self._named[target.server] = None
            if len(self._named) > _MAX_NAMED:
                self._named.popitem(last=False)

    def _locate(self, target: Target, limit_s: float) -> list[Address]:
        if target.server not in self._named:
            raise Invalid("The hub has nothing of its own at this address.", code="outgoing_refused")
        own = target.address
        return [own] if own is not None else self._resolve(target, limit_s)


class OwnChannels(Channels):
    """Kept connections to what the hub itself runs, on loopback or in a cluster: addresses that it has made itself.

    No word of a user's may come into these; to what users name, ``Channels`` leads. The connections of the two are
    never shared.
    """

    def __init__(self) -> None:
        self._inside = _Inside()
        self._busy: Counter[tuple[str, str, int]] = Counter()
        super().__init__(self._inside)

    def trust(self, url: str) -> None:
        """Let the server of this address be asked: one that a driver of workloads has said to be the hub's own."""
        self._inside.name(self._inside.parse(url))

    def count_busy(self, url: str) -> int:
        """How many exchanges with the server of this address are under way in this process."""
        return self._busy.get(self._inside.parse(url).server, 0)

    def open(self, method: str, url: str, **options: Any) -> Exchange:
        """As ``Channels.open``."""
        target = self._inside.parse(url)
        with self._lock:
            self._busy[target.server] += 1
        try:
            return super().open(method, url, **options)
        except BaseException:
            self._note_end(target)
            raise

    def _note_end(self, target: Target) -> None:
        with self._lock:
            self._busy[target.server] -= 1
            if not self._busy[target.server]:
                del self._busy[target.server]


OWN_CHANNELS: Key[OwnChannels] = Key("base.own_channels")


def _head_of(method: str, target: Target, headers: Mapping[str, str], size: int) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.host_header}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if size or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {size}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds the end of a line")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _is_quiet(sock: socket.socket) -> bool:
    """Nothing has come meanwhile: bytes that nobody asked for, or the end."""
    try:
        sock.settimeout(0.0)
        sock.recv(1)
    except (BlockingIOError, TimeoutError):
        return True
    except OSError:
        return False
    return False


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.close()
