"""The category of labels that say nothing in particular: the free ``tags`` of cards, which are no tasks.

What cards said before stays where it is until they are read anew, with the next push.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_other_labels"
down_revision = "0010_proposals"
branch_labels = None
depends_on = None

KINDS = ("model", "dataset", "code", "space", "prompt", "skill", "mcpserver")

_CATEGORIES = sa.table(
    "tag_categories",
    *(sa.column(name, sa.String()) for name in ("scope", "name", "show_name")),
    *(sa.column(name, sa.Boolean()) for name in ("is_enabled", "is_automatic")),
)


def upgrade() -> None:
    is_such = _CATEGORIES.c.name == "other"
    # An administrator may have made one.
    there = set(op.get_bind().scalars(sa.select(_CATEGORIES.c.scope).where(is_such)))
    rows = [
        {"scope": kind, "name": "other", "show_name": "Other", "is_enabled": True, "is_automatic": True}
        for kind in KINDS
        if kind not in there
    ]
    if rows:
        op.bulk_insert(_CATEGORIES, rows)


def downgrade() -> None:
    op.execute("DELETE FROM tags WHERE category = 'other'")
    op.execute("DELETE FROM tag_categories WHERE name = 'other'")
