"""Xorbs, files in chunks, and the chunks that are asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_xnet"
down_revision = None
branch_labels = ("xnet",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "xnet_xorbs",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("raw_bytes", sa.Integer(), nullable=False),
        sa.Column("stored_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chunks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_xnet_xorbs")),
    )
    with op.batch_alter_table("xnet_xorbs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_xnet_xorbs_seen_at"), ["seen_at"], unique=False)

    op.create_table(
        "xnet_files",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("oid", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["oid"], ["lfs_objects.oid"], name=op.f("fk_xnet_files_oid_lfs_objects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_xnet_files")),
        sa.UniqueConstraint("oid", name=op.f("uq_xnet_files_oid")),
    )

    op.create_table(
        "xnet_file_xorbs",
        sa.Column("file_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("xorb_hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_hash"],
            ["xnet_files.hash"],
            name=op.f("fk_xnet_file_xorbs_file_hash_xnet_files"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["xorb_hash"], ["xnet_xorbs.hash"], name=op.f("fk_xnet_file_xorbs_xorb_hash_xnet_xorbs")
        ),
        sa.PrimaryKeyConstraint("file_hash", "xorb_hash", name=op.f("pk_xnet_file_xorbs")),
    )
    with op.batch_alter_table("xnet_file_xorbs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_xnet_file_xorbs_xorb_hash"), ["xorb_hash"], unique=False)

    op.create_table(
        "xnet_chunks",
        sa.Column("chunk_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("xorb_hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["xorb_hash"],
            ["xnet_xorbs.hash"],
            name=op.f("fk_xnet_chunks_xorb_hash_xnet_xorbs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("chunk_hash", "xorb_hash", name=op.f("pk_xnet_chunks")),
    )
    with op.batch_alter_table("xnet_chunks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_xnet_chunks_xorb_hash"), ["xorb_hash"], unique=False)


def downgrade() -> None:
    for table in ("xnet_chunks", "xnet_file_xorbs", "xnet_files", "xnet_xorbs"):
        op.drop_table(table)
