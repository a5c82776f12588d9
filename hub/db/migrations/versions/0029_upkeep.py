"""What looks at repositories find, paused schedules, invitations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029_upkeep"
down_revision = "0028_watches"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _belongs(table: str, column: str, to: str, *, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "repository_reports",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        _belongs("repository_reports", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", "name", name=op.f("pk_repository_reports")),
    )
    op.create_table(
        "lfs_uses",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("oid", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("refs", sa.Integer(), nullable=False),
        sa.Column("used_at", _TIME, nullable=False),
        _belongs("lfs_uses", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", "oid", name=op.f("pk_lfs_uses")),
    )
    op.create_table(
        "schedule_pauses",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("paused_at", _TIME, nullable=False),
        sa.Column("paused_by_id", _ID, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule_pauses")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("note", sa.String(length=255), nullable=False),
        sa.Column("invited_by_id", _ID, nullable=True),
        sa.Column("used_by_id", _ID, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        _belongs("invitations", "invited_by_id", "users", ondelete="SET NULL"),
        _belongs("invitations", "used_by_id", "users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("uuid", name=op.f("uq_invitations_uuid")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_invitations_code_hash")),
    )
    for column in ("invited_by_id", "used_by_id", "expires_at"):
        op.create_index(op.f(f"ix_invitations_{column}"), "invitations", [column])


def downgrade() -> None:
    for table in ("invitations", "schedule_pauses", "lfs_uses", "repository_reports"):
        op.drop_table(table)
