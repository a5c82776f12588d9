"""In which time zone the days of an account begin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032_time_zones"
down_revision = "0031_broadcast_times"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("namespaces", sa.Column("time_zone", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("namespaces", "time_zone")
