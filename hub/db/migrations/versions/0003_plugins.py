"""Why a plugin's tables could not be migrated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_plugins"
down_revision = "0002_licensing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plugin_faults",
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plugin_faults")),
    )


def downgrade() -> None:
    op.drop_table("plugin_faults")
