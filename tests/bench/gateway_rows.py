"""Rows on the gateway: what it adds to a provider's answer, beside LiteLLM's proxy and beside no gateway at all.

Ours checks keys, limits and budgets and writes each call down before it ends; LiteLLM does nothing of that here. All
sides take turns in one run, with one process each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import KIB, MIB
from tests.bench.gateway_load import Order, Yield, call
from tests.bench.gateway_peer import litellm
from tests.bench.measure import median, settle, watch_memory
from tests.support.http import HTTPClient
from tests.support.hub import HubServer
from tests.support.processes import accepts_connections, free_port, stop, wait_until
from tests.support.servers import run_postgresql, run_redis

# Source of all bounds: issue 8.
CLIENTS, OPEN = 8, 1000
MOST_MEMORY_BYTES, MOST_STREAM_BYTES, MOST_FIRST_S = 150_000_000, 60_000, 0.050
LEAST_RATE, MOST_P50, MOST_P99, LEAST_TOKENS = 10, 1 / 10, 1 / 5, 5
_DIRECT, _LITELLM, _SQLITE, _POSTGRESQL = "no gateway", "LiteLLM", "SQLite", "PostgreSQL"
# As ``gateway_provider`` knows them: whole; 200 tokens as fast as it goes; 10 tokens, one a second.
_PLAIN, _FAST, _SLOW = "plain", "stream-200-0", "stream-10-1000"
_PATH = "/v1/chat/completions"
# More than is ever reached: it is all looked up, counted and held.
_LIMITS = {
    "rpm_limit": 2**31 - 1,
    "tpm_limit": 2**31 - 1,
    "max_parallel_requests": 10_000,
    "budgets": [{"period": "1mo", "hard_nano": 2**52}],
}
_PRICES = {"input": 150, "cached": 75, "output": 600}


@dataclass(frozen=True)
class _Side:
    """Somebody who is asked for answers. path: with the model's name in it, where there is no gateway."""

    port: int
    path: str = _PATH
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(self, model: str, *, prompt_words: int = 100, **how: Any) -> Yield:
        """Raises RuntimeError."""
        content = " ".join(["hundred"] * prompt_words)
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
        if model != _PLAIN:
            # Who does not ask for it has it counted by LiteLLM itself, which takes it longer.
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        order = Order(self.port, self.path.format(model=model), json.dumps(body), dict(self.headers), **how)
        return call(order)


@contextmanager
def _provider() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.gateway_provider", str(port)])
    try:
        wait_until(lambda: accepts_connections(port), what="the provider")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


@contextmanager
def _hub(bench: Bench, provider: str, database: str) -> Iterator[tuple[HubServer, _Side]]:
    """A hub whose gateway serves the provider's models, and a program with a key of it."""
    port = free_port()
    settings: dict[str, Any] = {"gateway_port": port, "ssh_port": 0, "outgoing_allowed_hosts": "127.0.0.1"}
    with ExitStack() as stack:
        if database == _POSTGRESQL:
            postgresql, redis = stack.enter_context(run_postgresql()), stack.enter_context(run_redis())
            settings |= {"database_url": postgresql.url(postgresql.create_database()), "redis_url": redis.url()}
        hub = stack.enter_context(HubServer(bench.scratch("home"), settings | bench.settings))
        root = hub.administrator
        for name in (_PLAIN, _FAST, _SLOW):
            upstream = {"url": f"{provider}/{name}/v1", "model_name": "small-v1", "headers": {"Authorization": "none"}}
            form = {"model_name": name, "provider": "acme", "prices": _PRICES, "upstreams": [upstream]}
            made = root.api.post("/api/v1/config/llms", form)
            assert made.status == 200, made.body
        uuid = root.api.get(f"/api/v1/user/{root.name}").data["uuid"]
        made = root.api.post(f"/api/v1/namespaces/{uuid}/apikeys", {"name": "bench", **_LIMITS})
        wait_until(lambda: accepts_connections(port), what="the gateway")
        yield hub, _Side(port, headers={"Authorization": f"Bearer {made.data['token']}"})


@dataclass
class _Stage:
    """All sides, and the hubs by their databases."""

    provider: str
    sides: dict[str, _Side]
    hubs: dict[str, HubServer]

    def take_turns(self, bench: Bench, names: Sequence[str], model: str, **how: Any) -> dict[str, list[Yield]]:
        """Each side as often as the rounds say, forwards and backwards."""
        found: dict[str, list[Yield]] = {name: [] for name in names}
        for number in range(bench.rounds):
            for name in names if number % 2 == 0 else reversed(names):
                settle()
                found[name].append(self.sides[name].call(model, **how))
        return found

    def sums(self, hub: HubServer) -> list[list[int]]:
        """Calls, tokens of prompts and of answers: as the provider, the hub's calls and its usage have them."""
        told = HTTPClient(self.provider).get("/counts").json
        tokens = "count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)"
        found = [hub.rows(f"SELECT {tokens} FROM {table}")[0] for table in ("inference_calls", "usage_events")]
        return [[told["calls"], told["prompt"], told["completion"]], *([int(one) for one in row] for row in found)]


@cache
def _stage(bench: Bench) -> _Stage:
    enter = bench.stack.enter_context
    provider = enter(_provider())
    stage = _Stage(provider, {_DIRECT: _Side(urlsplit(provider).port or 0, "/{model}" + _PATH)}, {})
    peer = enter(litellm(bench.scratch("litellm"), {name: f"{provider}/{name}/v1" for name in (_PLAIN, _FAST, _SLOW)}))
    stage.sides[_LITELLM] = _Side(urlsplit(peer.url).port or 0)
    for database in (_SQLITE, _POSTGRESQL):
        stage.hubs[database], stage.sides[database] = enter(_hub(bench, provider, database))
    return stage


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def _over_rounds(rounds: Sequence[Yield], share: float) -> float:
    """The median of the rounds' percentiles of seconds to the end of an answer."""
    return median([_percentile(one.times, share) for one in rounds])


def measure_plain(bench: Bench) -> list[Outcome]:
    """Judged with some clients at once; with one alone, what is written down for each call waits for the disk alone."""
    stage = _stage(bench)
    outcomes = []
    for clients in (CLIENTS, 1):
        found = stage.take_turns(bench, tuple(stage.sides), _PLAIN, clients=clients, seconds=2.5)
        rates = {name: median([one.rate for one in rounds]) for name, rounds in found.items()}
        is_judged = clients > 1
        word = f"{clients} client" + "s" * is_judged
        for name in stage.hubs:
            ratio = rates[name] / rates[_LITELLM]
            outcomes.append(
                Outcome(
                    f"answers of 64 tokens, {word}, {name}",
                    f"{rates[name]:,.0f} /s",
                    f"LiteLLM: {rates[_LITELLM]:,.0f} /s",
                    ratio,
                    f"≥ {LEAST_RATE}" if is_judged else "—",
                    ratio >= LEAST_RATE or not is_judged,
                    f"the provider alone: {rates[_DIRECT]:,.0f} /s",
                )
            )
            for share, most in ((0.5, MOST_P50), (0.99, MOST_P99)):
                ours_s, theirs_s, direct_s = (_over_rounds(found[one], share) for one in (name, _LITELLM, _DIRECT))
                ratio = (ours_s - direct_s) / (theirs_s - direct_s)
                outcomes.append(
                    Outcome(
                        f"added to an answer, p{share * 100:.0f}, {word}, {name}",
                        f"{(ours_s - direct_s) * 1000:.1f} ms",
                        f"LiteLLM: {(theirs_s - direct_s) * 1000:.1f} ms",
                        ratio,
                        f"≤ {most:.1f}" if is_judged else "—",
                        ratio <= most or not is_judged,
                        f"without a gateway it takes {direct_s * 1000:.1f} ms",
                    )
                )
    return outcomes


def measure_streams(bench: Bench) -> list[Outcome]:
    stage = _stage(bench)
    found = stage.take_turns(bench, tuple(stage.sides), _FAST, clients=2 * CLIENTS, seconds=3)
    rates = {name: median([one.event_rate for one in rounds]) for name, rounds in found.items()}
    return [
        Outcome(
            f"tokens forwarded in {2 * CLIENTS} streams of 200, {name}",
            f"{rates[name]:,.0f} /s",
            f"LiteLLM: {rates[_LITELLM]:,.0f} /s",
            rates[name] / rates[_LITELLM],
            f"≥ {LEAST_TOKENS}",
            rates[name] >= LEAST_TOKENS * rates[_LITELLM],
            f"the provider alone: {rates[_DIRECT]:,.0f} /s",
        )
        for name in stage.hubs
    ]


def measure_prompts(bench: Bench) -> list[Outcome]:
    stage = _stage(bench)
    outcomes = []
    for size in (64 * KIB, MIB):
        words = size // len("hundred ")
        found = stage.take_turns(bench, (_LITELLM, _SQLITE), _PLAIN, prompt_words=words, seconds=2)
        ours, theirs = (median([one.rate for one in found[name]]) for name in (_SQLITE, _LITELLM))
        outcomes.append(
            Outcome(
                f"answers to prompts of {size // KIB:,} KiB, {CLIENTS} clients, {_SQLITE}",
                f"{ours:,.0f} /s",
                f"LiteLLM: {theirs:,.0f} /s",
                ours / theirs,
                "—",
                True,
            )
        )
    return outcomes


def measure_open(bench: Bench) -> list[Outcome]:
    """Streams that stay open: a new one waits for its first token among all the others."""
    stage = _stage(bench)
    how = {"clients": OPEN, "warm_s": 15.0, "seconds": 10.0}
    outcomes = []
    direct_s = _percentile(stage.sides[_DIRECT].call(_SLOW, **how).firsts, 0.99)
    for name, hub in stage.hubs.items():
        # Gunicorn's first process only watches the one that answers.
        worker = hub.program("gateway")[1]
        stage.sides[name].call(_PLAIN, seconds=1)
        before = worker.memory_info().rss
        with watch_memory(worker.pid) as samples:
            firsts = stage.sides[name].call(_SLOW, **how).firsts
        added_s, each = _percentile(firsts, 0.99) - direct_s, (max(samples) - before) / OPEN
        outcomes += [
            Outcome(
                f"added to the first token, p99, {OPEN:,} open streams, {name}",
                f"{added_s * 1000:.1f} ms",
                f"no gateway: {direct_s * 1000:.1f} ms",
                None,
                f"≤ {MOST_FIRST_S * 1000:.0f} ms",
                added_s <= MOST_FIRST_S,
                f"p50 {_percentile(firsts, 0.5) * 1000:.1f} ms, {len(firsts) / how['seconds']:.0f} new ones a second",
            ),
            Outcome(
                f"memory of an open stream, {name}",
                f"{each / 1000:.0f} KB",
                "—",
                None,
                f"≤ {MOST_STREAM_BYTES // 1000} KB",
                each <= MOST_STREAM_BYTES,
            ),
            Outcome(
                f"memory of the process before them, {name}",
                f"{before / 1e6:.0f} MB",
                "—",
                None,
                f"≤ {MOST_MEMORY_BYTES // 1_000_000} MB",
                before <= MOST_MEMORY_BYTES,
                f"with them {max(samples) / 1e6:.0f} MB",
            ),
        ]
    return outcomes


def _say(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def measure_sums(bench: Bench) -> list[Outcome]:
    """What the provider has told of tokens, and what became of it in the accounts, to the token."""
    stage = _stage(bench)
    outcomes = []
    for name, hub in stage.hubs.items():
        before = stage.sums(hub)
        for model in (_PLAIN, _FAST):
            stage.sides[name].call(model, clients=4 * CLIENTS, seconds=2)
        told, calls, events = (
            [a - b for a, b in zip(*pair, strict=True)] for pair in zip(stage.sums(hub), before, strict=True)
        )
        outcomes.append(
            Outcome(
                f"calls, tokens of prompts and answers in the accounts, {4 * CLIENTS} clients, {name}",
                _say(calls),
                f"the provider: {_say(told)}",
                None,
                "the same",
                told == calls == events,
                f"in events of usage: {_say(events)}",
            )
        )
    return outcomes


ROWS = (
    Row("gateway-plain", "answers that come whole, beside LiteLLM, on both databases", measure_plain),
    Row("gateway-prompts", "answers to long prompts, beside LiteLLM", measure_prompts),
    Row("gateway-streams", "tokens of streams a second, beside LiteLLM, on both databases", measure_streams),
    Row("gateway-open", "a thousand open streams in one process, on both databases", measure_open),
    Row("gateway-sums", "what was used is what is in the accounts, under load", measure_sums),
)
