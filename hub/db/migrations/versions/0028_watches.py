"""Watched repositories; what notifications are about, and those that are put away."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028_watches"
down_revision = "0027_deleted_branches"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "repository_watches",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_repository_watches_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_repository_watches_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", "user_id", name=op.f("pk_repository_watches")),
    )
    op.create_index(op.f("ix_repository_watches_user_id"), "repository_watches", ["user_id"])
    op.add_column("notifications", sa.Column("event", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("notifications", sa.Column("archived_at", _TIME, nullable=True))
    op.execute("UPDATE notifications SET event = type")


def downgrade() -> None:
    for column in ("archived_at", "event"):
        op.drop_column("notifications", column)
    op.drop_index(op.f("ix_repository_watches_user_id"), table_name="repository_watches")
    op.drop_table("repository_watches")
