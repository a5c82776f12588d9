"""Files, batches, videos; prices of what is not counted in tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005_inference_files"
down_revision = "0003_inference_deployments"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _of(type: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=nullable) for name in names]


def _text(length: int, *names: str) -> list[sa.Column[Any]]:
    return _of(sa.String(length), *names)


def _keyed(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_inference_{table}"))


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_inference_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE")


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=op.f(f"uq_inference_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_inference_{table}_{'_'.join(columns)}"), f"inference_{table}", [*columns])


def upgrade() -> None:
    no_prices = sa.Column("unit_prices", sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
    op.add_column("inference_models", no_prices)
    op.create_table(
        "inference_files",
        *_of(_ID, "id"),
        *_text(64, "public_id"),
        *_of(_ID, "namespace_id"),
        *_text(36, "owner_uuid"),
        *_of(_ID, "key_id"),
        *_text(32, "purpose"),
        *_text(255, "filename"),
        *_of(sa.BigInteger(), "size_bytes"),
        *_of(_TIME, "expires_at", nullable=True),
        *_of(_TIME, "created_at"),
        _keyed("files"),
        _to("files", "namespace_id", "namespaces"),
        _unique("files", "public_id"),
    )
    _index("files", "namespace_id", "id")
    _index("files", "expires_at")
    op.create_table(
        "inference_batches",
        *_of(_ID, "id"),
        *_text(36, "uuid"),
        *_of(_ID, "namespace_id"),
        *_text(36, "owner_uuid"),
        *_of(_ID, "key_id"),
        *_text(64, "endpoint"),
        *_text(255, "model"),
        *_text(64, "input_file_id", "output_file_id", "error_file_id"),
        *_text(16, "status", "outcome"),
        *_of(sa.JSON(), "errors", "details"),
        *_of(sa.Integer(), "total", "completed", "failed", "next_line"),
        *_of(sa.BigInteger(), "next_byte"),
        *_text(36, "lease"),
        *_of(_TIME, "leased_until", "created_at"),
        *_of(
            _TIME,
            *("in_progress_at", "finalizing_at", "completed_at", "failed_at"),
            *("expired_at", "cancelling_at", "cancelled_at"),
            nullable=True,
        ),
        *_of(_TIME, "expires_at"),
        _keyed("batches"),
        _to("batches", "namespace_id", "namespaces"),
        _unique("batches", "uuid"),
    )
    _index("batches", "namespace_id", "id")
    _index("batches", "status", "id")
    _index("batches", "input_file_id")
    op.create_table(
        "inference_batch_results",
        *_of(_ID, "id", "batch_id"),
        *_of(sa.Integer(), "line"),
        *_of(sa.Boolean(), "is_failed"),
        *_of(sa.Text(), "body"),
        _keyed("batch_results"),
        _to("batch_results", "batch_id", "inference_batches"),
    )
    name = "uq_inference_batch_results_batch_id_line"
    op.create_index(name, "inference_batch_results", ["batch_id", "line"], unique=True)
    op.create_table(
        "inference_videos",
        *_of(_ID, "id"),
        *_text(64, "public_id"),
        *_of(_ID, "namespace_id"),
        *_text(36, "owner_uuid"),
        *_of(_ID, "key_id"),
        *_of(_ID, "user_id", nullable=True),
        *_text(255, "model"),
        *_of(_ID, "upstream_id"),
        *_text(255, "provider_id"),
        *_text(16, "status"),
        *_of(sa.Integer(), "progress", nullable=True),
        *_text(64, "fail_code"),
        *_of(sa.JSON(), "said"),
        *_of(sa.Integer(), "seconds"),
        *_text(32, "size"),
        *_of(sa.BigInteger(), "cost_nano"),
        *_text(36, "event_uuid"),
        *_of(sa.JSON(), "booking"),
        *_of(_TIME, "published_at", nullable=True),
        *_of(_TIME, "checked_at", "created_at"),
        *_of(_TIME, "finished_at", nullable=True),
        _keyed("videos"),
        _to("videos", "namespace_id", "namespaces"),
        _unique("videos", "public_id"),
        _unique("videos", "event_uuid"),
    )
    _index("videos", "namespace_id", "id")
    _index("videos", "status", "checked_at")


def downgrade() -> None:
    for name in ("videos", "batch_results", "batches", "files"):
        op.drop_table(f"inference_{name}")
    op.drop_column("inference_models", "unit_prices")
