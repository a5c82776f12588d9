"""What is read from the files of each revision: its steps, a model's metadata, faults of cards."""

from __future__ import annotations

revision = "0012_indexing"
down_revision = "0011_other_labels"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
