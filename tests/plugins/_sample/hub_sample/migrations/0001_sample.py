"""The table of notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_sample"
down_revision = None
branch_labels = ("sample",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sample_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_sample_notes_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_notes")),
    )
    with op.batch_alter_table("sample_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sample_notes_repository_id"), ["repository_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sample_notes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sample_notes_repository_id"))
    op.drop_table("sample_notes")
