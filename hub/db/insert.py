"""Inserting what may already be there, without a failed transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub.db.base import Model

# Of one statement; SQLite takes 32,766 and PostgreSQL 65,535.
_MAX_PARAMETERS = 20_000


def insert_new(session: Session, model: type[Model], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that no unique rule stands against; return how many that were.

    One statement for every few thousand values. Where another transaction is about to insert or delete the same row,
    it waits for its outcome.
    """
    return len(insert_new_keys(session, model, rows))


def insert_new_keys(session: Session, model: type[Model], rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """As ``insert_new``; return the primary keys of the rows that were inserted, each as a row of its columns."""
    if not rows:
        return []
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    key = inspect(model).primary_key
    at_once = max(1, _MAX_PARAMETERS // len(rows[0]))
    inserted: list[Any] = []
    for start in range(0, len(rows), at_once):
        values = [*rows[start : start + at_once]]
        statement = dialect.insert(model).values(values).on_conflict_do_nothing()
        # Counted by what comes back: with keys that the database numbers, drivers do not tell the number of rows.
        inserted += session.execute(statement.returning(*key)).all()
    return inserted
