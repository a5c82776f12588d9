"""Upstreams that speak Anthropic's protocol, and how each is asked for responses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_inference_protocols"
down_revision = "0005_inference_files"
branch_labels = None
depends_on = None

_TABLE = "inference_upstreams"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("protocol", sa.String(16), nullable=False, server_default="openai"))
    op.add_column(_TABLE, sa.Column("responses", sa.String(16), nullable=False, server_default="chat_adapter"))


def downgrade() -> None:
    op.drop_column(_TABLE, "responses")
    op.drop_column(_TABLE, "protocol")
