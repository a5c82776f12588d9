"""Tables of data sets, prepared to be looked at."""

from __future__ import annotations

revision = "0016_viewer"
down_revision = "0015_lineage"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
