"""Databases for tests in little time.

PostgreSQL's serve many tests, one after the other; what a test wrote is taken out again. To copy a migrated database
costs a quarter of a second, to empty one a hundredth. What cannot be emptied (a test that migrated, indexed or
analysed something) is thrown away, and the next test gets a fresh copy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import event

from hub.db.engine import Database
from tests.support.servers import PostgreSQL

# A table that never grew beyond this looks empty to the planner of queries.
_SMALL_BYTES = 10 * 8192

_TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema' ORDER BY 1
"""
_SIZES = f"""
    SELECT c.oid::regclass::text, greatest({_SMALL_BYTES}, pg_relation_size(c.oid)) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1
"""
_SEQUENCES = """
    SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL
    FROM pg_sequences
"""
_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Every change of a schema leaves a newer row in one of these.
_CATALOGUES = (
    *("pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_event_trigger", "pg_extension", "pg_index"),
    *("pg_namespace", "pg_policy", "pg_proc", "pg_rewrite", "pg_statistic", "pg_trigger", "pg_type"),
)


def spare_syncs(database: Database) -> None:
    """Let SQLite not wait for the disk: what a power cut would do to a test's file is nobody's concern."""
    if database.is_sqlite:
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))


class Databases:
    """Copies of a migrated database, lent to one test after the other."""

    def __init__(self, server: PostgreSQL, template: str) -> None:
        self._server = server
        self._template = template
        self._idle: list[_Copy] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The address of a database as migration leaves one, nobody else's for the length of the block."""
        copy = self._idle.pop() if self._idle else _Copy(self._server, self._template)
        yield copy.url
        if copy.clean():
            self._idle.append(copy)
        else:
            copy.drop()

    def close(self) -> None:
        """Let go of all that are not lent."""
        while self._idle:
            self._idle.pop().drop()


class _Copy:
    def __init__(self, server: PostgreSQL, template: str) -> None:
        self._server = server
        self._name = server.create_database(template=template)
        self.url = server.url(self._name)
        self._connection = psycopg.connect(self.url, autocommit=True)
        # No foreign key is looked at, so the order of tables does not matter.
        self._execute("SET session_replication_role = replica")
        tables = [table for (table,) in self._execute(_TABLES)]
        self._filled = [table for table in tables if self._execute(f"SELECT 1 FROM {table} LIMIT 1")]
        for number, table in enumerate(self._filled):
            self._execute(f"CREATE TEMPORARY TABLE kept_{number} AS TABLE {table}")
        self._empty_all = "; ".join(f"DELETE FROM {table}" for table in tables if table not in self._filled)
        self._sequences = set(self._execute(_SEQUENCES))
        self._schema = self._read_schema()
        self._sizes = self._execute(_SIZES)
        self._rows = self._read_rows()

    def clean(self) -> bool:
        """Take out what was written. False: it cannot be, or not cheaply."""
        try:
            while self._execute(_OTHERS):
                time.sleep(0.002)  # they are leaving; PostgreSQL's own wait looks ten times a second
            if self._read_schema() != self._schema or self._execute(_SIZES) != self._sizes:
                return False
            self._execute(self._empty_all)
            if self._read_rows() != self._rows:
                self._restore_rows()
            for name, value, is_used in self._sequences - set(self._execute(_SEQUENCES)):
                self._connection.execute("SELECT setval(%s, %s, %s)", (name, value, is_used))
        except psycopg.OperationalError:
            return False  # the test ended this connection as well
        return True

    def drop(self) -> None:
        """Remove it."""
        self._connection.close()
        self._server.drop_database(self._name)

    def _restore_rows(self) -> None:
        for number, table in enumerate(self._filled):
            kept, now = f"SELECT k::text FROM kept_{number} k", f"SELECT t::text FROM {table} t"
            self._execute(f"DELETE FROM {table} t WHERE t::text NOT IN ({kept})")
            self._execute(f"INSERT INTO {table} SELECT * FROM kept_{number} k WHERE k::text NOT IN ({now})")
        self._rows = self._read_rows()

    def _read_rows(self) -> list[Any]:
        return self._execute(_newest(self._filled))

    def _read_schema(self) -> list[Any]:
        # Analysing an empty table shows nowhere else than there.
        return self._execute(f"{_newest(_CATALOGUES)}, (SELECT sum(reltuples::float8) FROM pg_class)")

    def _execute(self, statement: str) -> list[Any]:
        cursor = self._connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def _newest(tables: Sequence[str]) -> str:
    # Whatever is written has a newer transaction's number, and what is deleted counts no more.
    return "SELECT " + ", ".join(f"(SELECT (count(*), max(xmin::text::bigint))::text FROM {name})" for name in tables)
