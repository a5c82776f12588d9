"""Which upstreams a call is sent to, in which order. Source: gateway contract, sections 1.2 and 1.3."""

from __future__ import annotations

import binascii
import itertools
import random
import threading
from bisect import bisect
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from hub.plugin import Context
from plugins.inference.catalogue import Served, Server
from plugins.inference.gateway.circuits import Circuits

_VIRTUAL_NODES = 64
_MAX_SESSION_CHARS = 256
_MAX_KNOWN = 10_000
# How much the last answer weighs in what is known of an upstream's speed, and how often the slower ones are asked all
# the same, so that it is known when they are slow no more.
_LAST_WEIGHS, _ASKED_ANYHOW = 0.3, 0.05
# The routes, without "/v1", as addresses of upstreams may end with.
ROUTES = (
    *("chat/completions", "completions", "embeddings", "rerank", "responses", "messages", "moderations", "ocr"),
    *("images/generations", "images/edits", "audio/transcriptions", "audio/translations", "audio/speech"),
    *("video/generations", "videos"),
)


@lru_cache(maxsize=1024)
def endpoint_of(url: str, route: str) -> str:
    """Where an upstream answers a route: its address may or may not name one."""
    base, query = (url.partition("?")[0], url.partition("?")[2])
    base = base.rstrip("/")
    for known in sorted(ROUTES, key=len, reverse=True):
        if base.endswith(f"/{known}"):
            base = base.removesuffix(f"/{known}")
            break
    return f"{base}/{route}" + (f"?{query}" if query else "")


class Router:
    """Chooses upstreams, for one process."""

    def __init__(self, context: Context) -> None:
        self.circuits = Circuits(context)
        self._lock = threading.Lock()
        self._turns: OrderedDict[str, itertools.count[int]] = OrderedDict()
        self._busy: dict[int, int] = {}
        self._seconds: OrderedDict[int, float] = OrderedDict()
        self._random = random.Random()  # noqa: S311 - of loads, not of secrets

    def order(self, model: Served, session: str) -> list[Server]:
        """The upstreams that may be asked now, the first choice first, tier by tier. session: calls of one stay."""
        ordered = []
        for _, tier in itertools.groupby(model.servers, key=lambda server: server.tier):
            open_ones = [server for server in tier if self.circuits.may_ask(server)]
            ordered += self._order_tier(model, open_ones, session)
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
        servers = sorted(servers, key=lambda server: drawn[server.id], reverse=True)
        if model.strategy == "least_busy":
            servers.sort(key=lambda server: self._busy.get(server.id, 0))
        elif model.strategy == "latency" and self._random.random() > _ASKED_ANYHOW:
            # Of whom nothing is known yet comes first.
            servers.sort(key=lambda server: self._seconds.get(server.id, 0.0))
        return servers

    def enter(self, server: Server) -> None:
        """A call is sent to an upstream; ``leave`` follows."""
        with self._lock:
            self._busy[server.id] = self._busy.get(server.id, 0) + 1

    def leave(self, server: Server) -> None:
        """The call has ended, or gone elsewhere."""
        with self._lock:
            left = self._busy.get(server.id, 1) - 1
            if left > 0:
                self._busy[server.id] = left
            else:
                self._busy.pop(server.id, None)

    def tell(
        self, server: Server, *, is_good: bool, retry_after_s: float | None = None, seconds: float | None = None
    ) -> None:
        """What became of asking an upstream. retry_after_s: it wants to be left alone; seconds: until it answered."""
        self.circuits.tell(server, is_good=is_good, retry_after_s=retry_after_s)
        if seconds is not None:
            with self._lock:
                before = self._seconds.get(server.id, seconds)
                self._seconds[server.id] = before + _LAST_WEIGHS * (seconds - before)
                if len(self._seconds) > _MAX_KNOWN:
                    self._seconds.popitem(last=False)

    def forget_try(self, server: Server) -> None:
        """It was chosen and not asked after all."""
        self.circuits.forget_try(server)


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
