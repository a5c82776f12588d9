"""Where a pull request comes from, and what a protected branch asks of it."""

from __future__ import annotations

revision = "0019_merging"
down_revision = "0018_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
