"""LFS contents that are only proposed, and which gated repository a copy comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_proposals"
down_revision = "0009_pull_requests"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "lfs_proposals",
        sa.Column("id", _ID, nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("oid", sa.String(length=64), nullable=False),
        sa.Column("user_id", _ID, nullable=True),
        sa.Column("is_in_pull", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["oid"], ["lfs_objects.oid"], name=op.f("fk_lfs_proposals_oid_lfs_objects")),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_lfs_proposals_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_lfs_proposals_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lfs_proposals")),
        sa.UniqueConstraint("repository_id", "oid", "user_id", name=op.f("uq_lfs_proposals_repository_id_oid_user_id")),
    )
    for column in ("oid", "user_id", "created_at"):
        op.create_index(op.f(f"ix_lfs_proposals_{column}"), "lfs_proposals", [column])
    # No foreign key: SQLite would rebuild the table for it, and a copy stays gated when its source is gone.
    op.add_column("repositories", sa.Column("gate_source_id", _ID, nullable=True))


def downgrade() -> None:
    op.drop_column("repositories", "gate_source_id")
    op.drop_table("lfs_proposals")
