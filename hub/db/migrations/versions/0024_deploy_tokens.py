"""Tokens that are good for one repository."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024_deploy_tokens"
down_revision = "0023_second_factors"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "deploy_tokens",
        sa.Column("id", _ID, nullable=False),
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_deploy_tokens_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deploy_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_deploy_tokens_token_hash")),
        sa.UniqueConstraint(
            "resource_type", "resource_id", "name", name=op.f("uq_deploy_tokens_resource_type_resource_id_name")
        ),
    )
    op.create_index(op.f("ix_deploy_tokens_user_id"), "deploy_tokens", ["user_id"])


def downgrade() -> None:
    op.drop_table("deploy_tokens")
