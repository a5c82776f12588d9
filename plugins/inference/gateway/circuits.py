"""Which upstreams are left alone: those that failed, as all processes have found out, and those that are not well.

Each process counts failures itself and tells the others through Redis whom it leaves alone; it looks what they say at
most once a second, and without Redis it goes by what it has seen. Source: gateway contract, section 1.3.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.plugin import Context, get_logger
from hub.plugin.counters import Redis, RedisError, connect_redis
from plugins.inference.catalogue import Server

log = get_logger(__name__)

# Source: section 1.3.
_FAILURES, _WINDOW, _OPEN_S, _MAX_OPEN_S = 3, 10, 30.0, 60.0
_LOOK_EVERY_S, _AWAY_S = 1.0, 5.0
# Whoever tries an upstream again has so long before another one may.
_TRY_MS = 60_000
# What was last said of an upstream is believed for so long; the job that looks how they are comes every minute.
HEALTH_BELIEVED_S = 180.0
# An upstream that nobody asked for so long after its time may be asked, whatever is written of it.
_FORGOTTEN_S = 600.0
OPEN, HEALTH = "hub:inference:circuits", "hub:inference:health"


@dataclass(frozen=True)
class Health:
    """How an upstream is, as it last said itself. state: "healthy", "degraded" or "unhealthy"."""

    state: str
    failures: int = 0
    latency_ms: int = 0
    reason: str = ""
    checked_at: float = 0.0  # seconds since the epoch

    def is_believed(self, now_s: float) -> bool:
        return now_s - self.checked_at < HEALTH_BELIEVED_S


@dataclass
class _Seen:
    """What this process has seen of an upstream since it last failed."""

    failures: int = 0  # one after the other
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    is_trying: bool = False


class Circuits:
    """For one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._redis = connect_redis(context)
        self._lock = threading.Lock()
        self._seen: dict[int, _Seen] = {}
        # Until when whom is left alone, in seconds since the epoch.
        self._open_until: dict[int, float] = {}
        self._health: Mapping[int, Health] = {}
        self._next_look = 0.0
        self._changes = 0  # of its own

    def may_ask(self, server: Server) -> bool:
        """Whether a call may go there now. After its time one call tries it: say ``tell`` or ``forget_try`` then."""
        self._look_soon()
        now_s = time.time()
        health = self._health.get(server.id)
        if health is not None and health.state == "unhealthy" and health.is_believed(now_s):
            return False
        until_s = self._open_until.get(server.id)
        if until_s is None or not server.breaks_circuit:
            return True
        if now_s < until_s:
            return False
        with self._lock:
            seen = self._seen.setdefault(server.id, _Seen())
            if seen.is_trying:
                return False
            seen.is_trying = True
        if self._claim(server.id):
            return True
        with self._lock:
            seen.is_trying = False
        return False

    def tell(self, server: Server, *, is_good: bool, retry_after_s: float | None = None) -> None:
        """What became of asking an upstream. retry_after_s: it wants to be left alone for so long."""
        seen = self._seen.get(server.id)
        if is_good and seen is None and server.id not in self._open_until:
            return
        with self._lock:
            seen = self._seen.setdefault(server.id, _Seen())
            was_trying, seen.is_trying = seen.is_trying, False
            seen.last.append(is_good)
            if is_good:
                seen.failures = 0
                was_open = self._open_until.pop(server.id, None) is not None
                self._changes += was_open
                if was_open or (len(seen.last) == _WINDOW and all(seen.last)):
                    del self._seen[server.id]
            else:
                seen.failures += 1
                open_s = self._open_for(seen, was_trying, retry_after_s)
                if open_s is not None:
                    self._open_until[server.id] = time.time() + open_s
                    self._changes += 1
        if is_good and was_open:
            self._say(server.id, None)
        elif not is_good and open_s is not None and server.breaks_circuit:
            log.warning("upstream_left_alone", upstream_id=server.id, seconds=open_s)
            self._say(server.id, self._open_until.get(server.id))

    @staticmethod
    def _open_for(seen: _Seen, was_trying: bool, retry_after_s: float | None) -> float | None:
        if retry_after_s is not None:
            return min(retry_after_s, _MAX_OPEN_S)
        is_half = len(seen.last) == _WINDOW and 2 * sum(seen.last) <= _WINDOW
        return _OPEN_S if was_trying or seen.failures >= _FAILURES or is_half else None

    def forget_try(self, server: Server) -> None:
        """It was chosen and not asked after all."""
        with self._lock:
            seen = self._seen.get(server.id)
            was_trying = seen is not None and seen.is_trying
            if seen is not None:
                seen.is_trying = False
        if was_trying:
            self._release(server.id)

    def states_of(self, server: Server) -> tuple[str, str, str]:
        """Its health ("" where nobody looks), its circuit ("closed", "open", "half_open"), and why it is not well."""
        now_s = time.time()
        health = self._health.get(server.id)
        if health is not None and not health.is_believed(now_s):
            health = None
        until_s = self._open_until.get(server.id)
        circuit = "closed"
        if until_s is not None and server.breaks_circuit:
            circuit = "open" if now_s < until_s else "half_open"
        return (health.state if health else ""), circuit, (health.reason if health else "")

    # What processes tell each other.

    def _look_soon(self) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY_S
            # Beside the call, which shall not wait for it.
            threading.Thread(target=self.look, name="circuits", daemon=True).start()

    def look(self) -> None:
        """Read what other processes say."""
        changes = self._changes
        try:
            open_until, health = _read(self._redis)
        except RedisError as error:
            self._next_look = time.monotonic() + _AWAY_S
            log.warning("circuits_away", error=type(error).__name__)
            return
        with self._lock:
            self._health = health
            # What this process has found out meanwhile is not in what it read.
            if changes == self._changes:
                self._open_until = open_until

    def _claim(self, upstream_id: int) -> bool:
        try:
            return bool(self._redis.set(f"{OPEN}:try:{upstream_id}", "1", nx=True, px=_TRY_MS))
        except RedisError:
            return True

    def _release(self, upstream_id: int) -> None:
        try:
            self._redis.delete(f"{OPEN}:try:{upstream_id}")
        except RedisError as error:
            log.warning("circuits_away", error=type(error).__name__)

    def _say(self, upstream_id: int, until_s: float | None) -> None:
        try:
            with self._redis.pipeline() as pipe:
                if until_s is None:
                    pipe.hdel(OPEN, str(upstream_id))
                else:
                    pipe.hset(OPEN, str(upstream_id), f"{until_s:.3f}")
                pipe.delete(f"{OPEN}:try:{upstream_id}")
                pipe.execute()
        except RedisError as error:
            log.warning("circuits_away", error=type(error).__name__)


def _read(redis: Redis) -> tuple[dict[int, float], dict[int, Health]]:
    with redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(OPEN)
        pipe.hgetall(HEALTH)
        opened, health = pipe.execute()
    now_s = time.time()
    open_until = {int(id): float(until) for id, until in opened.items()}
    forgotten = [str(id) for id, until in open_until.items() if now_s - until > _FORGOTTEN_S]
    if forgotten:
        redis.hdel(OPEN, *forgotten)
    return (
        {id: until for id, until in open_until.items() if str(id) not in forgotten},
        {int(id): _health_of(text) for id, text in health.items()},
    )


def _health_of(text: bytes) -> Health:
    found: dict[str, Any] = msgspec.json.decode(text)
    return Health(**found)


def read_health(context: Context) -> dict[int, Health]:
    """How upstreams are, by their ids; nothing while Redis is away."""
    return _read_once(context)[1]


def read_shared(context: Context) -> dict[int, bool]:
    """The upstreams that are left alone, and whether one call may try them."""
    now_s = time.time()
    return {id: until <= now_s for id, until in _read_once(context)[0].items()}


def _read_once(context: Context) -> tuple[dict[int, float], dict[int, Health]]:
    redis = connect_redis(context)
    try:
        return _read(redis)
    except RedisError:
        return {}, {}
    finally:
        redis.close()
