"""The scheduler's loop: one process of many is active, by a lock in Redis; it asks for periodic jobs and sweeps."""

from __future__ import annotations

import secrets
import threading
import time

import redis

from hub.base.context import Context
from hub.base.log import get_logger
from hub.jobs.queue import REDIS
from hub.jobs.schedule import enqueue_due
from hub.jobs.sweep import send_due, sweep

log = get_logger(__name__)

TICK_S = 2.0
SWEEP_EVERY_S = 15.0
SCHEDULE_EVERY_S = 5.0
# A scheduler that dies is replaced within this time.
LOCK_TTL_S = 15.0
SCHEDULER_KEY = "hub:scheduler"

# Only the holder renews or gives back: the token is compared on the server, in one step.
_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class SchedulerLock:
    """A lease in Redis: held by one token, gone by itself when it is not renewed."""

    def __init__(self, client: redis.Redis, *, ttl_s: float = LOCK_TTL_S) -> None:
        self._client = client
        self._token = secrets.token_hex(16)
        self._ttl_ms = int(ttl_s * 1000)

    def hold(self) -> bool:
        """Take the lease or renew it; whether it is ours now. Raises redis.RedisError."""
        if self._client.eval(_RENEW, 1, SCHEDULER_KEY, self._token, str(self._ttl_ms)):
            return True
        return bool(self._client.set(SCHEDULER_KEY, self._token, nx=True, px=self._ttl_ms))

    def release(self) -> None:
        """Give the lease back, if it is ours. Raises redis.RedisError."""
        self._client.eval(_RELEASE, 1, SCHEDULER_KEY, self._token)


class Scheduler:
    """Runs until ``stop``. A stand-by only watches the lock; the active one also works.

    turn: held during each tick, so that a process that also forks does not do so in the middle of one.
    """

    def __init__(self, context: Context, *, turn: threading.Lock | None = None) -> None:
        self._context = context
        self._turn = turn or threading.Lock()
        self._lock = SchedulerLock(context[REDIS])
        self._stop = threading.Event()
        self._is_active = False
        self._swept_at = 0.0
        self._looked_at = 0.0

    def stop(self) -> None:
        """End the loop after the current tick."""
        self._stop.set()

    def run(self) -> None:
        """Tick until stopped, then give the lock back."""
        while not self._stop.is_set():
            try:
                with self._turn:
                    self.tick()
            except Exception:
                # A database or Redis that is away for a moment; the next tick tries again.
                log.exception("scheduler_tick_failed")
            self._stop.wait(TICK_S)
        if self._is_active:
            try:
                self._lock.release()
            except (redis.RedisError, OSError):
                log.debug("scheduler_lock_left_to_expire")

    def tick(self) -> bool:
        """One look, when this scheduler is the active one; whether it is."""
        is_active = self._hold()
        if is_active != self._is_active:
            self._is_active = is_active
            log.info("scheduler_active" if is_active else "scheduler_on_standby")
        if not is_active:
            return False
        now = time.monotonic()
        if now - self._looked_at >= SCHEDULE_EVERY_S:
            self._looked_at = now
            enqueue_due(self._context)
        if not self._swept_at or now - self._swept_at >= SWEEP_EVERY_S:
            self._swept_at = now
            sweep(self._context)
        else:
            send_due(self._context, since_s=2 * TICK_S)
        return True

    def _hold(self) -> bool:
        try:
            return self._lock.hold()
        except (redis.RedisError, OSError) as error:
            if self._is_active:
                log.warning("scheduler_without_redis", reason=type(error).__name__)
            return False
