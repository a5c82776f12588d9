"""What scans found in files."""

from __future__ import annotations

revision = "0013_security"
down_revision = "0012_indexing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
