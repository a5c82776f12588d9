"""Reviews, reactions, labels and people of discussions."""

from __future__ import annotations

revision = "0020_reviews"
down_revision = "0019_merging"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
