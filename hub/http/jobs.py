"""The room's periodic work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, delete

from hub.base.context import Context
from hub.db.uow import unit_of_work
from hub.http.models import IdempotencyKey
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register

# A client that repeats a request does so within minutes.
KEPT_FOR = timedelta(hours=24)


def install(context: Context) -> None:
    """Register the room's jobs and their schedules; done once, by ``build_context``."""
    register(context, JobSpec("http.prune_idempotency_keys", "hub.http.jobs:prune_idempotency_keys"))
    register_schedule(context, Schedule("http.prune_idempotency_keys", "25 * * * *", "http.prune_idempotency_keys"))


def prune_idempotency_keys(run: JobRun) -> None:
    """Forget the answers that are kept for clients that repeat a request."""
    with unit_of_work(run.context) as work:
        oldest = work.now() - KEPT_FOR
        old = delete(IdempotencyKey).where(IdempotencyKey.created_at < oldest)
        result: CursorResult[Any] = work.session.execute(old)  # type: ignore[assignment]
    run.log(f"Forgot {result.rowcount} answers.")
