"""Repositories whose content is given on request."""

from __future__ import annotations

revision = "0008_gates"
down_revision = "0007_content_sources"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
