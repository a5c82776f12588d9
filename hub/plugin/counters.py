"""The seam: Redis, for what may be lost: limits, counters, what processes tell each other. The truth is in tables."""

from __future__ import annotations

from redis import Redis, RedisError

from hub.base.context import Context
from hub.jobs.queue import connect

__all__ = ["Redis", "RedisError", "connect_redis"]


def connect_redis(context: Context) -> Redis:
    """A client of one's own. It connects at the first command; whoever uses it bears with Redis being away."""
    return connect(context.settings)
