"""Pull requests, and what happens in discussions."""

from __future__ import annotations

revision = "0009_pull_requests"
down_revision = "0008_gates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
