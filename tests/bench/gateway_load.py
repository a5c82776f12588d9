"""Programs that call a gateway, each again as soon as it has its answer, whole or as a stream.

Run as a process of its own, so that it shares no interpreter with what it measures: ``python -m
tests.bench.gateway_load`` reads an ``Order`` as JSON and prints a ``Yield``. One process drives all the programs by
their sockets.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

_HEAD_END, _LAST_PIECE = b"\r\n\r\n", b"\r\n0\r\n\r\n"
_LENGTH = b"content-length:"
_EVENT = b"data: {"
_GIVE_UP_S = 60.0
_LEAST_ANSWERS = 8


@dataclass(frozen=True)
class Order:
    """What is asked for. warm_s: what begins before this has passed is not measured; the clients come during it."""

    port: int
    path: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    clients: int = 8
    warm_s: float = 0.5
    seconds: float = 3.0


@dataclass(frozen=True)
class Yield:
    """What came. times: seconds to the end of each answer; firsts: to its first event. events: those of streams."""

    times: list[float]
    firsts: list[float]
    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds

    @property
    def event_rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def call(order: Order) -> Yield:
    """Raises RuntimeError where an answer was not 200, or none came."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.gateway_load"],
        input=json.dumps(asdict(order)),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return Yield(**json.loads(done.stdout))


class _Client:
    """One program: its connection, and what has come of the answer under way."""

    def __init__(self, order: Order, request: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", order.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self) -> None:
        self._received = b""
        self._wanted = 0
        self._has_head = False
        self.has_event = False
        self.since = time.perf_counter()
        self._socket.sendall(self._request)

    def take(self) -> tuple[int, bool]:
        """How many events were in what came now, and whether the answer has ended."""
        data = self._socket.recv(262_144)
        if not data:
            raise RuntimeError(f"the server closed a connection after {self._received[-2000:]!r}")
        self._received += data
        if not self._has_head and not self._read_head():
            return 0, False
        if self._wanted:
            return 0, len(self._received) >= self._wanted
        count = self._received.count(_EVENT)
        if self._received.endswith(_LAST_PIECE):
            if b"data: [DONE]" not in self._received:
                raise RuntimeError(f"a stream ended as {self._received[-2000:]!r}")
            return count, True
        # What may be half an event, or half the end, is looked at again with what comes next.
        self._received = self._received[-64:].rpartition(_EVENT)[2]
        return count, False

    def _read_head(self) -> bool:
        end = self._received.find(_HEAD_END)
        if end < 0:
            return False
        head = self._received[:end].lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(self._received[:2000].decode(errors="replace"))
        self._has_head = True
        at = head.find(_LENGTH)
        if at >= 0:
            self._wanted = end + len(_HEAD_END) + int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        return True


def _run(order: Order) -> Yield:
    lines = [f"POST {order.path} HTTP/1.1", f"Host: 127.0.0.1:{order.port}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in order.headers.items()]
    body = order.body.encode()
    request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
    found = Yield([], [], 0, order.seconds)
    clients: dict[int, _Client] = {}
    events = 0
    poll = select.epoll()
    came = time.perf_counter()
    start = came + order.warm_s
    end = start + order.seconds
    # All are there at the middle of the time for warming up.
    pause_s = order.warm_s / 2 / order.clients
    busy = 0
    while (now := time.perf_counter()) < end or busy:
        if now > end + _GIVE_UP_S:
            raise RuntimeError(f"{busy} answers have not ended")
        while len(clients) < order.clients and now >= came + len(clients) * pause_s:
            client = _Client(order, request)
            clients[client.fileno()] = client
            poll.register(client, select.EPOLLIN)
            client.ask()
            busy += 1
        for number, _event in poll.poll(pause_s if len(clients) < order.clients else 1.0):
            client = clients[number]
            count, is_over = client.take()
            now = time.perf_counter()
            if now >= end and len(found.times) < _LEAST_ANSWERS:
                # So slow a server has more time.
                end = now + 1e-6
            if start <= now < end:
                events += count
            if count and not client.has_event:
                client.has_event = True
                if start <= client.since < end:
                    found.firsts.append(now - client.since)
            if is_over:
                if start <= now < end:
                    found.times.append(now - client.since)
                if now < end:
                    client.ask()
                else:
                    busy -= 1
    return replace(found, events=events, seconds=end - start)


if __name__ == "__main__":
    print(json.dumps(asdict(_run(Order(**json.loads(sys.stdin.read()))))))
