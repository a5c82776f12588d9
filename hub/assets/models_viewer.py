"""Tables of data sets that were made Parquet, to be looked at."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model


class TableState(StrEnum):
    """How far a table is: asked for, being made, there, or impossible."""

    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class ViewerTable(Model):
    """A split that is no Parquet, as Parquet in the object store: whatever repository or revision has those files."""

    __tablename__ = "viewer_tables"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[TableState] = mapped_column(default=TableState.PENDING)
    reason: Mapped[str] = mapped_column(Text, default="")
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)  # columns, parts with their keys, what was not read
    num_rows: Mapped[int] = mapped_column(BigInteger, default=0)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)  # in the object store
    job_uuid: Mapped[str] = mapped_column(String(36), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_used_at: Mapped[datetime] = mapped_column(index=True)
