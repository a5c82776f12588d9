"""Who brought a large file to a repository."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030_lfs_pushers"
down_revision = "0029_upkeep"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEY = "fk_lfs_links_pushed_by_id_users"


def upgrade() -> None:
    with op.batch_alter_table("lfs_links") as table:
        table.add_column(sa.Column("pushed_by_id", _ID, nullable=True))
        table.create_foreign_key(op.f(_KEY), "users", ["pushed_by_id"], ["id"], ondelete="SET NULL")


def downgrade() -> None:
    with op.batch_alter_table("lfs_links") as table:
        table.drop_constraint(op.f(_KEY), type_="foreignkey")
        table.drop_column("pushed_by_id")
