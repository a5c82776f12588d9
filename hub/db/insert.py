"""Inserting what may already be there, without a failed transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub.db.base import Model


def insert_new(session: Session, model: type[Model], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that no unique rule stands against; return how many that were.

    One statement for every thousand rows. Where another transaction is about to insert or delete the same row,
    it waits for its outcome.
    """
    return len(insert_new_keys(session, model, rows))


def insert_new_keys(session: Session, model: type[Model], rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """As ``insert_new``; return the primary keys of the rows that were inserted, each as a row of its columns."""
    if not rows:
        return []
    statement = _insert_into(model, _is_sqlite(session), is_told=True)
    session.flush()
    # Counted by what comes back: with keys that the database numbers, drivers do not tell the number of rows.
    return [*session.execute(statement, [*rows])]


def insert_missing(session: Session, model: type[Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """As ``insert_new``, for whoever need not know what was new: it takes two thirds of the time."""
    if rows:
        session.flush()
        session.connection().execute(_insert_into(model, _is_sqlite(session), is_told=False), [*rows])


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


@cache
def _insert_into(model: type[Model], is_sqlite: bool, *, is_told: bool) -> Executable:
    # On the table and with the rows beside the statement: it is made and compiled once, whatever their number.
    table = model.__table__
    statement = (sqlite if is_sqlite else postgresql).insert(table).on_conflict_do_nothing()
    told: Executable = statement.returning(*table.primary_key)
    return told if is_told else statement
