"""The processes that run jobs, as Redis knows them: which are at work, which have gone silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import redis

from hub.base.context import Context
from hub.jobs.queue import REDIS

# RQ's set of the workers that it knows. Source: rq.worker_registration.
_WORKERS_KEY = "rq:workers"
_PREFIX = "rq:worker:"
# RQ's worker tells of itself at the end of each wait, which takes less than its time to live (``jobs.worker``).
_SILENT_AFTER = timedelta(seconds=120)
_MAX_WORKERS = 200


class WorkerState(StrEnum):
    """``lost``: its process ended without saying so. ``silent``: it has not been heard of for two minutes."""

    IDLE = "idle"
    BUSY = "busy"
    SILENT = "silent"
    LOST = "lost"


@dataclass(frozen=True)
class WorkerStanding:
    """One worker. job: the uuid of what it runs; "" when idle. started_at, heard_at: None where Redis has forgotten."""

    name: str
    state: WorkerState
    host: str = ""
    pid: str = ""
    queues: tuple[str, ...] = ()
    job: str = ""
    succeeded: int = 0
    failed: int = 0
    started_at: datetime | None = None
    heard_at: datetime | None = None


def list_workers(context: Context) -> list[WorkerStanding] | None:
    """Every worker that Redis knows, by host; None when Redis cannot be asked."""
    client, now = context[REDIS], context.clock.now()
    try:
        keys = sorted(_text(key) for key in client.smembers(_WORKERS_KEY))[:_MAX_WORKERS]
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        found = pipeline.execute() if keys else []
    except (redis.RedisError, OSError):
        return None
    rows = [
        _standing(key.removeprefix(_PREFIX), {_text(name): _text(value) for name, value in row.items()}, now)
        for key, row in zip(keys, found, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.host, row.name))


def _standing(name: str, row: dict[str, str], now: datetime) -> WorkerStanding:
    heard_at = _moment(row.get("last_heartbeat", ""))
    # The id of a delivery is the job's uuid and the number of its attempt.
    job = row.get("current_job", "").rpartition("-")[0]
    if not row or row.get("death"):
        state = WorkerState.LOST
    elif heard_at is None or now - heard_at > _SILENT_AFTER:
        state = WorkerState.SILENT
    else:
        state = WorkerState.BUSY if job else WorkerState.IDLE
    return WorkerStanding(
        name,
        state,
        row.get("hostname", ""),
        row.get("pid", ""),
        tuple(part for part in row.get("queues", "").split(",") if part),
        job,
        _number(row.get("successful_job_count", "")),
        _number(row.get("failed_job_count", "")),
        _moment(row.get("birth", "")),
        heard_at,
    )


def _text(raw: bytes | str) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
