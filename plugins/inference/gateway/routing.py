"""Which upstreams a call is sent to, in which order. Source: gateway contract, sections 1.2 and 1.3."""

from __future__ import annotations

import binascii
import itertools
import random
import threading
import time
from bisect import bisect
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from plugins.inference.catalogue import Served, Server

# Source: section 1.3.
_FAILURES, _OPEN_S, _MAX_OPEN_S = 3, 30.0, 60.0
_VIRTUAL_NODES = 64
_MAX_SESSION_CHARS = 256
_MAX_KNOWN = 10_000
# The routes, without "/v1", as addresses of upstreams may end with.
ROUTES = (
    *("chat/completions", "completions", "embeddings", "rerank", "responses", "messages", "moderations", "ocr"),
    *("images/generations", "images/edits", "audio/transcriptions", "audio/translations", "audio/speech"),
    *("video/generations", "videos"),
)


def endpoint_of(url: str, route: str) -> str:
    """Where an upstream answers a route: its address may or may not name one."""
    base, query = (url.partition("?")[0], url.partition("?")[2])
    base = base.rstrip("/")
    for known in sorted(ROUTES, key=len, reverse=True):
        if base.endswith(f"/{known}"):
            base = base.removesuffix(f"/{known}")
            break
    return f"{base}/{route}" + (f"?{query}" if query else "")


@dataclass
class _Circuit:
    """What a process has seen of an upstream. Open: it is not asked; half open: one call tries it."""

    failures: int = 0
    open_until: float = 0.0
    is_trying: bool = False


class Router:
    """Chooses upstreams, and remembers which of them fail, for one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: OrderedDict[str, itertools.count[int]] = OrderedDict()
        self._circuits: dict[int, _Circuit] = {}
        self._random = random.Random()  # noqa: S311 - of loads, not of secrets

    def order(self, model: Served, session: str) -> list[Server]:
        """The upstreams that may be asked now, the first choice first, tier by tier. session: calls of one stay."""
        ordered = []
        for _, tier in itertools.groupby(model.servers, key=lambda server: server.tier):
            ordered += self._order_tier(model, [server for server in tier if self._is_open(server)], session)
        return ordered

    def _order_tier(self, model: Served, servers: list[Server], session: str) -> list[Server]:
        if len(servers) < 2:
            return servers
        if model.strategy == "session_hash" and session:
            return _by_hash(servers, session)
        if model.strategy == "round_robin":
            with self._lock:
                turn = next(self._turns.setdefault(model.name, itertools.count()))
                if len(self._turns) > _MAX_KNOWN:
                    self._turns.popitem(last=False)
            start = turn % len(servers)
            return servers[start:] + servers[:start]
        # By weight, without putting back: whoever draws the highest comes first.
        drawn = {server.id: self._random.random() ** (1 / server.weight) if server.weight else -1 for server in servers}
        return sorted(servers, key=lambda server: drawn[server.id], reverse=True)

    def _is_open(self, server: Server) -> bool:
        with self._lock:
            circuit = self._circuits.get(server.id)
            if circuit is None or not circuit.open_until:
                return True
            if time.monotonic() < circuit.open_until or circuit.is_trying:
                return False
            circuit.is_trying = True
            return True

    def tell(self, server: Server, *, is_good: bool, retry_after_s: float | None = None) -> None:
        """What became of asking an upstream. retry_after_s: it wants to be left alone for so long."""
        with self._lock:
            if is_good:
                self._circuits.pop(server.id, None)
                return
            circuit = self._circuits.setdefault(server.id, _Circuit())
            circuit.failures += 1
            was_trying, circuit.is_trying = circuit.is_trying, False
            if retry_after_s is not None:
                circuit.open_until = time.monotonic() + min(retry_after_s, _MAX_OPEN_S)
            elif was_trying or circuit.failures >= _FAILURES:
                circuit.open_until = time.monotonic() + _OPEN_S

    def forget_try(self, server: Server) -> None:
        """It was chosen and not asked after all."""
        with self._lock:
            circuit = self._circuits.get(server.id)
            if circuit is not None:
                circuit.is_trying = False


def _by_hash(servers: Sequence[Server], session: str) -> list[Server]:
    """Consistent: when an upstream comes or goes, most sessions stay where they are."""
    ring = sorted(
        (binascii.crc32(f"{server.id}:{number}".encode()), server.id)
        for server in servers
        for number in range(_VIRTUAL_NODES)
    )
    place = bisect(ring, (binascii.crc32(session.encode()), 0))
    ids = dict.fromkeys(id for _, id in ring[place:] + ring[:place])
    by_id = {server.id: server for server in servers}
    return [by_id[id] for id in ids]


def session_of(model: Served, headers: Mapping[str, str], account: str) -> str:
    """By what calls of one conversation are known. Source: section 1.2."""
    names = [model.session_header.lower()] if model.session_header else []
    for name in [*names, "x-session-id", "x-conversation-id"]:
        if value := headers.get(name):
            return value[:_MAX_SESSION_CHARS]
    return account


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After``; None when it says none, or a date."""
    text = headers.get("retry-after", "")
    return float(text) if text.isdigit() and len(text) < 7 else None


def host_of(url: str) -> str:
    """For logs: the host, without what may be secret in the rest."""
    return urlsplit(url).hostname or ""
