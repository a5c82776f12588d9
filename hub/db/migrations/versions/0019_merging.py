"""Where a pull request comes from, how it is merged, and what a protected branch asks of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019_merging"
down_revision = "0018_search"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RULES = ("require_pull", "allow_admins", "dismiss_stale", "require_resolved")


def upgrade() -> None:
    for column in _RULES:
        op.add_column("protected_branches", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(
        "protected_branches", sa.Column("required_approvals", sa.Integer(), nullable=False, server_default="0")
    )
    # No foreign key: SQLite would rebuild the table for it, and whose fork is gone is closed by its departure.
    op.add_column("pull_requests", sa.Column("source_repository_id", _ID, nullable=True))
    op.add_column("pull_requests", sa.Column("source_ref", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("pull_requests", sa.Column("merge_method", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("pull_requests", sa.Column("merge_intent", sa.JSON(), nullable=False, server_default="{}"))
    op.create_index(
        op.f("ix_pull_requests_source_repository_id_source_ref"),
        "pull_requests",
        ["source_repository_id", "source_ref"],
    )
    op.create_table(
        "merge_settings",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("methods", sa.JSON(), nullable=False),
        sa.Column("default_method", sa.String(length=16), nullable=False),
        sa.Column("delete_source", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_merge_settings_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_merge_settings")),
    )


def downgrade() -> None:
    op.drop_table("merge_settings")
    op.drop_index(op.f("ix_pull_requests_source_repository_id_source_ref"), table_name="pull_requests")
    for column in ("merge_intent", "merge_method", "source_ref", "source_repository_id"):
        op.drop_column("pull_requests", column)
    for column in ("required_approvals", *reversed(_RULES)):
        op.drop_column("protected_branches", column)
