"""Versions of skills, tools of MCP servers, prompts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017_records"
down_revision = "0016_viewer"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = ("prompts", "prompt_words", "prompt_likes", "skills", "skill_versions", "server_records", "server_properties")


def upgrade() -> None:
    op.create_table(
        "prompts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("blob_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("excerpt", sa.String(length=500), nullable=False),
        sa.Column("language", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("variable_count", sa.Integer(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("like_count", _ID, nullable=False),
        *_moments("created_at", "updated_at"),
        _of("prompts", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompts")),
        sa.UniqueConstraint("repository_id", "path", name=op.f("uq_prompts_repository_id_path")),
    )
    for column in ("updated_at", "like_count"):
        op.create_index(op.f(f"ix_prompts_{column}"), "prompts", [column])
    op.create_table(
        "prompt_words",
        sa.Column("prompt_id", _ID, nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("word", sa.String(length=100), nullable=False),
        _of("prompt_words", "prompt_id", "prompts"),
        sa.PrimaryKeyConstraint("prompt_id", "form", "word", name=op.f("pk_prompt_words")),
    )
    op.create_index(op.f("ix_prompt_words_form_word"), "prompt_words", ["form", "word"])
    op.create_table(
        "prompt_likes",
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("prompt_id", _ID, nullable=False),
        *_moments("created_at"),
        _of("prompt_likes", "user_id", "users"),
        _of("prompt_likes", "prompt_id", "prompts"),
        sa.PrimaryKeyConstraint("user_id", "prompt_id", name=op.f("pk_prompt_likes")),
    )
    op.create_index(op.f("ix_prompt_likes_prompt_id"), "prompt_likes", ["prompt_id"])
    _create_skills()
    _create_mcp()
    connection = op.get_bind()
    # Substrings are found by their trigrams, where PostgreSQL's extension for that is to be had.
    if connection.dialect.name == "postgresql" and connection.scalar(
        sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
    ):
        for table in ("prompts", "skills", "server_properties"):
            op.execute(f"CREATE INDEX ix_{table}_search_text_trigram ON {table} USING gin (search_text gin_trgm_ops)")


def _create_skills() -> None:
    op.create_table(
        "skills",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("license", sa.String(length=255), nullable=False),
        sa.Column("compatibility", sa.Text(), nullable=False),
        sa.Column("allowed_tools", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("is_valid", sa.Boolean(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        *_moments("updated_at"),
        _of("skills", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_skills")),
    )
    for column in ("category", "updated_at"):
        op.create_index(op.f(f"ix_skills_{column}"), "skills", [column])
    op.create_table(
        "skill_versions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("sort_key", sa.String(length=1024), nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("changelog", sa.Text(), nullable=False),
        sa.Column("license", sa.String(length=100), nullable=False),
        sa.Column("created_by_id", _ID, nullable=True),
        *_moments("created_at"),
        _of("skill_versions", "repository_id", "repositories"),
        _of("skill_versions", "created_by_id", "users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skill_versions")),
        sa.UniqueConstraint("repository_id", "version", name=op.f("uq_skill_versions_repository_id_version")),
    )
    op.create_index(op.f("ix_skill_versions_repository_id_sort_key"), "skill_versions", ["repository_id", "sort_key"])


def _create_mcp() -> None:
    op.create_table(
        "server_records",
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        *(sa.Column(f"{name}_num", sa.Integer(), nullable=False) for name in ("tools", "prompts", "resources")),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("launch", "sources", "problems")),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        *_moments("updated_at"),
        _of("server_records", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_server_records")),
    )
    op.create_table(
        "server_properties",
        sa.Column("id", _ID, nullable=False),
        sa.Column("repository_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("description", "schema", "search_text")),
        *_moments("created_at", "updated_at"),
        _of("server_properties", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_properties")),
        sa.UniqueConstraint("repository_id", "kind", "name", name=op.f("uq_server_properties_repository_id_kind_name")),
    )
    op.create_index(op.f("ix_server_properties_kind_id"), "server_properties", ["kind", "id"])


def _moments(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in names]


def _of(table: str, column: str, target: str, *, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"), ondelete=ondelete
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
