"""Rows on the pages for people: how long the server takes for them, and what a browser's first view costs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.bench.api_rows import CLIENTS
from tests.bench.bench import Bench, Outcome, Row
from tests.bench.load import ask
from tests.bench.peers import NotHere
from tests.support.browser import find_chromium, open_browser, visit
from tests.support.demo import Demo
from tests.support.hub import HubServer
from tests.support.servers import run_postgresql, run_redis

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

P50_LIMIT_S = 0.040
# Of a first view: everything that the browser fetches, as it comes over the line.
VIEW_LIMIT_BYTES, VIEW_LIMIT_REQUESTS, PAINT_LIMIT_S = 250 * 1024, 30, 1.0
_SECONDS = 1.5
_SLOWER = 4
_PATIENCE_S = 30

# When the largest thing of the page was painted, as the browser itself notes it.
_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
    .observe({ type: "largest-contentful-paint", buffered: true });
})"""


@dataclass(frozen=True)
class Stage:
    """A hub with the lifelike world in it, and on which database it is."""

    hub: HubServer
    title: str


@contextmanager
def _stage(bench: Bench, name: str) -> Iterator[Stage]:
    settings: dict[str, Any] = {
        "web_workers": os.cpu_count(),
        # All clients come from one address. Requests are counted as ever; there is only no end to them.
        "rate_limit_account": 10**9,
        "rate_limit_address": 10**9,
    }
    with contextlib.ExitStack() as stack:
        if name == "PostgreSQL":
            postgresql, redis = stack.enter_context(run_postgresql()), stack.enter_context(run_redis())
            settings |= {"database_url": postgresql.url(postgresql.create_database()), "redis_url": redis.url()}
        hub = stack.enter_context(HubServer(bench.scratch("home"), {**settings, **bench.settings}))
        root = hub.create_user("root", admin=True, scope="admin")
        Demo(hub.url, root.name, root.password).make()
        hub.rest()
        yield Stage(hub, name)


@cache
def _staged(bench: Bench, name: str) -> Stage:
    return bench.stack.enter_context(_stage(bench, name))


def _addresses() -> Mapping[str, str]:
    return {
        "a repository's page": "/models/aurora-lab/aurora-7b",
        "a list of models": "/models?sort=trending",
        "a tree": "/codes/aurora-lab/trainer/files/main",
        "the viewer of a data set": "/datasets/open-atlas/field-notes/viewer/default/train",
    }


def measure_server(bench: Bench) -> list[Outcome]:
    outcomes = []
    for name in ("SQLite", "PostgreSQL"):
        stage = _staged(bench, name)
        for title, path in _addresses().items():
            requests = [(path, {"Accept": "text/html"})]
            ask(stage.hub.port, requests, clients=CLIENTS, seconds=1)
            runs = []
            for _ in range(bench.rounds):
                times = sorted(ask(stage.hub.port, requests, clients=CLIENTS, seconds=_SECONDS))
                runs.append((times[len(times) // 2], times[len(times) * 99 // 100], len(times) / _SECONDS))
            p50_s, p99_s, rate = min(runs)
            outcomes.append(
                Outcome(
                    f"{title} on {name}, {CLIENTS} clients",
                    f"p50 {p50_s * 1000:.0f} ms, p99 {p99_s * 1000:.0f} ms",
                    "—",
                    None,
                    f"p50 ≤ {P50_LIMIT_S * 1000:.0f} ms",
                    p50_s <= P50_LIMIT_S,
                    f"{rate:.0f} /s, {os.cpu_count()} web workers",
                )
            )
    return outcomes


class _Traffic:
    """What a page and the frames in it ask for, and how much of it comes over the line."""

    def __init__(self, page: Page) -> None:
        self._waiting: set[Request] = set()
        self._done: list[Request] = []
        page.on("request", lambda request: self._waiting.add(request))
        page.on("requestfinished", self._finish)
        page.on("requestfailed", lambda request: self._waiting.discard(request))

    def _finish(self, request: Request) -> None:
        self._waiting.discard(request)
        self._done.append(request)

    def wait(self, page: Page) -> None:
        """Until half a second has passed in which nothing was asked for. Raises AssertionError after a while."""
        seen, quiet = -1, 0
        for _ in range(_PATIENCE_S * 10):
            quiet = quiet + 1 if not self._waiting and len(self._done) == seen else 0
            if quiet == 5:
                return
            seen = len(self._done)
            page.wait_for_timeout(100)
        raise AssertionError(f"the page goes on asking for {sorted(request.url for request in self._waiting)}")

    def sizes(self) -> list[int]:
        """Bytes of each answer, with its head."""
        told = [request.sizes() for request in self._done]
        return [size["responseHeadersSize"] + size["responseBodySize"] for size in told]


def measure_first_view(bench: Bench) -> list[Outcome]:
    if find_chromium() is None:
        raise NotHere("there is no Chromium")
    stage = _staged(bench, "SQLite")
    outcomes = []
    with open_browser() as browser:
        for title, path in _addresses().items():
            views = []
            for _ in range(min(bench.rounds, 3)):
                with visit(browser, stage.hub.url) as visitor:
                    control = visitor.context.new_cdp_session(visitor.page)
                    control.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
                    traffic = _Traffic(visitor.page)
                    visitor.open(path)
                    traffic.wait(visitor.page)
                    sizes = traffic.sizes()
                    views.append((visitor.page.evaluate(_PAINT) / 1000, sum(sizes), len(sizes)))
            paint_s, size_bytes, count = min(views)
            is_met = paint_s <= PAINT_LIMIT_S and size_bytes <= VIEW_LIMIT_BYTES and count <= VIEW_LIMIT_REQUESTS
            outcomes.append(
                Outcome(
                    f"first view of {title}",
                    f"{size_bytes / 1024:.0f} KiB in {count} requests, painted after {paint_s:.2f} s",
                    "—",
                    None,
                    f"≤ {VIEW_LIMIT_BYTES // 1024} KiB, ≤ {VIEW_LIMIT_REQUESTS}, ≤ {PAINT_LIMIT_S:.1f} s",
                    is_met,
                    f"empty cache, processor {_SLOWER} times slower, largest contentful paint",
                )
            )
    return outcomes


ROWS = (
    Row("pages", "the server's time for pages, on both databases", measure_server),
    Row("first-view", "what a first view of a page costs a browser", measure_first_view),
)
