"""Cards and code in the search."""

from __future__ import annotations

revision = "0018_search"
down_revision = "0017_records"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
