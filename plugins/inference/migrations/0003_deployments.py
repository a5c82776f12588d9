"""Deployments: models of the hub that it serves itself."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003_inference_deployments"
down_revision = "0004_inference_operations"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_TABLE = "inference_deployments"


def _of(type: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=nullable) for name in names]


def _to(column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{_TABLE}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE")


def _unique(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, _TABLE, columns, unique=True, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *_of(_ID, "id", "workload_id", "namespace_id", "repository_id"),
        *_of(sa.String(255), "repo_path"),
        *_of(sa.Integer(), "type"),
        *_of(sa.String(64), "name", "name_key"),
        *_of(sa.String(255), "revision"),
        *_of(sa.String(64), "task", "engine"),
        *_of(_ID, "framework_id", nullable=True),
        *_of(sa.JSON(), "engine_args"),
        *_of(sa.String(1024), "entrypoint"),
        *_of(sa.JSON(), "environment", "variables"),
        *_of(sa.Text(), "sealed_key"),
        *_of(sa.String(255), "upstream_path", "upstream_model"),
        *_of(sa.JSON(), "routes"),
        *_of(sa.Boolean(), "has_tools"),
        *_of(_TIME, "created_at", "updated_at"),
        *_of(_TIME, "deleted_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        _to("workload_id", "workloads"),
        _to("namespace_id", "namespaces"),
        sa.UniqueConstraint("workload_id", name=op.f(f"uq_{_TABLE}_workload_id")),
    )
    _unique(f"uq_{_TABLE}_namespace_id_name_key", ["namespace_id", "name_key"], "deleted_at IS NULL AND type = 1")
    _unique(f"uq_{_TABLE}_repo_path", ["repo_path"], "deleted_at IS NULL AND type = 3")
    op.create_index(op.f(f"ix_{_TABLE}_repository_id_type"), _TABLE, ["repository_id", "type"])


def downgrade() -> None:
    op.drop_table(_TABLE)
