"""Repositories whose content is given on request; what collections and webhooks of other hubs' clients need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_gates"
down_revision = "0007_content_sources"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("repositories", sa.Column("gate", sa.String(length=8), nullable=False, server_default=""))
    op.create_table(
        "gate_requests",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("decided_by_id", _ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_gate_requests_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_gate_requests_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["users.id"], name=op.f("fk_gate_requests_decided_by_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_requests")),
        sa.UniqueConstraint("uuid", name=op.f("uq_gate_requests_uuid")),
        sa.UniqueConstraint("repository_id", "user_id", name=op.f("uq_gate_requests_repository_id_user_id")),
    )
    op.create_index(op.f("ix_gate_requests_repository_id_state_id"), "gate_requests", ["repository_id", "state", "id"])
    op.create_index(op.f("ix_gate_requests_user_id"), "gate_requests", ["user_id"])
    op.add_column("collections", sa.Column("position", _ID, nullable=False, server_default="0"))
    op.add_column("webhooks", sa.Column("dialect", sa.String(length=8), nullable=False, server_default=""))
    op.create_table(
        "webhook_watches",
        sa.Column("id", _ID, nullable=False),
        sa.Column("webhook_id", _ID, nullable=False),
        sa.Column("repository_id", _ID, nullable=True),
        sa.Column("namespace_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_watches_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_webhook_watches_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["namespace_id"],
            ["namespaces.id"],
            name=op.f("fk_webhook_watches_namespace_id_namespaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_watches")),
    )
    for column in ("webhook_id", "repository_id", "namespace_id"):
        op.create_index(op.f(f"ix_webhook_watches_{column}"), "webhook_watches", [column])


def downgrade() -> None:
    # Column by column: SQLite would rebuild a table for anything else, and what refers to its rows would go with them.
    op.drop_table("webhook_watches")
    op.drop_column("webhooks", "dialect")
    op.drop_column("collections", "position")
    op.drop_table("gate_requests")
    op.drop_column("repositories", "gate")
