"""Branches that were deleted and can be brought back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027_deleted_branches"
down_revision = "0026_workloads"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "deleted_branches",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("commit_id", sa.String(length=40), nullable=False),
        sa.Column("kept_ref", sa.String(length=100), nullable=False),
        sa.Column("deleted_by_id", _ID, nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_deleted_branches_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["deleted_by_id"],
            ["users.id"],
            name=op.f("fk_deleted_branches_deleted_by_id_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_branches")),
        sa.UniqueConstraint("kept_ref", name=op.f("uq_deleted_branches_kept_ref")),
        sa.UniqueConstraint("uuid", name=op.f("uq_deleted_branches_uuid")),
    )
    op.create_index("ix_deleted_branches_repository_id_id", "deleted_branches", ["repository_id", "id"])
    op.create_index("ix_deleted_branches_deleted_at", "deleted_branches", ["deleted_at"])


def downgrade() -> None:
    op.drop_table("deleted_branches")
