"""Figures of the gateway for Prometheus. Each process adds up what it sees and tells Redis every few seconds; whoever
is scraped answers for all. Names: gateway contract, section 1.15. Labels are words of the hub's own: models that it
serves, keys by their id.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hub.plugin import Context, Metric, MetricKind, Sample, get_logger
from hub.plugin.counters import Redis, RedisError, connect_redis

log = get_logger(__name__)

TELL_EVERY_S = 5.0
# What a process says of calls under way is believed for so long.
_BELIEVED_S = 20
# So many sets of labels a process tells apart between two tellings, and Redis in all; then they begin anew.
_MAX_ROWS, _MAX_FIELDS = 5_000, 200_000
_PREFIX = "hub:inference:metrics"
_BETWEEN = "\x1f"
# A Redis that did not answer is left alone for a while.
_AWAY_S = 2.0
_away_until = 0.0

CALL_LABELS = ("model", "provider", "route", "status", "key")
SPREAD_LABELS = ("model", "provider", "route")
# The columns of a row of calls, and of which figure each is.
_CALLS, _PROMPT, _CACHED, _COMPLETION, _COST, _RETRIES, _FALLBACKS = range(7)
_KINDS = {_PROMPT: "prompt", _CACHED: "cached", _COMPLETION: "completion"}
_SPREADS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "latency_seconds": ("How long calls took, to the end of the answer.",
                        (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)),
    "time_to_first_token_seconds": ("Until the client was sent something.",
                                    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)),
    "tokens_per_second": ("Tokens of an answer for each second from the first one on.",
                          (1, 5, 10, 20, 50, 100, 200, 500, 1000)),
    "overhead_seconds": ("What of the time of calls was the gateway's own.",
                         (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)),
}  # fmt: skip
_NAMES = tuple(_SPREADS)
_BOUNDS = tuple(bounds for _, bounds in _SPREADS.values())
# Sums are kept as whole numbers.
_MICRO = 1_000_000


@dataclass(frozen=True)
class Seen:
    """A call that has ended. Times in seconds; None: nothing was sent."""

    labels: tuple[str, str, str, str, str]  # as CALL_LABELS
    latency_s: float
    overhead_s: float
    first_byte_s: float | None
    prompt: int
    cached: int
    completion: int
    cost_nano: int
    retries: int
    fallbacks: int


class Recorder:
    """Adds up what one process sees. It is called for each call, so it does little."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._redis: Redis | None = None
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, ...], list[int]] = {}
        self._spreads: dict[tuple[str, ...], list[list[int]]] = {}
        self._in_flight: dict[str, int] = {}
        self._is_due = False
        self._process = f"{os.getpid()}-{secrets.token_hex(4)}"

    def begin(self, model: str) -> None:
        """A call of this model is let in; ``end`` or ``refuse`` follows."""
        with self._lock:
            self._in_flight[model] = self._in_flight.get(model, 0) + 1
            self._wake()

    def end(self, model: str, seen: Seen) -> None:
        """A call that began has ended. model: as at its beginning."""
        with self._lock:
            left = self._in_flight.get(model, 1) - 1
            if left:
                self._in_flight[model] = left
            else:
                self._in_flight.pop(model, None)
            row = self._row_of(seen.labels)
            row[_CALLS] += 1
            row[_PROMPT] += seen.prompt
            row[_CACHED] += seen.cached
            row[_COMPLETION] += seen.completion
            row[_COST] += seen.cost_nano
            row[_RETRIES] += seen.retries
            row[_FALLBACKS] += seen.fallbacks
            spreads = self._spreads.get(seen.labels[:3])
            if spreads is None:
                key = seen.labels[:3] if len(self._spreads) < _MAX_ROWS else ("", "", "")
                spreads = self._spreads.setdefault(key, [[0] * (len(bounds) + 2) for bounds in _BOUNDS])
            first_s = seen.first_byte_s
            _count(spreads[0], _BOUNDS[0], seen.latency_s)
            if first_s is not None:
                _count(spreads[1], _BOUNDS[1], first_s)
                if seen.completion and seen.latency_s > first_s:
                    _count(spreads[2], _BOUNDS[2], seen.completion / (seen.latency_s - first_s))
            _count(spreads[3], _BOUNDS[3], seen.overhead_s)
            self._wake()

    def refuse(self, labels: tuple[str, str, str, str, str]) -> None:
        """A call that was not let in."""
        with self._lock:
            self._row_of(labels)[_CALLS] += 1
            self._wake()

    def _row_of(self, labels: tuple[str, ...]) -> list[int]:
        row = self._rows.get(labels)
        if row is None:
            if len(self._rows) >= _MAX_ROWS:
                # Of so many keys none is told apart any more.
                labels = (*labels[:4], "other")
            row = self._rows.setdefault(labels, [0] * 7)
        return row

    def _wake(self) -> None:
        """Redis is told in a moment, unless that is to happen anyway."""
        if not self._is_due:
            self._is_due = True
            timer = threading.Timer(TELL_EVERY_S, self.tell)
            timer.daemon = True
            timer.start()

    def tell(self) -> None:
        """Tell Redis what was seen since the last time. What cannot be told is told later."""
        with self._lock:
            rows, self._rows = self._rows, {}
            spreads, self._spreads = self._spreads, {}
            flying = dict(self._in_flight)
            self._is_due = False
        try:
            self._send(rows, spreads, flying)
        except RedisError as error:
            log.warning("figures_not_told", error=type(error).__name__)
            self._take_back(rows, spreads)
        with self._lock:
            if self._in_flight or self._rows:
                self._wake()

    def _send(
        self,
        rows: Mapping[tuple[str, ...], Sequence[int]],
        spreads: Mapping[tuple[str, ...], Sequence[Sequence[int]]],
        flying: Mapping[str, int],
    ) -> None:
        if self._redis is None:
            self._redis = connect_redis(self._context)
        redis, calls, flight = self._redis, f"{_PREFIX}:calls", f"{_PREFIX}:flight:{self._process}"
        if redis.hlen(calls) > _MAX_FIELDS:
            redis.delete(calls)
        with redis.pipeline(transaction=True) as pipe:
            for labels, row in rows.items():
                for column, number in enumerate(row):
                    if number:
                        pipe.hincrby(calls, _BETWEEN.join((*labels, str(column))), number)
            for labels, spread in spreads.items():
                for name, counts in zip(_NAMES, spread, strict=True):
                    for place, number in enumerate(counts):
                        if number:
                            pipe.hincrby(f"{_PREFIX}:{name}", _BETWEEN.join((*labels, str(place))), number)
            pipe.delete(flight)
            if flying:
                pipe.hset(flight, mapping={model: str(number) for model, number in flying.items()})
                pipe.expire(flight, _BELIEVED_S)
                pipe.zadd(f"{_PREFIX}:processes", {self._process: time.time()})
            pipe.execute()

    def _take_back(
        self, rows: Mapping[tuple[str, ...], Sequence[int]], spreads: Mapping[tuple[str, ...], list[list[int]]]
    ) -> None:
        with self._lock:
            for labels, row in rows.items():
                kept = self._row_of(labels)
                for column, number in enumerate(row):
                    kept[column] += number
            for labels, spread in spreads.items():
                known = self._spreads.setdefault(labels, [[0] * len(counts) for counts in spread])
                for counts, more in zip(known, spread, strict=True):
                    for place, number in enumerate(more):
                        counts[place] += number


def _count(counts: list[int], bounds: tuple[float, ...], value: float) -> None:
    """The last place is the sum, the one before it what lies beyond all bounds."""
    counts[bisect_left(bounds, value)] += 1
    counts[-1] += int(value * _MICRO)


# What is read when the figures are asked for.


def list_metrics() -> Iterable[Metric]:
    """All families."""
    no_status = ("model", "provider", "route", "key")
    counter = MetricKind.COUNTER
    yield Metric("hub_gateway_requests_total", "Calls.", _read_requests, CALL_LABELS, counter)
    yield Metric("hub_gateway_tokens_total", "Tokens of calls.", _read_tokens, (*no_status, "kind"), counter)
    for name, help, column, scale in (
        ("cost_total", "What calls cost, in the currency of prices.", _COST, 1e-9),
        ("retries_total", "Further upstreams that calls were sent to.", _RETRIES, 1),
        ("fallbacks_total", "Models that stood in for others.", _FALLBACKS, 1),
    ):
        read = partial(_read_column, column=column, scale=scale)
        yield Metric(f"hub_gateway_{name}", help, read, no_status, counter)
    for name, (help, _) in _SPREADS.items():
        read = partial(_read_spread, name=name)
        yield Metric(f"hub_gateway_{name}", help, read, SPREAD_LABELS, MetricKind.HISTOGRAM)
    yield Metric("hub_gateway_in_flight", "Calls under way.", _read_in_flight, ("model",))
    yield Metric(
        "hub_gateway_circuit_state",
        "Upstreams that are not asked now: 1 half open, 2 open; others are not listed.",
        _read_circuits,
        ("upstream",),
    )
    yield Metric(
        "hub_gateway_remaining_budget",
        "What is left of hard budgets that were used lately, in the currency of prices.",
        _read_budgets,
        ("kind", "id", "model", "period"),
    )


def _ask(context: Context, question: Callable[[Redis], Mapping[Any, Any]]) -> Mapping[Any, Any]:
    """What Redis says; nothing while it is away, which is found out once for all families of a scrape."""
    global _away_until
    if time.monotonic() < _away_until:
        return {}
    redis = connect_redis(context)
    try:
        return question(redis)
    except RedisError as error:
        _away_until = time.monotonic() + _AWAY_S
        log.warning("figures_away", error=type(error).__name__)
        return {}
    finally:
        redis.close()


def _read_hash(context: Context, name: str) -> Iterator[tuple[list[str], int]]:
    """Labels and numbers."""
    found = _ask(context, lambda redis: redis.hgetall(f"{_PREFIX}:{name}"))
    for field, number in found.items():
        yield _text(field).split(_BETWEEN), int(number)


def _text(word: object) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)


def _read_requests(context: Context) -> Iterator[Sample]:
    for (*labels, column), number in _read_hash(context, "calls"):
        if int(column) == _CALLS:
            yield Sample(number, dict(zip(CALL_LABELS, labels, strict=True)))


def _read_tokens(context: Context) -> Iterator[Sample]:
    for column, kind in _KINDS.items():
        for sample in _read_column(context, column=column, scale=1):
            yield Sample(sample.value, {**sample.labels, "kind": kind})


def _read_column(context: Context, *, column: int, scale: float) -> Iterator[Sample]:
    sums: dict[tuple[str, ...], int] = {}
    for (model, provider, route, _status, key, place), number in _read_hash(context, "calls"):
        if int(place) == column:
            labels = (model, provider, route, key)
            sums[labels] = sums.get(labels, 0) + number
    for (model, provider, route, key), number in sums.items():
        yield Sample(number * scale, {"model": model, "provider": provider, "route": route, "key": key})


def _read_spread(context: Context, *, name: str) -> Iterator[Sample]:
    bounds = _SPREADS[name][1]
    found: dict[tuple[str, ...], list[int]] = {}
    for (*words, place), number in _read_hash(context, name):
        found.setdefault(tuple(words), [0] * (len(bounds) + 2))[int(place)] += number
    for labels, counts in found.items():
        total, buckets = 0, []
        for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=False):
            total += count
            buckets.append((bound, total))
        yield Sample(counts[-1] / _MICRO, dict(zip(SPREAD_LABELS, labels, strict=True)), buckets)


def _read_in_flight(context: Context) -> Iterable[Sample]:
    sums = _ask(context, _sum_in_flight)
    return [Sample(number, {"model": model}) for model, number in sums.items()]


def _sum_in_flight(redis: Redis) -> dict[str, int]:
    sums: dict[str, int] = {}
    redis.zremrangebyscore(f"{_PREFIX}:processes", "-inf", time.time() - _BELIEVED_S)
    for process in redis.zrange(f"{_PREFIX}:processes", 0, -1):
        for model, number in redis.hgetall(f"{_PREFIX}:flight:{_text(process)}").items():
            sums[_text(model)] = sums.get(_text(model), 0) + int(number)
    return sums


def _read_circuits(context: Context) -> Iterator[Sample]:
    from plugins.inference.gateway.circuits import read_shared

    for upstream_id, is_half_open in read_shared(context).items():
        yield Sample(1 if is_half_open else 2, {"upstream": str(upstream_id)})


def _read_budgets(context: Context) -> Iterator[Sample]:
    from plugins.inference.reconciling import list_remaining

    for purse, period, left_nano in list_remaining(context):
        labels = {"kind": purse.kind, "id": purse.whose, "model": purse.model, "period": period}
        yield Sample(left_nano / 1e9, labels)
