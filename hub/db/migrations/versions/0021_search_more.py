"""Labels beside the repositories that carry them, so that one index finds words and labels together (PostgreSQL).

``repositories.label_ids`` holds the ids of a repository's labels. Triggers on ``repository_tags`` keep it, whoever
writes there. Ids of labels that are gone may stay in it: no other label ever gets them. ``label_bits`` has a bit set
for each, by the id's remainder: small enough for an index, which so tells most of those that lack a label. SQLite does
without both.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021_search_more"
down_revision = "0020_reviews"
branch_labels = None
depends_on = None

_TEXTS, _TRENDING = "ix_repositories_search_text_trigram", "ix_repositories_kind_trending_score_updated_at_id"
_LIVE = "WHERE state = 'ready' AND deleted_at IS NULL"

# As ``assets.search.choices`` asks for them; 62, so that no number is negative.
_BITS = """
CREATE FUNCTION repository_label_bits(ids bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(bit_or(1::bigint << (id % 62)::int), 0) FROM unnest(ids) AS id
$$
"""
_CARRIED = """
CREATE FUNCTION repository_labels_carried(id bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(tag_id ORDER BY tag_id), '{}') FROM repository_tags WHERE repository_id = $1
$$
"""
# Of many rows written at once each repository is changed once. What it has already, as from a backup, is not added
# again; one that is gone itself is not found.
_ADDED = """
CREATE FUNCTION repository_labels_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE repositories
    SET label_ids = label_ids || ARRAY(SELECT unnest(added.ids) EXCEPT SELECT unnest(label_ids) ORDER BY 1)
    FROM (SELECT repository_id, array_agg(tag_id) AS ids FROM new_rows GROUP BY repository_id) AS added
    WHERE repositories.id = added.repository_id;
    RETURN NULL;
END $$
"""
# A label that goes takes its rows along; the many repositories that had a common one are spared that.
_REMOVED = """
CREATE FUNCTION repository_labels_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE repositories SET label_ids = ARRAY(SELECT unnest(label_ids) EXCEPT SELECT unnest(removed.ids) ORDER BY 1)
    FROM (
        SELECT repository_id, array_agg(tag_id) AS ids FROM old_rows
        WHERE EXISTS (SELECT FROM tags WHERE tags.id = old_rows.tag_id) GROUP BY repository_id
    ) AS removed
    WHERE repositories.id = removed.repository_id;
    RETURN NULL;
END $$
"""
_CHANGED = """
CREATE FUNCTION repository_labels_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE repositories SET label_ids = array_remove(label_ids, OLD.tag_id) WHERE id = OLD.repository_id;
    UPDATE repositories SET label_ids = array_remove(label_ids, NEW.tag_id) || NEW.tag_id
    WHERE id = NEW.repository_id;
    RETURN NULL;
END $$
"""
_TRIGGERS = (
    ("added", _ADDED, "AFTER INSERT ON repository_tags REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT"),
    ("removed", _REMOVED, "AFTER DELETE ON repository_tags REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT"),
    (
        "changed",
        _CHANGED,
        "AFTER UPDATE OF tag_id, repository_id ON repository_tags FOR EACH ROW",
    ),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(_BITS)
    op.execute("ALTER TABLE repositories ADD COLUMN label_ids bigint[] NOT NULL DEFAULT '{}'")
    # What is carried from here on is seen by the triggers.
    op.execute("LOCK TABLE repository_tags IN SHARE ROW EXCLUSIVE MODE")
    for name, function, occasion in _TRIGGERS:
        op.execute(function)
        op.execute(f"CREATE TRIGGER repository_labels_{name} {occasion} EXECUTE FUNCTION repository_labels_{name}()")
    op.execute(f"DROP INDEX IF EXISTS {_TEXTS}")
    op.execute(f"DROP INDEX {_TRENDING}")
    # Both columns are filled as the table is written anew: in a third of the time of an update, which would leave each
    # row twice.
    op.execute(_CARRIED)
    op.execute(
        "ALTER TABLE repositories ALTER COLUMN label_ids TYPE bigint[] USING repository_labels_carried(id), ADD COLUMN "
        "label_bits bigint NOT NULL GENERATED ALWAYS AS (repository_label_bits(label_ids)) STORED"
    )
    op.execute("DROP FUNCTION repository_labels_carried(bigint)")
    # A search that is sure to find enough reads the most trending ones by this index alone.
    op.execute(_trending("is_private, namespace_id, name_key, label_bits"))
    _index_texts("search_text gin_trgm_ops, label_ids")


def _trending(included: str) -> str:
    return (
        f"CREATE INDEX {_TRENDING} ON repositories (kind, trending_score, updated_at, id) INCLUDE ({included}) {_LIVE}"
    )


def _index_texts(columns: str) -> None:
    # Where the extension is missing (migration 0004 installs it), there is no such index.
    if op.get_bind().scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")):
        op.execute(f"CREATE INDEX {_TEXTS} ON repositories USING gin ({columns})")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, _, _ in _TRIGGERS:
        op.execute(f"DROP TRIGGER repository_labels_{name} ON repository_tags")
        op.execute(f"DROP FUNCTION repository_labels_{name}()")
    op.execute(f"DROP INDEX IF EXISTS {_TEXTS}")
    op.execute(f"DROP INDEX {_TRENDING}")
    op.execute("ALTER TABLE repositories DROP COLUMN label_bits, DROP COLUMN label_ids")
    op.execute("DROP FUNCTION repository_label_bits(bigint[])")
    op.execute(_trending("is_private, namespace_id"))
    _index_texts("search_text gin_trgm_ops")
