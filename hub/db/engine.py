"""The engine for SQLite and PostgreSQL, each with the settings that a forge needs."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Hashable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import Connection, ExceptionContext, make_url
from sqlalchemy.exc import DataError, DisconnectionError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from hub.base.context import Key
from hub.base.errors import Invalid, Unavailable
from hub.base.offload import offload

# How long a writer waits for SQLite's one write lock, which another process may hold.
SQLITE_WRITE_WAIT_S = 30.0
_SQLITE_RETRY_S = 0.01
_BEGIN_WRITE = "BEGIN IMMEDIATE"
# What PostgreSQL gives up because of another transaction: serialization_failure and deadlock_detected.
_CONFLICTS = ("40001", "40P01")
_RETRY_AFTER_S = 1
# An option of a statement whose best plan depends on the values in it. The driver prepares what it sends often, and a
# plan for any values would read the list of a rare label as that of a common one, a hundred times slower.
PLANNED_EACH_TIME = "hub_planned_each_time"
# A connection that lay unused for longer is asked whether it still works before it is handed out.
_TRUSTED_S = 1.0


class Database:
    """The engine, its sessions, and the rule of who may write when.

    SQLite has one writer at a time. Inside a process, writers queue on a lock that greenlets can wait for; between
    processes they retry ``BEGIN IMMEDIATE`` with pauses that let the event loop run. (SQLite's own busy time-out
    would stop the whole loop, the holder of the lock with it.)
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.write_lock = threading.Lock()
        self.estimates: dict[Hashable, tuple[int, float]] = {}  # of ``totals``
        self.moments: dict[Hashable, tuple[datetime, Any]] = {}  # of ``moments``, until this process writes
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = self._create_engine()
        event.listen(self.engine, "handle_error", _translate_error)
        # Rows are read after the unit of work has ended (schemas dump them), so they must not expire on commit.
        self.sessions = sessionmaker(self.engine, expire_on_commit=False, class_=Session)
        # Each statement of a reader sees what is committed when it starts, in a transaction or not; without one,
        # PostgreSQL is spared two messages. On SQLite nobody but a unit of work begins any.
        autocommit = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self.reading_engine = self.engine.execution_options(**autocommit)
        self.readers = sessionmaker(autoflush=False, expire_on_commit=False, class_=Session)

    def _create_engine(self) -> Engine:
        if not self.is_sqlite:
            engine = create_engine(
                self.url, pool_size=20, max_overflow=20, pool_recycle=1800, json_deserializer=_load_json
            )
            event.listen(engine, "connect", _prepare_postgresql_connection)
            event.listen(engine, "checkin", _note_use)
            event.listen(engine, "checkout", _check_unused)
            event.listen(engine, "do_execute", _execute_unprepared)
            return engine
        engine = create_engine(
            self.url,
            pool_size=20,
            max_overflow=20,
            connect_args={"timeout": 0.05, "check_same_thread": False, "factory": _SQLiteConnection},
        )
        event.listen(engine, "connect", _prepare_sqlite_connection)
        return engine

    def begin_write(self, session: Session) -> None:
        """Take SQLite's write lock for this session's transaction. Raises Unavailable after 30 s of waiting."""
        deadline = time.monotonic() + SQLITE_WRITE_WAIT_S
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        while True:
            try:
                # SQLite's own short wait is in a native thread, too.
                offload(connection.execute, _BEGIN_WRITE)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    session.rollback()
                    raise _busy() from error
                time.sleep(_SQLITE_RETRY_S)

    def check(self) -> None:
        """One round trip. Raises Unavailable when the database does not answer."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except Exception as error:
            raise Unavailable("The database does not answer.") from error

    def describe(self) -> tuple[str, str]:
        """What it is and its version: ("PostgreSQL", "16.4")."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                return "SQLite", str(connection.scalar(text("SELECT sqlite_version()")))
            return "PostgreSQL", str(connection.scalar(text("SHOW server_version")))

    def dispose(self) -> None:
        """Close every pooled connection; needed after a fork and at the end."""
        self.engine.dispose()


def _load_json(data: str | bytes) -> Any:
    # Most of what is kept as JSON is nothing, and lists read it by the row.
    return {} if data == b"{}" else json.loads(data)


def _prepare_postgresql_connection(connection: Any, _record: Any) -> None:
    # Our statements take milliseconds: to compile one, or to start processes that share it, takes longer than that,
    # and a busy server has other requests for those processors.
    was_autocommit, connection.autocommit = connection.autocommit, True
    connection.execute("SET jit = off")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.autocommit = was_autocommit


def _execute_unprepared(cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
    if not context.execution_options.get(PLANNED_EACH_TIME):
        return None
    cursor.execute(statement, parameters, prepare=False)
    return True


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _check_unused(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    # As SQLAlchemy's "pre-ping", but not for a connection that has just served: a question costs as much as a query.
    if time.monotonic() - record.info.get("used", 0.0) < _TRUSTED_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise DisconnectionError("the connection was lost") from error


class _SQLiteConnection(sqlite3.Connection):
    """Its commits wait for the disk in a native thread where there are greenlets: the others go on meanwhile."""

    def commit(self) -> None:
        if self.in_transaction:
            offload(super().commit)


def _prepare_sqlite_connection(connection: Any, _record: Any) -> None:
    # The driver's own implicit BEGIN is switched off; the unit of work says BEGIN or BEGIN IMMEDIATE itself.
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    # NORMAL may lose the last commits when power fails; FULL keeps "acknowledged" true then, too.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-8192")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    # A new file is switched once and for all; who comes at that moment is told "locked" without any waiting.
    deadline = time.monotonic() + SQLITE_WRITE_WAIT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_SQLITE_RETRY_S)


def _translate_error(context: ExceptionContext) -> None:
    # A NUL (PostgreSQL), half a surrogate pair, a number out of range: what came in is at fault, not the hub.
    is_unfit = isinstance(context.original_exception, (UnicodeEncodeError, OverflowError))
    if is_unfit or isinstance(context.sqlalchemy_exception, DataError):
        raise Invalid("The request holds a character or number that cannot be stored.", code="value_invalid")
    if _lost_to_another(context.original_exception):
        raise _busy()


def _lost_to_another(error: BaseException) -> bool:
    """Whether only the moment was wrong: the same transaction may succeed when it is tried again."""
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error, "sqlstate", None) in _CONFLICTS


def _busy() -> Unavailable:
    return Unavailable("The database is busy; try again.", retry_after_s=_RETRY_AFTER_S)


def advisory_lock(connection: Connection, key: int) -> None:
    """Hold PostgreSQL's advisory lock until the transaction ends; SQLite has its write lock instead."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


DATABASE: Key[Database] = Key("db.database")
