"""What is read from the files of each revision: its steps, a model's metadata, faults of cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_indexing"
down_revision = "0011_other_labels"
branch_labels = None
depends_on = None


_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "index_steps",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("done_commit_id", sa.String(length=64), nullable=True),
        sa.Column("done_version", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_index_steps_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", "name", name=op.f("pk_index_steps")),
    )
    op.create_table(
        "repository_cards",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("problem_count", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_repository_cards_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_repository_cards")),
    )
    op.create_table(
        "model_metadata",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.BigInteger(), nullable=True),
        sa.Column("tensor_type", sa.String(length=32), nullable=False),
        sa.Column("architecture", sa.String(length=128), nullable=False),
        sa.Column("model_type", sa.String(length=64), nullable=False),
        sa.Column("class_name", sa.String(length=128), nullable=False),
        sa.Column("context_length", sa.BigInteger(), nullable=True),
        sa.Column("tokenizer_class", sa.String(length=128), nullable=False),
        sa.Column("vocabulary_size", sa.BigInteger(), nullable=True),
        sa.Column("quantization_method", sa.String(length=32), nullable=False),
        sa.Column("weight_bytes", sa.BigInteger(), nullable=True),
        sa.Column("run_bytes", sa.BigInteger(), nullable=True),
        sa.Column("finetune_bytes", sa.BigInteger(), nullable=True),
        sa.Column("quantizations", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("brief", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_model_metadata_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_model_metadata")),
    )
    op.create_index(
        op.f("ix_model_metadata_parameters_repository_id"), "model_metadata", ["parameters", "repository_id"]
    )


def downgrade() -> None:
    op.drop_table("model_metadata")
    op.drop_table("repository_cards")
    op.drop_table("index_steps")
