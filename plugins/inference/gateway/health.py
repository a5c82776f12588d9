"""How upstreams are: those that want it are asked every minute for their models. Source: gateway contract, 1.3."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
from sqlalchemy import select

from hub.plugin import Context, get_logger
from hub.plugin.counters import connect_redis
from hub.plugin.db import reading
from hub.plugin.errors import Invalid
from hub.plugin.jobs import JobRun
from hub.plugin.outgoing import NoAnswer, Patience, get_channels
from plugins.inference.alerts import tell_of_upstream
from plugins.inference.catalogue import open_headers
from plugins.inference.gateway.circuits import HEALTH, Health, read_health
from plugins.inference.gateway.routing import endpoint_of
from plugins.inference.models import ServedModel, Upstream

log = get_logger(__name__)

TIMEOUT_S = 15.0
UNHEALTHY_AFTER, DEGRADED_MS = 3, 10_000
_AT_ONCE = 8
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class _Asked:
    id: int
    url: str
    headers: Mapping[str, str]


def check_upstreams(run: JobRun) -> None:
    """Ask each of them once, and write down how it is for all processes."""
    context = run.context
    before = read_health(context)
    upstreams = _list_upstreams(context)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(pool.map(lambda one: (one.id, _check(context, one, before.get(one.id))), upstreams))
    for id, health in found.items():
        was = before[id].state if id in before else ""
        if health.state != was:
            log.info("upstream_health", upstream_id=id, state=health.state, was=was, reason=health.reason)
    redis = connect_redis(context)
    try:
        with redis.pipeline() as pipe:
            if gone := [str(id) for id in before if id not in found]:
                pipe.hdel(HEALTH, *gone)
            if found:
                pipe.hset(HEALTH, mapping={str(id): msgspec.json.encode(health) for id, health in found.items()})
            pipe.execute()
    finally:
        redis.close()
    run.log(f"Asked {len(found)} upstreams; {sum(one.state == 'unhealthy' for one in found.values())} are unhealthy.")


def _list_upstreams(context: Context) -> list[_Asked]:
    with reading(context) as work:
        query = (
            select(Upstream)
            .join(ServedModel, ServedModel.id == Upstream.model_id)
            .where(Upstream.checks_health, Upstream.is_enabled, ServedModel.is_enabled)
        )
        return [_Asked(row.id, row.url, open_headers(context, row)) for row in work.session.scalars(query)]


def _check(context: Context, upstream: _Asked, before: Health | None) -> Health:
    began_s = time.monotonic()
    status, reason = 0, ""
    try:
        with get_channels(context).open(
            "GET",
            endpoint_of(upstream.url, "models"),
            headers=upstream.headers,
            patience=Patience(5.0, TIMEOUT_S, TIMEOUT_S),
        ) as exchange:
            status = exchange.status
            exchange.read(_MAX_BYTES, timeout_s=TIMEOUT_S)
    except NoAnswer as error:
        reason = "it answers too late" if error.is_late else "it does not answer"
    except Invalid:
        reason = "its address may not be asked"
    if status in (401, 403):
        reason = "it does not accept the hub's key"
        tell_of_upstream(context, upstream.id, status)
    elif status >= 500:
        reason = f"it answers with status {status}"
    latency_ms = round((time.monotonic() - began_s) * 1000)
    # Some have no list of models; they have answered all the same.
    failures = (before.failures if before else 0) + 1 if reason else 0
    state = "healthy"
    if failures >= UNHEALTHY_AFTER:
        state = "unhealthy"
    elif failures:
        state = before.state if before and before.state != "unhealthy" else "healthy"
    elif latency_ms > DEGRADED_MS:
        state, reason = "degraded", "it answers slowly"
    return Health(state, failures, latency_ms, reason, time.time())
