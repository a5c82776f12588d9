"""Workloads, their tasks, and what they can be run on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026_workloads"
down_revision = "0025_usage"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "skus",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("cluster_id", sa.String(length=64), nullable=False),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("scenarios", _ID, nullable=False),
        _moment("deleted_at", nullable=True),
        _moment("created_at"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skus")),
    )
    op.create_index(
        "uq_skus_cluster_id_name",
        "skus",
        ["cluster_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "workloads",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("svc_name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("namespace_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=True),
        sa.Column("repository_id", _ID, nullable=True),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("sealed_secrets", sa.Text(), nullable=False),
        sa.Column("sku_id", _ID, nullable=True),
        sa.Column("sku_name", sa.String(length=128), nullable=False),
        sa.Column("hardware", sa.JSON(), nullable=False),
        sa.Column("driver", sa.String(length=32), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("desired", sa.String(length=16), nullable=False),
        sa.Column("task_number", sa.Integer(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("actual_replicas", sa.Integer(), nullable=False),
        sa.Column("desired_replicas", sa.Integer(), nullable=False),
        sa.Column("has_run", sa.Boolean(), nullable=False),
        sa.Column("cpu_millis", _ID, nullable=False),
        sa.Column("memory_bytes", _ID, nullable=False),
        sa.Column("gpu_count", sa.Integer(), nullable=False),
        _moment("status_at"),
        _moment("started_at", nullable=True),
        _moment("released_at", nullable=True),
        _moment("deleted_at", nullable=True),
        _moment("created_at"),
        _moment("updated_at"),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_workloads_namespace_id_namespaces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_workloads_user_id_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["skus.id"], name=op.f("fk_workloads_sku_id_skus"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workloads")),
        sa.UniqueConstraint("svc_name", name=op.f("uq_workloads_svc_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_workloads_uuid")),
    )
    for columns in (["namespace_id", "id"], ["purpose", "id"], ["user_id"], ["repository_id"], ["sku_id"]):
        op.create_index(op.f("ix_workloads_" + "_".join(columns)), "workloads", columns)
    op.create_index(
        "ix_workloads_kept_true",
        "workloads",
        ["id"],
        sqlite_where=sa.text("desired = 'running' OR released_at IS NULL"),
        postgresql_where=sa.text("desired = 'running' OR released_at IS NULL"),
    )
    op.create_table(
        "workload_tasks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("workload_id", _ID, nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
        sa.ForeignKeyConstraint(
            ["workload_id"],
            ["workloads.id"],
            name=op.f("fk_workload_tasks_workload_id_workloads"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workload_tasks")),
        sa.UniqueConstraint("workload_id", "type", "number", name=op.f("uq_workload_tasks_workload_id_type_number")),
    )


def downgrade() -> None:
    op.drop_table("workload_tasks")
    op.drop_table("workloads")
    op.drop_table("skus")
