"""Tables of jobs. A job exists once its row is committed; Redis only carries its id."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model, RowId, new_uuid


class JobState(StrEnum):
    """Where a job is. ``queued`` and ``running`` are live; the others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Job(Model):
    """One piece of background work."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "state", "run_after"),
        Index("ix_jobs_subject", "subject_type", "subject_id"),
        # At most one queued job of a unique key: asking twice is asking once.
        Index(
            "uq_jobs_unique_key_queued",
            "unique_key",
            unique=True,
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    name: Mapped[str] = mapped_column(String(64), index=True)
    queue: Mapped[str] = mapped_column(String(32))
    args: Mapped[dict[str, Any]]
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    unique_key: Mapped[str | None] = mapped_column(String(128))
    subject_type: Mapped[str] = mapped_column(String(32), default="")  # "repository", ...: whose page shows it
    subject_id: Mapped[int | None] = mapped_column(RowId)
    actor_id: Mapped[int | None] = mapped_column(RowId)  # the user who asked; None: the hub itself
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    timeout_s: Mapped[int] = mapped_column(default=300)
    run_after: Mapped[datetime]
    progress_done: Mapped[int] = mapped_column(RowId, default=0)
    progress_total: Mapped[int | None] = mapped_column(RowId)  # None: not known
    progress_unit: Mapped[str] = mapped_column(String(16), default="")
    log: Mapped[str] = mapped_column(Text, default="")  # the last 64 KiB
    error: Mapped[str] = mapped_column(Text, default="")
    is_cancel_requested: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class SchedulePause(Model):
    """That a periodic job is not asked for until somebody says so. paused_by_id: the user who paused it."""

    __tablename__ = "schedule_pauses"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    paused_at: Mapped[datetime]
    paused_by_id: Mapped[int | None] = mapped_column(RowId)


class ScheduleRun(Model):
    """When a periodic job last ran, so that a new scheduler neither repeats nor forgets it."""

    __tablename__ = "schedule_runs"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_run_at: Mapped[datetime]
