"""Clients that ask one server for addresses, each for the next one as soon as it has an answer.

Run as a process of its own, so that it shares no interpreter with what it measures:
``python -m tests.bench.load PORT CLIENTS SECONDS < REQUESTS`` reads a JSON list of ``[path, headers]`` and prints the
seconds that each answer took. One process drives all the clients by their sockets: 8 of them cost it some 60 µs of
processor time for each answer.
"""

from __future__ import annotations

import itertools
import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def ask(
    port: int, requests: Sequence[tuple[str, Mapping[str, str]]], *, clients: int = 8, seconds: float = 5
) -> list[float]:
    """Seconds that each answer took, as ``clients`` asked at once. Raises RuntimeError where one was not 200."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load", str(port), str(clients), str(seconds)],
        input=json.dumps(requests),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    times: list[float] = json.loads(done.stdout)
    return times


class _Client:
    """One connection that stays open, and the answer that comes on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.wanted = 0
        self.since = 0.0

    def send(self, request: bytes) -> None:
        self.received.clear()
        self.wanted = 0
        self.since = time.perf_counter()
        self.socket.sendall(request)

    def has_answer(self) -> bool:
        data = self.socket.recv(262_144)
        if not data:
            raise RuntimeError("the server closed a connection")
        self.received += data
        if not self.wanted:
            end = self.received.find(_HEAD_END)
            if end < 0:
                return False
            head = bytes(self.received[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(self.received[:2000].decode(errors="replace"))
            at = head.index(_LENGTH) + len(_LENGTH)
            self.wanted = end + len(_HEAD_END) + int(head[at:].split(b"\r\n", 1)[0])
        return len(self.received) >= self.wanted


def _run(port: int, count: int, seconds: float, requests: list[tuple[str, dict[str, Any]]]) -> list[float]:
    lines = [
        "".join([f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n", *(f"{k}: {v}\r\n" for k, v in headers.items())])
        + "\r\n"
        for path, headers in requests
    ]
    random.Random(1).shuffle(lines)
    following = itertools.cycle([line.encode() for line in lines])
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            client = _Client(port)
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(next(following))
        end = time.perf_counter() + seconds
        busy = count
        while busy:
            for key, _events in selector.select():
                client = key.data
                if not client.has_answer():
                    continue
                now = time.perf_counter()
                times.append(now - client.since)
                if now < end:
                    client.send(next(following))
                else:
                    selector.unregister(client.socket)
                    client.socket.close()
                    busy -= 1
    return times


if __name__ == "__main__":
    print(json.dumps(_run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), json.load(sys.stdin))))
