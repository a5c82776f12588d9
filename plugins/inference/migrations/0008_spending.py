"""Budgets of single models of a key; room that is reserved for a file while its bytes are stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_inference_spending"
down_revision = "0007_inference_engines"
branch_labels = None
depends_on = None

_KEYS, _FILES = "inference_keys", "inference_files"


def upgrade() -> None:
    op.add_column(_KEYS, sa.Column("model_budgets", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    op.add_column(_FILES, sa.Column("is_stored", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    op.drop_column(_FILES, "is_stored")
    op.drop_column(_KEYS, "model_budgets")
