"""Labels, likes, relations and collections; what lists of repositories sort by and search in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_assets"
down_revision = "0003_plugins"
branch_labels = None
depends_on = None

LISTED_BY = (
    ["kind", "updated_at", "id"],
    *(["kind", name, "updated_at", "id"] for name in ("download_count", "like_count", "trending_score")),
)
INDEXES = (
    ["namespace_id", "kind", "updated_at", "id"],
    ["kind", "hf_path"],
    ["kind", "ms_path"],
)
LIVE = sa.text("state = 'ready' AND deleted_at IS NULL")
COLUMNS = (
    *("csg_path", "ms_path", "hf_path", "sync_status", "source"),
    *("details", "search_text", "trending_score", "like_count"),
)


def upgrade() -> None:
    op.create_table(
        "tag_categories",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("show_name", sa.String(length=64), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_categories")),
        sa.UniqueConstraint("scope", "name", name=op.f("uq_tag_categories_scope_name")),
    )

    op.create_table(
        "tags",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("group", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("show_name", sa.String(length=100), nullable=False),
        sa.Column("i18n_key", sa.String(length=100), nullable=False),
        sa.Column("is_builtin", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("scope", "category", "name", name=op.f("uq_tags_scope_category_name")),
    )
    op.create_index(
        "ix_tags_seen_by_all",
        "tags",
        ["scope", "category", "state", "name"],
        sqlite_where=sa.text("state <> 'unseen'"),
        postgresql_where=sa.text("state <> 'unseen'"),
    )

    op.create_table(
        "repository_tags",
        sa.Column("repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_repository_tags_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_repository_tags_tag_id_tags"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", "tag_id", name=op.f("pk_repository_tags")),
    )
    with op.batch_alter_table("repository_tags", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_repository_tags_tag_id_repository_id"), ["tag_id", "repository_id"], unique=False
        )

    op.create_table(
        "likes",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_likes_repository_id_repositories"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_likes_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "repository_id", name=op.f("pk_likes")),
    )
    with op.batch_alter_table("likes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_likes_repository_id"), ["repository_id"], unique=False)

    op.create_table(
        "repository_day_downloads",
        sa.Column("repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_repository_day_downloads_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", "day", name=op.f("pk_repository_day_downloads")),
    )

    op.create_table(
        "repository_relations",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["repositories.id"],
            name=op.f("fk_repository_relations_source_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["repositories.id"],
            name=op.f("fk_repository_relations_target_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("source_id", "target_id", name=op.f("pk_repository_relations")),
    )
    with op.batch_alter_table("repository_relations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_repository_relations_target_id"), ["target_id"], unique=False)

    op.create_table(
        "collections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("namespace_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("nickname", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("theme", sa.String(length=16), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("like_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["users.id"], name=op.f("fk_collections_created_by_id_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_collections_namespace_id_namespaces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
    )
    with op.batch_alter_table("collections", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_collections_is_private_updated_at"), ["is_private", "updated_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_collections_namespace_id"), ["namespace_id"], unique=False)

    op.create_table(
        "collection_items",
        sa.Column("collection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remark", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_collection_items_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_collection_items_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("collection_id", "repository_id", name=op.f("pk_collection_items")),
    )
    with op.batch_alter_table("collection_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_collection_items_repository_id"), ["repository_id"], unique=False)

    op.create_table(
        "collection_likes",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("collection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_collection_likes_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_collection_likes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "collection_id", name=op.f("pk_collection_likes")),
    )
    with op.batch_alter_table("collection_likes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_collection_likes_collection_id"), ["collection_id"], unique=False)

    op.create_table(
        "repository_trends",
        sa.Column("repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("week_began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("downloads_at_week_began", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("downloads_of_last_week", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_repository_trends_repository_id_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_repository_trends")),
    )

    # The release before this one still writes rows without these columns: the database gives them their values.
    op.add_column("users", sa.Column("labels", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("users", sa.Column("signed_out_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("organizations", sa.Column("type", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("organizations", sa.Column("is_verified", sa.Boolean(), nullable=False, server_default=sa.false()))
    for column in (
        sa.Column(
            "like_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
        ),
        sa.Column("trending_score", sa.Double(), nullable=False, server_default="0"),
        sa.Column("search_text", sa.Text(), nullable=False, server_default=""),
        sa.Column("details", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("source", sa.String(length=16), nullable=False, server_default="local"),
        sa.Column("sync_status", sa.String(length=16), nullable=False, server_default=""),
        sa.Column("hf_path", sa.String(length=255), nullable=False, server_default=""),
        sa.Column("ms_path", sa.String(length=255), nullable=False, server_default=""),
        sa.Column("csg_path", sa.String(length=255), nullable=False, server_default=""),
    ):
        op.add_column("repositories", column)
    op.drop_index("ix_repositories_kind_is_private_updated_at", "repositories")
    op.drop_index("ix_repositories_namespace_id", "repositories")
    for columns in INDEXES:
        op.create_index(f"ix_repositories_{'_'.join(columns)}", "repositories", columns)
    for columns in LISTED_BY:
        op.create_index(
            f"ix_repositories_{'_'.join(columns)}",
            "repositories",
            columns,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
            postgresql_include=["is_private", "namespace_id"],
        )
    _fill_search_text()
    if op.get_bind().dialect.name == "postgresql":
        _help_the_planner()


def _fill_search_text() -> None:
    """As ``hub.repos.searching.search_text`` of that time."""
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE repositories SET search_text = lower("
            "(SELECT path FROM namespaces WHERE namespaces.id = repositories.namespace_id)"
            " || '/' || name || '\n' || nickname || '\n' || description)"
        )
    )
    # Databases differ in what they make lower beyond ASCII, and know nothing of pairs.
    rows = connection.execute(sa.text("SELECT id, search_text FROM repositories")).all()
    for id, value in rows:
        if value.isascii():
            continue
        lower = value.lower()
        pairs = dict.fromkeys(
            lower[at : at + 2].strip()
            for at, char in enumerate(lower)
            if not lower[at : at + 2].isascii() and not char.isspace()
        )
        connection.execute(
            sa.text("UPDATE repositories SET search_text = :value WHERE id = :id"),
            {"value": f"{lower}\n {' '.join(pairs)}", "id": id},
        )


def _help_the_planner() -> None:
    connection = op.get_bind()
    # How many repositories carry a label decides how a list of them is read; the rare ones must be known, too.
    op.execute("ALTER TABLE repository_tags ALTER COLUMN tag_id SET STATISTICS 1000")
    # So does how many hold what is searched for, which is tried on a sample of this size.
    op.execute("ALTER TABLE repositories ALTER COLUMN search_text SET STATISTICS 400")
    # Substrings are found by their trigrams, where PostgreSQL's extension for that is to be had.
    if connection.scalar(sa.text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")):
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute(
            "CREATE INDEX ix_repositories_search_text_trigram ON repositories USING gin (search_text gin_trgm_ops)"
        )
        op.execute("CREATE INDEX ix_tags_name_trigram ON tags USING gin (name gin_trgm_ops)")
        op.execute("CREATE INDEX ix_tags_show_name_trigram ON tags USING gin (lower(show_name) gin_trgm_ops)")


def downgrade() -> None:
    for columns in (*INDEXES, *LISTED_BY):
        op.drop_index(f"ix_repositories_{'_'.join(columns)}", "repositories")
    op.create_index("ix_repositories_namespace_id", "repositories", ["namespace_id"])
    op.execute("DROP INDEX IF EXISTS ix_repositories_search_text_trigram")
    op.create_index("ix_repositories_kind_is_private_updated_at", "repositories", ["kind", "is_private", "updated_at"])
    for column in COLUMNS:
        op.drop_column("repositories", column)
    op.drop_column("organizations", "is_verified")
    op.drop_column("organizations", "type")
    op.drop_column("users", "signed_out_at")
    op.drop_column("users", "labels")
    op.drop_table("repository_trends")
    op.drop_table("collection_likes")
    op.drop_table("collection_items")
    op.drop_table("collections")
    op.drop_table("repository_relations")
    op.drop_table("repository_day_downloads")
    op.drop_table("likes")
    op.drop_table("repository_tags")
    op.drop_table("tags")
    op.drop_table("tag_categories")
