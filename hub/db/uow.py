"""The unit of work: the only place that commits, and what leaves only after a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, Row
from sqlalchemy.orm import Session

from hub.base.context import Context
from hub.base.events import EventBus
from hub.base.log import get_logger
from hub.base.settings import Settings
from hub.db.engine import DATABASE

log = get_logger(__name__)

# Units of work do not nest: on SQLite the inner one would wait for the outer one's lock for ever.
_is_writing: ContextVar[bool] = ContextVar("hub_is_writing", default=False)


class UnitOfWork:
    """One transaction, and the callbacks that wait for its commit. Services take it first."""

    def __init__(self, context: Context, session: Session | None = None) -> None:
        self.context = context
        # A reader that asks for plain rows only needs no session.
        self._session = session
        self._connection: Connection | None = None
        self.is_reading = session is None
        self._callbacks: list[Callable[[], None]] = []

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = self.context[DATABASE].readers(bind=self._connect())
        return self._session

    def rows(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[*tuple[Any, ...]]]:
        """What a statement finds, as plain rows of columns: in less time than objects of the session take."""
        if self.is_reading:
            return self._connect().execute(statement, values).all()
        self.session.flush()
        return self.session.connection().execute(statement, values).all()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self.context[DATABASE].reading_engine.connect()
        return self._connection

    def close(self) -> None:
        """Give back what reading has taken. Closing a session leaves what was read as it is."""
        if self.is_reading and self._session is not None:
            self._session.close()
        if self._connection is not None:
            self._connection.close()

    @property
    def settings(self) -> Settings:
        return self.context.settings

    @property
    def events(self) -> EventBus:
        return self.context.events

    def now(self) -> datetime:
        """The context's time, in UTC."""
        return self.context.clock.now()

    def savepoint(self) -> AbstractContextManager[Any]:
        """A part that may fail without taking the rest along. Readers have no transaction that could be taken."""
        return nullcontext() if self.is_reading else self.session.begin_nested()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run the callback once the transaction is committed; never when it is rolled back."""
        self._callbacks.append(callback)

    def run_after_commit(self) -> None:
        """Run the callbacks in order. Each is guarded: the write has already happened."""
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("after_commit_failed", callback=repr(callback))


@contextmanager
def unit_of_work(context: Context) -> Iterator[UnitOfWork]:
    """A writing transaction: committed when the block ends, rolled back when it raises.

    Keep it short and free of waiting (git, storage, network): on SQLite it holds the one write lock.
    Units of work do not nest; pass ``work`` on instead.
    """
    if _is_writing.get():
        raise RuntimeError("a unit of work is already open here; pass it on")
    database = context[DATABASE]
    session = database.sessions()
    work = UnitOfWork(context, session)
    if database.is_sqlite:
        database.write_lock.acquire()
    token = _is_writing.set(True)
    try:
        if database.is_sqlite:
            database.begin_write(session)
        yield work
        session.commit()
        database.moments = {}
    except BaseException:
        session.rollback()
        raise
    finally:
        _is_writing.reset(token)
        session.close()
        if database.is_sqlite:
            database.write_lock.release()
    work.run_after_commit()


@contextmanager
def reading(context: Context) -> Iterator[UnitOfWork]:
    """A session for reading only: nothing is written back, no lock is taken, each statement sees what is committed."""
    work = UnitOfWork(context)
    try:
        yield work
    finally:
        work.close()
