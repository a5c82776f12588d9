"""Versions of skills, tools of MCP servers, prompts."""

from __future__ import annotations

revision = "0017_records"
down_revision = "0016_viewer"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
