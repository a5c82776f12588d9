"""Whether the gateway lives and can work, for load balancers: below ``/health``. Source: gateway contract, 1.1."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import text

from hub.plugin import Context, get_logger
from hub.plugin.counters import RedisError, connect_redis
from hub.plugin.db import reading

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = get_logger(__name__)

PREFIX = "/health"
_LOOKED_S = 1.0


def create_lively(context: Context) -> WSGIApplication:
    """The application for one process."""
    return _Lively(context)


class _Lively:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._redis = connect_redis(context)
        self._found: tuple[int, dict[str, Any]] = 503, {}
        self._good_until = 0.0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").rstrip("/")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, body = 405, {"status": "not allowed"}
        elif path in (f"{PREFIX}/liveliness", f"{PREFIX}/liveness"):
            status, body = 200, {"status": "alive"}
        elif path == f"{PREFIX}/readiness":
            status, body = self._look()
        else:
            status, body = 404, {"status": "not found"}
        sent = msgspec.json.encode(body)
        reasons = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
        start_response(
            f"{status} {reasons[status]}",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(sent))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [sent]

    def _look(self) -> tuple[int, dict[str, Any]]:
        if time.monotonic() < self._good_until:
            return self._found
        has_database, has_counters = self._ask_database(), self._ask_counters()
        # Without counters calls are answered all the same, but those of keys with a budget.
        status = "ready" if has_database and has_counters else "degraded" if has_database else "not ready"
        words = {True: "ok", False: "away"}
        found = {"status": status, "database": words[has_database], "counters": words[has_counters]}
        self._found, self._good_until = (200 if has_database else 503, found), time.monotonic() + _LOOKED_S
        return self._found

    def _ask_database(self) -> bool:
        try:
            with reading(self._context) as work:
                work.rows(text("SELECT 1"))
        except Exception as error:
            log.warning("database_away", error=type(error).__name__)
            return False
        return True

    def _ask_counters(self) -> bool:
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False
