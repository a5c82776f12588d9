"""What was used: events, the intervals they come from, sums by the day, and how far readers have come."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.db.base import UTCDateTime

revision = "0025_usage"
down_revision = "0024_deploy_tokens"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SUMS = (
    *("events", "quantity", "prompt_tokens", "cached_tokens", "cache_creation_tokens", "completion_tokens"),
    *("cpu_millis_seconds", "memory_mib_seconds", "gpu_millis_seconds"),
)


def _of(type: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=False) for name in names]


def _maybe(type: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=True) for name in names]


def _account() -> list[sa.Column[Any]]:
    return [
        *_of(sa.String(36), "owner_uuid"),
        *_of(sa.Integer(), "scene"),
        *_of(sa.String(255), "resource_id", "resource_name", "customer_id"),
    ]


def _power() -> list[sa.Column[Any]]:
    return [*_of(sa.BigInteger(), "cpu_millis", "memory_mib", "gpu_millis"), *_of(sa.String(255), "gpu_model")]


def _keyed(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _partial(name: str, table: str, column: str, where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, [column], unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.create_table(
        "usage_events",
        *_of(_ID, "id"),
        *_of(sa.String(36), "uuid"),
        *_maybe(_ID, "position"),
        *_of(sa.String(16), "unit"),
        *_of(sa.BigInteger(), "quantity"),
        *_account(),
        *_maybe(_ID, "user_id", "token_id"),
        *_of(sa.BigInteger(), "prompt_tokens", "cached_tokens", "cache_creation_tokens", "completion_tokens"),
        *_power(),
        *_of(sa.JSON(), "details"),
        *_of(UTCDateTime(), "occurred_at", "recorded_at"),
        _keyed("usage_events", "id"),
        sa.UniqueConstraint("uuid", name=op.f("uq_usage_events_uuid")),
    )
    op.create_index(
        op.f("ix_usage_events_owner_uuid_occurred_at_id"), "usage_events", ["owner_uuid", "occurred_at", "id"]
    )
    op.create_index(op.f("ix_usage_events_occurred_at"), "usage_events", ["occurred_at"])
    op.create_index("uq_usage_events_position", "usage_events", ["position"], unique=True)
    _partial("ix_usage_events_unnumbered", "usage_events", "id", "position IS NULL")
    op.create_table(
        "usage_intervals",
        *_of(_ID, "id"),
        *_of(sa.String(36), "uuid"),
        *_account(),
        *_maybe(_ID, "user_id"),
        *_of(sa.Integer(), "replicas"),
        *_power(),
        *_of(sa.JSON(), "details"),
        *_of(UTCDateTime(), "started_at"),
        *_maybe(UTCDateTime(), "ended_at"),
        *_of(UTCDateTime(), "told_until"),
        *_of(sa.Boolean(), "is_told"),
        _keyed("usage_intervals", "id"),
        sa.UniqueConstraint("uuid", name=op.f("uq_usage_intervals_uuid")),
    )
    _partial("uq_usage_intervals_open", "usage_intervals", "customer_id", "ended_at IS NULL", unique=True)
    _partial("ix_usage_intervals_untold", "usage_intervals", "id", "is_told IS false")
    op.create_table(
        "usage_days",
        *_of(_ID, "id"),
        *_of(sa.Date(), "day"),
        *_of(sa.String(16), "unit"),
        *_account(),
        *_of(_ID, "token_key", "user_key"),
        *_of(sa.String(255), "gpu_model"),
        *_of(sa.BigInteger(), *_SUMS),
        _keyed("usage_days", "id"),
    )
    key = ["owner_uuid", "day", "scene", "unit", "resource_id", "customer_id", "token_key", "user_key", "gpu_model"]
    op.create_index("uq_usage_days_key", "usage_days", key, unique=True)
    op.create_index(op.f("ix_usage_days_day"), "usage_days", ["day"])
    op.create_table(
        "usage_readers", *_of(sa.String(64), "name"), *_of(_ID, "position"), _keyed("usage_readers", "name")
    )


def downgrade() -> None:
    for table in ("usage_readers", "usage_days", "usage_intervals", "usage_events"):
        op.drop_table(table)
