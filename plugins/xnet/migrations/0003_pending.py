"""Xorbs that were sent and that no file has paid for yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_pending"
down_revision = "0002_releases"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "xnet_pending",
        sa.Column("xorb_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("unpaid_bytes", _ROW_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["xorb_hash"], ["xnet_xorbs.hash"], name=op.f("fk_xnet_pending_xorb_hash_xnet_xorbs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_xnet_pending_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("xorb_hash", "user_id", name=op.f("pk_xnet_pending")),
    )
    with op.batch_alter_table("xnet_pending", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_xnet_pending_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_xnet_pending_created_at"), ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("xnet_pending")
