"""Lists by name, by size, by the likes of seven days and by age: what they are sorted by, and an index for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0022_orders"
down_revision = "0021_search_more"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_repositories_kind_recent_like_count_updated_at_id": "kind, recent_like_count, updated_at, id",
    "ix_repositories_kind_size_bytes_updated_at_id": "kind, size_bytes, updated_at, id",
    "ix_repositories_kind_name_key_id": "kind, name_key, id",
    "ix_repositories_kind_id": "kind, id",
}
# PostgreSQL writes the table anew once, for the size; SQLite, which can add no column that it would store, adds it up
# where it is asked for, and for its index.
_SIZE = "ADD COLUMN size_bytes {} NOT NULL GENERATED ALWAYS AS (git_size_bytes + lfs_size_bytes)"
_LIKES = "ADD COLUMN recent_like_count {} NOT NULL DEFAULT 0"
_COLUMNS = {
    "sqlite": (f"{_SIZE.format('INTEGER')} VIRTUAL", _LIKES.format("INTEGER")),
    "postgresql": (f"{_SIZE.format('BIGINT')} STORED, {_LIKES.format('BIGINT')}",),
}
_COUNT = sa.text(
    "UPDATE repositories SET recent_like_count = "
    "(SELECT count(*) FROM likes WHERE repository_id = repositories.id AND created_at > :since) "
    "WHERE id IN (SELECT repository_id FROM likes WHERE created_at > :since)"
).bindparams(sa.bindparam("since", type_=sa.DateTime(timezone=True)))


def upgrade() -> None:
    database = op.get_bind().dialect.name
    for columns in _COLUMNS[database]:
        op.execute(f"ALTER TABLE repositories {columns}")
    op.execute(_COUNT.bindparams(since=datetime.now(UTC) - timedelta(days=7)))
    included = " INCLUDE (is_private, namespace_id)" if database == "postgresql" else ""
    for name, columns in _INDEXES.items():
        op.execute(
            f"CREATE INDEX {name} ON repositories ({columns}){included} WHERE state = 'ready' AND deleted_at IS NULL"
        )


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="repositories")
    for column in ("recent_like_count", "size_bytes"):
        op.execute(f"ALTER TABLE repositories DROP COLUMN {column}")
