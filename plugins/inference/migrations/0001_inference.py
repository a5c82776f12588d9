"""Keys, models and the upstreams that serve them, calls."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001_inference"
down_revision = None
branch_labels = ("inference",)
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _of(type: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=nullable) for name in names]


def _text(length: int, *names: str) -> list[sa.Column[Any]]:
    return _of(sa.String(length), *names)


def _keyed(table: str, column: str = "id") -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(column, name=op.f(f"pk_{table}"))


def _to(table: str, column: str, target: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=op.f(f"uq_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, [*columns])


def upgrade() -> None:
    op.create_table(
        "inference_keys",
        *_of(_ID, "id", "namespace_id"),
        *_of(_ID, "created_by_id", nullable=True),
        *_text(64, "name", "token_hash"),
        *_text(16, "hint"),
        *_of(sa.Boolean(), "is_builtin", "is_active"),
        *_of(sa.JSON(), "models"),
        *_of(sa.Integer(), "request_limit", "token_limit", "parallel_limit", nullable=True),
        *_of(sa.JSON(), "budgets"),
        *_of(_TIME, "expires_at", "last_used_at", nullable=True),
        *_of(_TIME, "created_at", "updated_at"),
        _keyed("inference_keys"),
        _to("inference_keys", "namespace_id", "namespaces"),
        _to("inference_keys", "created_by_id", "users", "SET NULL"),
        _unique("inference_keys", "token_hash"),
    )
    op.create_index("uq_inference_keys_namespace_id_name", "inference_keys", ["namespace_id", "name"], unique=True)
    _index("inference_keys", "created_by_id")
    op.create_table(
        "inference_owner_budgets",
        *_of(_ID, "namespace_id"),
        *_of(sa.JSON(), "budgets"),
        *_of(_TIME, "updated_at"),
        _keyed("inference_owner_budgets", "namespace_id"),
        _to("inference_owner_budgets", "namespace_id", "namespaces"),
    )
    op.create_table(
        "inference_models",
        *_of(_ID, "id"),
        *_text(255, "name"),
        *_text(32, "llm_type"),
        *_text(64, "provider", "task"),
        *_of(sa.Boolean(), "is_enabled"),
        *_of(_ID, "namespace_id", nullable=True),
        *_text(255, "repo_path"),
        *_text(32, "strategy"),
        *_text(64, "session_header"),
        *_of(sa.JSON(), "fallbacks"),
        *_of(sa.Integer(), "max_tokens", nullable=True),
        *_of(sa.BigInteger(), "input_nano", "cached_nano", "cache_creation_nano", "output_nano"),
        *_of(_TIME, "created_at", "updated_at"),
        _keyed("inference_models"),
        _to("inference_models", "namespace_id", "namespaces"),
        _unique("inference_models", "name"),
    )
    _index("inference_models", "namespace_id")
    op.create_table(
        "inference_upstreams",
        *_of(_ID, "id", "model_id"),
        *_text(2048, "url"),
        *_text(255, "model_name"),
        *_text(64, "provider"),
        *_of(sa.Integer(), "weight", "tier"),
        *_of(sa.Boolean(), "is_enabled"),
        *_of(sa.Text(), "sealed_headers"),
        _keyed("inference_upstreams"),
        _to("inference_upstreams", "model_id", "inference_models"),
    )
    _index("inference_upstreams", "model_id")
    op.create_table(
        "inference_calls",
        *_of(_ID, "id"),
        *_text(36, "uuid"),
        *_text(128, "request_id"),
        *_of(_ID, "key_id"),
        *_text(36, "owner_uuid"),
        *_of(_ID, "user_id", nullable=True),
        *_text(64, "route"),
        *_text(255, "model"),
        *_of(_ID, "upstream_id", nullable=True),
        *_text(64, "provider"),
        *_of(sa.Boolean(), "is_stream"),
        *_of(sa.Integer(), "status"),
        *_text(64, "error_code"),
        *_text(32, "finish_reason"),
        *_of(sa.BigInteger(), "prompt_tokens", "cached_tokens", "completion_tokens"),
        *_text(16, "usage_source"),
        *_of(sa.BigInteger(), "cost_nano"),
        *_of(sa.Integer(), "attempts"),
        *_of(sa.Integer(), "first_byte_ms", nullable=True),
        *_of(sa.Integer(), "latency_ms", "overhead_ms"),
        *_of(_TIME, "started_at"),
        _keyed("inference_calls"),
        _unique("inference_calls", "uuid"),
    )
    _index("inference_calls", "owner_uuid", "started_at", "id")
    _index("inference_calls", "key_id", "started_at")


def downgrade() -> None:
    for name in ("calls", "upstreams", "models", "owner_budgets", "keys"):
        op.drop_table(f"inference_{name}")
