"""What scans found in files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_security"
down_revision = "0012_indexing"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "content_scans",
        sa.Column("content", sa.String(length=80), nullable=False),
        sa.Column("treatment", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("is_script", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("imports", sa.JSON(), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("content", "treatment", "version", name=op.f("pk_content_scans")),
    )
    op.create_index(op.f("ix_content_scans_scanned_at"), "content_scans", ["scanned_at"])
    op.create_table(
        "security_reports",
        sa.Column("id", _ID, nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("file_count", _ID, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_security_reports_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_reports")),
    )
    op.create_index(
        op.f("ix_security_reports_repository_id_commit_id_id"),
        "security_reports",
        ["repository_id", "commit_id", "id"],
    )
    op.create_table(
        "security_files",
        sa.Column("report_id", _ID, nullable=False),
        sa.Column("position", _ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", _ID, nullable=False),
        sa.Column("content", sa.String(length=80), nullable=False),
        sa.Column("treatment", sa.String(length=16), nullable=False),
        sa.Column("is_executable", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["security_reports.id"],
            name=op.f("fk_security_files_report_id_security_reports"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("report_id", "position", name=op.f("pk_security_files")),
    )
    op.create_index(
        op.f("ix_security_files_report_id_state_position"), "security_files", ["report_id", "state", "position"]
    )


def downgrade() -> None:
    op.drop_table("security_files")
    op.drop_table("security_reports")
    op.drop_table("content_scans")
