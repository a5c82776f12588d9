"""Cards and code in the search; names found by their trigrams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0018_search"
down_revision = "0017_records"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS = sa.Text().with_variant(TSVECTOR(), "postgresql")
# Table and the column that numbers its rows.
_INDEXED = {"search_cards": "repository_id", "search_contents": "id"}
# What is searched by parts of words: (index, table, expression).
_TRIGRAMS = (
    ("ix_repositories_name_key_trigram", "repositories", "name_key"),
    ("ix_namespaces_path_key_trigram", "namespaces", "path_key"),
    ("ix_users_nickname_trigram", "users", "lower(nickname)"),
    ("ix_discussions_title_trigram", "discussions", "lower(title)"),
)


def _repository() -> sa.Column[int]:
    return sa.Column("repository_id", _ID, nullable=False)


def _of_repository(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_repository_id_repositories")
    return sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "search_cards",
        _repository(),
        sa.Column("blob_id", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("words", _WORDS, nullable=False),
        _of_repository("search_cards"),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_search_cards")),
    )
    op.create_table(
        "search_contents",
        sa.Column("id", _ID, nullable=False),
        _repository(),
        sa.Column("blob_id", sa.String(length=64), nullable=False),
        sa.Column("words", _WORDS, nullable=False),
        _of_repository("search_contents"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_contents")),
        sa.UniqueConstraint("repository_id", "blob_id", name=op.f("uq_search_contents_repository_id_blob_id")),
    )
    op.create_table(
        "search_files",
        sa.Column("id", _ID, nullable=False),
        _repository(),
        sa.Column("content_id", _ID, nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"],
            ["search_contents.id"],
            name=op.f("fk_search_files_content_id_search_contents"),
            ondelete="CASCADE",
        ),
        _of_repository("search_files"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_files")),
        sa.UniqueConstraint("repository_id", "path", name=op.f("uq_search_files_repository_id_path")),
    )
    op.create_index(op.f("ix_search_files_content_id"), "search_files", ["content_id"])
    # What it begins with is found by it, too.
    beginning = {"name_key": "text_pattern_ops"}
    op.create_index(op.f("ix_repositories_name_key"), "repositories", ["name_key"], postgresql_ops=beginning)
    if op.get_bind().dialect.name == "postgresql":
        _index_on_postgresql()
    else:
        _index_on_sqlite()


def _index_on_postgresql() -> None:
    for table in _INDEXED:
        op.execute(f"CREATE INDEX ix_{table}_words_fts ON {table} USING gin (words)")
        # Which words are common decides how a search for them is done.
        op.execute(f"ALTER TABLE {table} ALTER COLUMN words SET STATISTICS 400")
    op.execute("ALTER TABLE repositories ALTER COLUMN name_key SET STATISTICS 400")
    # Where the extension is missing (migration 0004 installs it), names are searched without these.
    if op.get_bind().scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")):
        for index, table, expression in _TRIGRAMS:
            op.execute(f"CREATE INDEX {index} ON {table} USING gin ({expression} gin_trgm_ops)")


def _index_on_sqlite() -> None:
    # A library built without FTS5 does without the search in cards and code; `hub doctor` says so.
    if not op.get_bind().scalar(sa.text("SELECT sqlite_compileoption_used('ENABLE_FTS5')")):
        return
    for table, key in _INDEXED.items():
        op.execute(
            f"CREATE VIRTUAL TABLE {table}_fts USING fts5(words, content='{table}', content_rowid='{key}', "
            "tokenize='unicode61 remove_diacritics 0')"
        )
        added = f"INSERT INTO {table}_fts (rowid, words) VALUES (new.{key}, new.words);"  # noqa: S608
        gone = f"INSERT INTO {table}_fts ({table}_fts, rowid, words) VALUES ('delete', old.{key}, old.words);"  # noqa: S608
        op.execute(f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {added} END")
        op.execute(f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} BEGIN {gone} END")
        op.execute(f"CREATE TRIGGER {table}_changed AFTER UPDATE OF words ON {table} BEGIN {gone} {added} END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for index, _, _ in _TRIGRAMS:
            op.execute(f"DROP INDEX IF EXISTS {index}")
    else:
        for table in _INDEXED:
            op.execute(f"DROP TABLE IF EXISTS {table}_fts")
    op.drop_index(op.f("ix_repositories_name_key"), "repositories")
    for table in ("search_files", "search_contents", "search_cards"):
        op.drop_table(table)
