"""Plain copies of contents that are to go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_releases"
down_revision = "0001_xnet"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "xnet_releases",
        sa.Column("oid", sa.String(length=64), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("oid", name=op.f("pk_xnet_releases")),
    )
    with op.batch_alter_table("xnet_releases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_xnet_releases_released_at"), ["released_at"], unique=False)


def downgrade() -> None:
    op.drop_table("xnet_releases")
