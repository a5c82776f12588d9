"""Tables of data sets, prepared to be looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016_viewer"
down_revision = "0015_lineage"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "viewer_tables",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("num_rows", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("job_uuid", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_viewer_tables")),
    )
    op.create_index(op.f("ix_viewer_tables_last_used_at"), "viewer_tables", ["last_used_at"])
    _add_statistics()


def _add_statistics() -> None:
    op.create_table(
        "viewer_statistics",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("num_rows", sa.BigInteger(), nullable=False),
        sa.Column("measured_rows", sa.BigInteger(), nullable=False),
        sa.Column("column_count", sa.Integer(), nullable=False),
        sa.Column("job_uuid", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_viewer_statistics")),
    )
    op.create_index(op.f("ix_viewer_statistics_last_used_at"), "viewer_statistics", ["last_used_at"])
    op.create_table(
        "viewer_statistics_batches",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("statistics", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["viewer_statistics.key"],
            name=op.f("fk_viewer_statistics_batches_key_viewer_statistics"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", "first", name=op.f("pk_viewer_statistics_batches")),
    )


def downgrade() -> None:
    op.drop_table("viewer_statistics_batches")
    op.drop_table("viewer_statistics")
    op.drop_table("viewer_tables")
