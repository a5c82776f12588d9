"""Tables of usage: events that are only ever added to, intervals that become events, sums by the day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model, RowId

UNNUMBERED = "position IS NULL"
OPEN = "ended_at IS NULL"
UNTOLD = "is_told IS false"


class _Account:
    """On whose account, and for what. No foreign keys: usage outlives accounts, keys and SKUs."""

    owner_uuid: Mapped[str] = mapped_column(String(36))
    scene: Mapped[int]
    resource_id: Mapped[str] = mapped_column(String(255))
    customer_id: Mapped[str] = mapped_column(String(255))


class _Power:
    """As ``usage.Power``."""

    cpu_millis: Mapped[int] = mapped_column(BigInteger)
    memory_mib: Mapped[int] = mapped_column(BigInteger)
    gpu_millis: Mapped[int] = mapped_column(BigInteger)
    gpu_model: Mapped[str] = mapped_column(String(255))


class UsageEvent(_Account, _Power, Model):
    """One ``usage.Usage``. position: its place in the order in which readers are told; None: not yet told."""

    __tablename__ = "usage_events"
    __table_args__ = (
        Index(None, "owner_uuid", "occurred_at", "id"),
        Index(None, "occurred_at"),
        Index("uq_usage_events_position", "position", unique=True),
        Index("ix_usage_events_unnumbered", "id", sqlite_where=text(UNNUMBERED), postgresql_where=text(UNNUMBERED)),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    position: Mapped[int | None] = mapped_column(RowId)
    unit: Mapped[str] = mapped_column(String(16))
    quantity: Mapped[int] = mapped_column(BigInteger)
    resource_name: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int | None] = mapped_column(RowId)
    token_id: Mapped[int | None] = mapped_column(RowId)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_creation_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    details: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class UsageInterval(_Account, _Power, Model):
    """A time in which something ran without a change. One of a customer is open at a time.

    told_until: up to here it has become events. is_told: it has ended, and all of it has.
    """

    __tablename__ = "usage_intervals"
    __table_args__ = (
        Index(
            "uq_usage_intervals_open",
            "customer_id",
            unique=True,
            sqlite_where=text(OPEN),
            postgresql_where=text(OPEN),
        ),
        Index("ix_usage_intervals_untold", "id", sqlite_where=text(UNTOLD), postgresql_where=text(UNTOLD)),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    resource_name: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int | None] = mapped_column(RowId)
    replicas: Mapped[int]
    details: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    told_until: Mapped[datetime]
    is_told: Mapped[bool]


class UsageDay(_Account, Model):
    """The sums of a day, in UTC, of one account, scene, resource, instance, key and unit."""

    __tablename__ = "usage_days"
    __table_args__ = (
        Index(
            "uq_usage_days_key",
            *("owner_uuid", "day", "scene", "unit", "resource_id", "customer_id", "token_key", "user_key", "gpu_model"),
            unique=True,
        ),
        Index(None, "day"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    day: Mapped[date]
    unit: Mapped[str] = mapped_column(String(16))
    # 0: no key, nobody. In a unique rule NULL would equal nothing.
    token_key: Mapped[int] = mapped_column(RowId)
    user_key: Mapped[int] = mapped_column(RowId)
    resource_name: Mapped[str] = mapped_column(String(255))
    gpu_model: Mapped[str] = mapped_column(String(255))
    events: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_creation_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    # Of time only: quantity multiplied by what was held.
    cpu_millis_seconds: Mapped[int] = mapped_column(BigInteger)
    memory_mib_seconds: Mapped[int] = mapped_column(BigInteger)
    gpu_millis_seconds: Mapped[int] = mapped_column(BigInteger)


class UsageReader(Model):
    """How far a reader of usage has come. The reader "" gives the positions."""

    __tablename__ = "usage_readers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int] = mapped_column(RowId)
