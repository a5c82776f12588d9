"""Statistics of data sets' tables, by what the tables are made of: whatever repository or revision has those files."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model


class MeasureState(StrEnum):
    """How far a table's statistics are: asked for, being worked out, there, or impossible."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ViewerStatistics(Model):
    """That a table's columns are measured, and how far that is."""

    __tablename__ = "viewer_statistics"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the table's digest and of how it is measured
    state: Mapped[MeasureState] = mapped_column(default=MeasureState.PENDING)
    reason: Mapped[str] = mapped_column(Text, default="")
    num_rows: Mapped[int] = mapped_column(BigInteger, default=0)
    measured_rows: Mapped[int] = mapped_column(BigInteger, default=0)  # fewer where a sample stands for the table
    column_count: Mapped[int] = mapped_column(default=0)
    job_uuid: Mapped[str] = mapped_column(String(36), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_used_at: Mapped[datetime] = mapped_column(index=True)


class ViewerStatisticsBatch(Model):
    """The statistics of some columns, from the one that is called ``first`` on."""

    __tablename__ = "viewer_statistics_batches"

    key: Mapped[str] = mapped_column(ForeignKey("viewer_statistics.key", ondelete="CASCADE"), primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    statistics: Mapped[list[Any]] = mapped_column(default=list)
