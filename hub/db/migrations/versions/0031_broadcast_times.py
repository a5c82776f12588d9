"""From when to when a broadcast is shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031_broadcast_times"
down_revision = "0030_lfs_pushers"
branch_labels = None
depends_on = None

_COLUMNS = ("starts_at", "ends_at")


def upgrade() -> None:
    for column in _COLUMNS:
        op.add_column("broadcasts", sa.Column(column, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in _COLUMNS:
        op.drop_column("broadcasts", column)
