"""Who follows what, what happened, and downloads by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_activities"
down_revision = "0013_security"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    *("activities", "download_marks", "file_downloads", "repository_downloads"),
    *("namespace_follows", "collection_follows"),
)
_INDEXES = {
    "activities": (
        ("actor_id", "id"),
        ("actor_id", "day"),
        ("namespace_id", "id"),
        ("subject_type", "subject_id", "id"),
        ("day",),
        ("repository_id",),
    ),
    "download_marks": (("day",),),
    "file_downloads": (("day",),),
    "repository_downloads": (("day", "repository_id"),),
    "namespace_follows": (("namespace_id", "created_at"),),
    "collection_follows": (("collection_id", "created_at"),),
}


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "activities",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("actor_id", _ID, nullable=False),
        sa.Column("namespace_id", _ID, nullable=True),
        sa.Column("repository_id", _ID, nullable=True),
        sa.Column("subject_type", sa.String(length=16), nullable=False),
        sa.Column("subject_id", _ID, nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", _ID, nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        _belongs("activities", "actor_id", "users"),
        _belongs("activities", "namespace_id", "namespaces"),
        _belongs("activities", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
        sa.UniqueConstraint("key", name=op.f("uq_activities_key")),
    )
    op.create_table(
        "download_marks",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_download_marks")),
    )
    op.create_table(
        "file_downloads",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("path_key", sa.String(length=40), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("count", _ID, nullable=False),
        _belongs("file_downloads", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", "day", "path_key", name=op.f("pk_file_downloads")),
    )
    op.create_table(
        "repository_downloads",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("downloads", _ID, nullable=False),
        sa.Column("clients", _ID, nullable=False),
        _belongs("repository_downloads", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", "day", name=op.f("pk_repository_downloads")),
    )
    op.create_table(
        "namespace_follows",
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("namespace_id", _ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _belongs("namespace_follows", "user_id", "users"),
        _belongs("namespace_follows", "namespace_id", "namespaces"),
        sa.PrimaryKeyConstraint("user_id", "namespace_id", name=op.f("pk_namespace_follows")),
    )
    op.create_table(
        "collection_follows",
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _belongs("collection_follows", "user_id", "users"),
        _belongs("collection_follows", "collection_id", "collections"),
        sa.PrimaryKeyConstraint("user_id", "collection_id", name=op.f("pk_collection_follows")),
    )
    for table, indexes in _INDEXES.items():
        for columns in indexes:
            op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
