"""Relations with a type and a pinned commit, relations to what is elsewhere, and runs."""

from __future__ import annotations

revision = "0015_lineage"
down_revision = "0014_activities"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
