"""How the instances of a deployment fare over time: what they use, and the calls that they answered.

Source: compute contract, 13.3.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from hub.plugin import Actor, Context
from hub.plugin.compute import WORKLOAD_LOGS, find_history
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import NotFound
from hub.plugin.policy import require_site_admin
from plugins.inference.deployments.models import SERVERLESS
from plugins.inference.deployments.service import Found, get_deployment
from plugins.inference.deployments.shares import Version, versions_of
from plugins.inference.gateway.deployed import model_name, upstream_id_of
from plugins.inference.models import Call

# In which steps, and how long back. Source: section 13.3; pages' contract, R2.
STEPS = {
    "30m": timedelta(minutes=1),
    "1h": timedelta(minutes=1),
    "3h": timedelta(minutes=5),
    "6h": timedelta(minutes=5),
    "12h": timedelta(minutes=5),
    "1d": timedelta(minutes=10),
    "3d": timedelta(minutes=30),
    "1w": timedelta(hours=1),
}
SPANS = {
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "3h": timedelta(hours=3),
    "6h": timedelta(hours=6),
    "12h": timedelta(hours=12),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "1w": timedelta(days=7),
}
# The buckets of latencies, in milliseconds; the last one is everything.
BUCKETS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)
# Of calls the newest are divided into steps; the number of all is exact.
MAX_CALLS = 10_000


@dataclass(frozen=True)
class Point:
    """A value at a moment: of the step that began then."""

    at: datetime
    value: float


@dataclass(frozen=True)
class Watched:
    """One instance of a deployment, over a time: what it used, by the step.

    upstream_id: by which the gateway's account of calls knows it; None: it answers nowhere of its own.
    """

    found: Found
    instance: str
    since: datetime
    now: datetime
    step: timedelta
    upstream_id: int | None
    cpu: tuple[Point, ...]
    memory: tuple[Point, ...]


def watch_instance(
    context: Context, *, actor: Actor, deployment_id: int, instance: str, span: str, repo_path: str = "", type: int
) -> Watched:
    """How one instance fared, for those who may read what it prints. span: a word of ``SPANS``.

    Raises NotFound (``deployment_not_found``, ``instance_not_found``), NotSignedIn, Denied.
    """
    with reading(context) as work:
        if type == SERVERLESS:
            require_site_admin(work, actor)
        found = get_deployment(
            work,
            actor=actor,
            deployment_id=deployment_id,
            permission=WORKLOAD_LOGS,
            repo_path=repo_path,
            type=type,
        )
        name = instance.rpartition("-")[0]
        versions = [one for one in versions_of(work, found.deployment) if one.workload.svc_name == name]
    watched = [watch(context, found, version, instance, span) for version in versions]
    if not watched or watched[0] is None:
        raise NotFound("The deployment has no such instance.", code="instance_not_found")
    return watched[0]


def watch(context: Context, found: Found, version: Version, instance: str, span: str) -> Watched | None:
    """How an instance of a version fared, for who was allowed to see it; None: it is not there, or nobody can say.

    Processor is the part of what the resource gives, where it gives a number, else of a core; memory is in GiB.
    """
    now = context.clock.now()
    since, step = now - SPANS[span], STEPS[span]
    history = find_history(context, version.workload, instance=instance, since=since)
    if history is None:
        return None
    cores = version.workload.spec["resources"]["cpu_millis"] or 1000
    url = history.endpoint.rstrip("/") + found.deployment.upstream_path
    return Watched(
        found,
        instance,
        since,
        now,
        step,
        upstream_id_of(url) if history.endpoint else None,
        _averages(((one.at, one.cpu_millis / cores) for one in history.samples), step),
        _averages(((one.at, one.memory_bytes / 1024**3) for one in history.samples), step),
    )


def _averages(values: Iterable[tuple[datetime, float]], step: timedelta) -> tuple[Point, ...]:
    steps: dict[datetime, list[float]] = {}
    for at, value in values:
        steps.setdefault(_begin_of(at, step), []).append(value)
    return tuple(Point(at, sum(found) / len(found)) for at, found in sorted(steps.items()))


def _begin_of(at: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def count_calls(work: UnitOfWork, watched: Watched) -> tuple[int, tuple[Point, ...]]:
    """How many calls an instance answered, and in each step; of those on the account that the deployment is on."""
    if watched.upstream_id is None:
        return 0, ()
    conditions = _calls_of(watched)
    total = work.session.scalar(select(func.count(Call.id)).where(*conditions)) or 0
    query = select(Call.started_at).where(*conditions).order_by(Call.started_at.desc()).limit(MAX_CALLS)
    counts: dict[datetime, int] = {}
    for at in work.session.scalars(query):
        begin = _begin_of(at, watched.step)
        counts[begin] = counts.get(begin, 0) + 1
    return total, tuple(Point(at, count) for at, count in sorted(counts.items()))


def count_latencies(work: UnitOfWork, watched: Watched) -> Sequence[tuple[str, int]]:
    """How many calls of an instance took so long at most, by the bucket in milliseconds: of the newest ones."""
    counts = [0] * (len(BUCKETS) + 1)
    if watched.upstream_id is not None:
        query = select(Call.latency_ms).where(*_calls_of(watched)).order_by(Call.started_at.desc()).limit(MAX_CALLS)
        for latency_ms in work.session.scalars(query):
            counts[bisect_left(BUCKETS, latency_ms)] += 1
    found, done = [], 0
    for number, count in enumerate(counts):
        done += count
        found.append((str(BUCKETS[number]) if number < len(BUCKETS) else "+Inf", done))
    return found


def _calls_of(watched: Watched) -> tuple[ColumnElement[bool], ...]:
    return (
        Call.owner_uuid == watched.found.workload.namespace.uuid,
        Call.started_at >= watched.since,
        Call.model == model_name(watched.found.deployment),
        Call.upstream_id == watched.upstream_id,
    )
