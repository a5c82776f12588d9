"""Counting failed sign-ins, so that passwords cannot be guessed at speed."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hub.base.context import Key
from hub.base.errors import RateLimited
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.settings import Settings
from hub.jobs.queue import redis_url

log = get_logger(__name__)

# A person mistypes a few times; twenty guesses in a quarter of an hour are two thousand a day.
MAX_ATTEMPTS = 20
WINDOW_S = 900
MEMORY_ENTRIES = 10_000
REDIS_WAIT_S = 2
REDIS_AWAY_S = 15  # so long nobody waits for a Redis that did not answer


class AttemptCounter(Protocol):
    """Counts per key within a window that begins with the key's first attempt."""

    def hit(self, key: str) -> tuple[int, int]:
        """Count one attempt: how many there are now, and the seconds until the window ends."""
        ...

    def clear(self, key: str) -> None:
        """Forget the key."""
        ...


class MemoryAttempts:
    """Counts in this process; the oldest keys are forgotten when there are too many."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()  # key -> (end, count)

    def hit(self, key: str) -> tuple[int, int]:
        moment = self._now()
        end, count = self._windows.get(key, (0.0, 0))
        if end <= moment:
            self._windows.pop(key, None)
            end, count = moment + WINDOW_S, 0
        self._windows[key] = (end, count + 1)
        while len(self._windows) > MEMORY_ENTRIES:
            self._windows.popitem(last=False)
        return count + 1, max(1, round(end - moment))

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)


class RedisAttempts:
    """Counts in Redis, for all web processes together; in this process alone while Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._fallback = MemoryAttempts()
        self._away_until = 0.0

    def hit(self, key: str) -> tuple[int, int]:
        if time.monotonic() >= self._away_until:
            try:
                with self._client.pipeline(transaction=True) as pipeline:
                    # The key is born with its end, so no crash can leave a counter that never ends.
                    pipeline.set(key, 0, ex=WINDOW_S, nx=True)
                    pipeline.incr(key)
                    pipeline.ttl(key)
                    _, count, left_s = pipeline.execute()
                return int(count), max(1, int(left_s))
            except redis.RedisError as error:
                self._stay_away(error)
        return self._fallback.hit(key)

    def clear(self, key: str) -> None:
        self._fallback.clear(key)
        if time.monotonic() >= self._away_until:
            try:
                self._client.delete(key)
            except redis.RedisError as error:
                self._stay_away(error)

    def _stay_away(self, error: redis.RedisError) -> None:
        self._away_until = time.monotonic() + REDIS_AWAY_S
        log.warning("sign_in_counter_in_memory", error=str(error), next_try_s=REDIS_AWAY_S)


ATTEMPTS: Key[AttemptCounter] = Key("accounts.attempts")


def create_attempt_counter(settings: Settings) -> AttemptCounter:
    """The counter in the hub's Redis. Opens no connection yet, and does without Redis where there is none."""
    # Somebody waits to be signed in: no second try, which redis-py would otherwise make ten of.
    client = redis.Redis.from_url(
        redis_url(settings),
        socket_timeout=REDIS_WAIT_S,
        socket_connect_timeout=REDIS_WAIT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisAttempts(client)


def attempt_key(login: str, address: str) -> str:
    """The counter's key for one account name from one network address; hashed, so any input makes a plain key."""
    digest = hashlib.sha256(f"{fold_name(login)}\0{address}".encode(errors="replace")).hexdigest()
    return f"hub:sign-in:{digest[:32]}"


def count_attempt(counter: AttemptCounter, login: str, address: str, *, most: int = MAX_ATTEMPTS) -> None:
    """Count an attempt before it is judged, so that many at once cannot slip through; clear the key on success.

    address: empty: from all together. Raises RateLimited with ``retry_after_s``.
    """
    count, left_s = counter.hit(attempt_key(login, address))
    if count > most:
        raise RateLimited(
            f"Too many attempts{' from your address' if address else ''}. Try again in {-(-left_s // 60)} minutes.",
            retry_after_s=left_s,
        )
