"""Pull requests, numbers of discussions, what happens in them, and what people attach."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_pull_requests"
down_revision = "0008_gates"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # With defaults, as SQLite would rebuild the table for anything but adding columns.
    op.add_column("discussions", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("discussions", sa.Column("status", sa.String(length=16), nullable=False, server_default="open"))
    op.add_column("discussions", sa.Column("is_pull_request", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("comments", sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True))
    # In the order in which they were opened.
    op.execute(
        "UPDATE discussions SET number = (SELECT count(*) FROM discussions AS other"
        " WHERE other.repository_id = discussions.repository_id AND other.id <= discussions.id)"
    )
    op.create_index("uq_discussions_repository_id_number", "discussions", ["repository_id", "number"], unique=True)

    op.create_table(
        "discussion_counters",
        sa.Column("repository_id", _ROW_ID, nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_discussion_counters_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_discussion_counters")),
    )
    op.execute(
        "INSERT INTO discussion_counters (repository_id, last_number)"
        " SELECT repository_id, max(number) FROM discussions GROUP BY repository_id"
    )

    op.create_table(
        "discussion_events",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("discussion_id", _ROW_ID, nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=True),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["discussion_id"],
            ["discussions.id"],
            name=op.f("fk_discussion_events_discussion_id_discussions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_discussion_events_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discussion_events")),
    )
    with op.batch_alter_table("discussion_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_discussion_events_discussion_id_id"), ["discussion_id", "id"])
        batch_op.create_index(batch_op.f("ix_discussion_events_user_id"), ["user_id"])

    op.create_table(
        "pull_requests",
        sa.Column("discussion_id", _ROW_ID, nullable=False),
        sa.Column("repository_id", _ROW_ID, nullable=False),
        sa.Column("base_ref", sa.String(length=255), nullable=False),
        sa.Column("opened_commit", sa.String(length=40), nullable=False),
        sa.Column("start_commit", sa.String(length=40), nullable=False),
        sa.Column("base_commit", sa.String(length=40), nullable=True),
        sa.Column("head_commit", sa.String(length=40), nullable=True),
        sa.Column("merge_commit", sa.String(length=40), nullable=True),
        sa.Column("merged_by_id", _ROW_ID, nullable=True),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["discussion_id"],
            ["discussions.id"],
            name=op.f("fk_pull_requests_discussion_id_discussions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_pull_requests_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["merged_by_id"], ["users.id"], name=op.f("fk_pull_requests_merged_by_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("discussion_id", name=op.f("pk_pull_requests")),
    )
    with op.batch_alter_table("pull_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pull_requests_merged_by_id"), ["merged_by_id"])
        batch_op.create_index(batch_op.f("ix_pull_requests_repository_id_base_ref"), ["repository_id", "base_ref"])

    op.create_table(
        "attachments",
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=True),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("size_bytes", _ROW_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_attachments_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_attachments")),
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachments_user_id"), ["user_id"])


def downgrade() -> None:
    op.drop_table("attachments")
    op.drop_table("pull_requests")
    op.drop_table("discussion_events")
    op.drop_table("discussion_counters")
    op.drop_column("comments", "hidden_at")
    op.drop_index("uq_discussions_repository_id_number", table_name="discussions")
    for name in ("is_pull_request", "status", "number"):
        op.drop_column("discussions", name)
