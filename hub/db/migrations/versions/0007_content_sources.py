"""Who keeps the bytes of an LFS object."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_content_sources"
down_revision = "0006_labels"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lfs_objects", sa.Column("source", sa.String(length=32), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("lfs_objects") as table:
        table.drop_column("source")
