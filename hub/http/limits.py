"""How many API requests one token, account or address may make in a minute.

What Git, LFS and downloads of files transfer is not counted: one clone or snapshot is thousands of requests. Requests
that prepare or end such transfers, and make the hub work, may be counted apart and generously: ``count_transfer``.
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis
from flask import Flask, Response, current_app, g, request
from redis.backoff import NoBackoff
from redis.retry import Retry

from hub.accounts.policy import ANONYMOUS
from hub.base.clock import Clock, SystemClock
from hub.base.context import Context
from hub.base.errors import HubError, RateLimited
from hub.base.log import get_logger
from hub.base.settings import Settings
from hub.http.actor import client_address, current_actor
from hub.jobs.queue import redis_url

if TYPE_CHECKING:
    from limits.storage import Storage

log = get_logger(__name__)

WINDOW_S = 60
# An account's tokens together may make as many requests as so many of them.
TOKENS_AT_ONCE = 4
# So many times as much as the API is what prepares transfers: hundreds of pieces of a file come side by side.
TRANSFERS_EACH = 100
_LIMITER = "hub_request_limiter"
# Nobody waits long to be counted; a Redis that did not answer is left alone for a while.
_REDIS_WAIT_S = 1
_REDIS_AWAY_S = 15
# How long a process may keep to itself what it has counted, and how much of what is left: one part in so many.
_UNTOLD_S = 1.0
_UNTOLD_PART = 100
# Clients whose last window a process remembers, some hundred bytes each.
_MAX_REMEMBERED = 10_000
_COUNTED = re.compile(r"/(?:(?:(?:csg|hf|ms)/)?api|-/datasets-server)/")
# One of these per request is the file itself.
_TRANSFERS = re.compile(r"/api/v1/[^/]+/[^/]+/[^/]+/(?:resolve|download|archive|download_archive)/")


@dataclass(frozen=True)
class Standing:
    """Where a client stands after a request. limit, remaining: requests in a window. reset_s: until there are more."""

    limit: int
    remaining: int
    reset_s: int
    is_over: bool


class RequestLimiter:
    """Counts in Redis, for all web processes together; in this process alone while Redis does not answer.

    A window slides: what was counted in the last minute fades out of the count instead of ending at once.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        # Deliberately here: of the whole program, only web processes count requests.
        from limits.storage import MemoryStorage, RedisStorage

        pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=_REDIS_WAIT_S,
            socket_connect_timeout=_REDIS_WAIT_S,
            retry=Retry(NoBackoff(), 0),
        )
        shared = RedisStorage("redis://", connection_pool=pool, key_prefix="hub:limits")
        self._shared = _Windows(shared)
        self._own = _Windows(MemoryStorage())
        self._clock = clock or SystemClock()
        self._away_until = 0.0

    def count(self, key: str, limit: int) -> Standing:
        """Count one request of the key, of which ``limit`` are allowed in a window."""
        now = self._clock.now().timestamp()
        if time.monotonic() >= self._away_until:
            try:
                return self._shared.count(key, limit, now)
            except redis.RedisError as error:
                self._away_until = time.monotonic() + _REDIS_AWAY_S
                log.warning("request_limits_in_memory", error=str(error), next_try_s=_REDIS_AWAY_S)
        return self._own.count(key, limit, now)


@dataclass
class _Count:
    """What a process knows of one key in a window. own: its requests that the storage was not told of yet."""

    shared: int
    own: int
    told_at: float


class _Windows:
    """The counts of this minute and the one before, of which as much counts as it lies within the last 60 seconds.

    A client far from its limit is counted here, and the storage is told of some requests at once: to ask it takes a
    tenth of a short request's time. What a process keeps to itself is a hundredth of what the client has left at most:
    by so much more, for each process, may somebody pass the limit.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        # What was counted in the window before does not change any more.
        self._before: dict[str, int] = {}
        self._counts: dict[str, _Count] = {}
        self._number = 0

    def count(self, key: str, limit: int, now: float) -> Standing:
        number, passed = divmod(now, WINDOW_S)
        if number != self._number or len(self._before) >= _MAX_REMEMBERED:
            self._before, self._counts, self._number = {}, {}, int(number)
        if key not in self._before:
            self._before[key] = self._storage.get(f"{key}/{int(number) - 1}")
        before, left = self._before[key], WINDOW_S - passed
        faded = math.floor(before * left / WINDOW_S)
        used = faded + self._count(key, limit - faded, now)
        if is_over := used > limit:
            # What is refused does not count: who goes on asking is served again as soon as others are.
            self._tell(key, now, -1)
        # The next of the window before fades out, or this one ends and begins to.
        reset_s = left % (WINDOW_S / before) if before else left
        return Standing(limit, max(0, limit - used), max(1, min(WINDOW_S, round(reset_s))), is_over)

    def _count(self, key: str, limit: int, now: float) -> int:
        """Count one request of this window, and how many there were."""
        count = self._counts.get(key)
        if count is not None and now - count.told_at < _UNTOLD_S:
            count.own += 1
            if count.own * _UNTOLD_PART <= limit - count.shared - count.own:
                return count.shared + count.own
            count.own -= 1
        return self._tell(key, now, 1)

    def _tell(self, key: str, now: float, more: int) -> int:
        count = self._counts.setdefault(key, _Count(0, 0, now))
        amount, count.own = count.own + more, 0
        count.shared = self._storage.incr(f"{key}/{self._number}", 2 * WINDOW_S, amount=amount)
        count.told_at = now
        return count.shared


def install(app: Flask, context: Context) -> None:
    """Count every request to the API before it is served; done once, by ``create_app``. Does nothing without limits."""
    settings = context.settings
    if not settings.rate_limit_account and not settings.rate_limit_address:
        return
    limiter = RequestLimiter(redis_url(settings), context.clock)
    app.extensions[_LIMITER] = limiter

    @app.before_request
    def count_request() -> None:
        if not _COUNTED.match(request.path) or _TRANSFERS.match(request.path):
            return
        for key, limit in _whose(settings):
            g.hub_rate_limit = limiter.count(key, limit)
            _refuse_more(g.hub_rate_limit)

    @app.after_request
    def tell_standing(response: Response) -> Response:
        standing: Standing | None = g.get("hub_rate_limit")
        if standing is not None:
            response.headers.extend(headers_of(standing))
        return response


def count_transfer(context: Context, user_id: int | None) -> None:
    """Count a request that belongs to a transfer: for the account, or for the address of who has none.

    Its client is told nothing of where it stands. Raises RateLimited.
    """
    limiter: RequestLimiter | None = current_app.extensions.get(_LIMITER)
    settings = context.settings
    limit = (settings.rate_limit_address if user_id is None else settings.rate_limit_account) * TRANSFERS_EACH
    if limiter is None or not limit:
        return
    who = f"address:{_network(client_address())}" if user_id is None else f"user:{user_id}"
    _refuse_more(limiter.count(f"transfer:{who}", limit))


def _refuse_more(standing: Standing) -> None:
    if standing.is_over:
        raise RateLimited(
            f"More than {standing.limit} requests in a minute. Wait {standing.reset_s} s.",
            retry_after_s=standing.reset_s,
        )


def _whose(settings: Settings) -> list[tuple[str, int]]:
    """Whose request it is, each with how many they may make; what a client is told of comes last.

    A token counts by itself, so that one program does not use up what its owner's others need, and for the account,
    so that more tokens are not more requests without end. A bad credential counts for the address that sent it.
    """
    try:
        actor = current_actor()
    except HubError:
        actor = ANONYMOUS
    if actor.limit is not None:
        limit = settings.rate_limit_account
        return [(f"deploy:{actor.token_id}", limit)] if limit else []
    if actor.is_anonymous:
        limit = settings.rate_limit_address
        return [(f"address:{_network(client_address())}", limit)] if limit else []
    limit = settings.rate_limit_account
    if actor.user_id is None or not limit:
        return []  # the operator's own credential
    account = f"user:{actor.user_id}"
    if actor.token_id is None:
        return [(account, limit)]
    return [(account, limit * TOKENS_AT_ONCE), (f"token:{actor.token_id}", limit)]


def _network(address: str) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, all of which one customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def headers_of(standing: Standing) -> dict[str, str]:
    """What tells a client where it stands.

    Sources: IETF draft httpapi-ratelimit-headers, in the version with one header each (and, for huggingface_hub, that
    with one for all); CSGHub contract, section 1.7 (``X-``, whose reset is a Unix time).
    """
    return {
        "RateLimit-Limit": str(standing.limit),
        "RateLimit-Remaining": str(standing.remaining),
        "RateLimit-Reset": str(standing.reset_s),
        "RateLimit-Policy": f'"api";q={standing.limit};w={WINDOW_S}',
        "RateLimit": f'"api";r={standing.remaining};t={standing.reset_s}',
        "X-RateLimit-Limit": str(standing.limit),
        "X-RateLimit-Remaining": str(standing.remaining),
        "X-RateLimit-Reset": str(int(time.time()) + standing.reset_s),
    }
