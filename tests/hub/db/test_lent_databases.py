"""The tests' own PostgreSQL databases: each test gets one as migration leaves it, whatever the last one did."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.databases import Databases

_LOOK = """
    SELECT (SELECT count(*) FROM namespaces), (SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM tags t),
    (SELECT last_value FROM pg_sequences WHERE sequencename = 'namespaces_id_seq'),
    (SELECT last_value FROM pg_sequences WHERE sequencename = 'tags_id_seq'),
    (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_statistic), (SELECT sum(reltuples) FROM pg_class)
"""
_ADD = """
    INSERT INTO namespaces (uuid, path, path_key, kind, created_at)
    VALUES (gen_random_uuid(), 'ada', 'ada', 'USER', now())
"""
_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.mark.parametrize(
    ("statement", "is_kept"),
    [
        (_ADD, True),
        ("UPDATE tags SET name = name || 'x' WHERE id < 5", True),
        ("DELETE FROM tags WHERE id < 5; SELECT nextval('tags_id_seq')", True),
        ("ALTER TABLE tags RENAME COLUMN name TO label", False),
        ("CREATE INDEX new ON tags (id)", False),
        ("ANALYZE tags", False),
        ("ANALYZE namespaces", False),
        (_END_OTHERS, False),
    ],
)
def test_one_is_lent_as_migration_leaves_it(postgresql_databases: Databases, statement: str, is_kept: bool) -> None:
    with postgresql_databases.lend() as url, psycopg.connect(url) as connection:
        before = connection.execute(_LOOK).fetchone()
        connection.execute(statement)

    with postgresql_databases.lend() as next_url, psycopg.connect(next_url) as connection:
        assert (next_url == url) is is_kept
        assert connection.execute(_LOOK).fetchone() == before


def test_two_at_once_are_two(postgresql_databases: Databases) -> None:
    with postgresql_databases.lend() as one, postgresql_databases.lend() as other:
        assert one != other


def test_whoever_is_still_connected_is_sent_away(postgresql_databases: Databases) -> None:
    with postgresql_databases.lend() as url:
        left = psycopg.connect(url)
        left.execute("LOCK TABLE tags")

    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()
