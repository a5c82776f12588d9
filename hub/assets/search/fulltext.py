"""Conditions that a card or a file's content holds words, as each database asks its index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, cast, column, literal, literal_column, select, table, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute

from hub.assets.models_search import SearchCard, SearchContent
from hub.assets.search.words import Row, question
from hub.base.context import Context
from hub.db.engine import DATABASE, Database


def _holds(
    rows: Sequence[Row], key: InstrumentedAttribute[int], words: InstrumentedAttribute[str], for_sqlite: bool
) -> ColumnElement[bool]:
    asked = question(rows, for_sqlite=for_sqlite)
    if not for_sqlite:
        return words.op("@@", is_comparison=True)(cast(literal(asked), TSQUERY))
    index = table(f"{key.class_.__tablename__}_fts", column("rowid"))
    is_match: Any = literal_column(index.name).op("MATCH", is_comparison=True)(asked)
    return key.in_(select(index.c.rowid).where(is_match))


def card_holds(rows: Sequence[Row], *, for_sqlite: bool) -> ColumnElement[bool]:
    """The condition on ``SearchCard``. rows: one of them, at least, must stand there."""
    return _holds(rows, SearchCard.repository_id, SearchCard.words, for_sqlite)


def content_holds(rows: Sequence[Row], *, for_sqlite: bool) -> ColumnElement[bool]:
    """The condition on ``SearchContent``. rows: one of them, at least, must stand there."""
    return _holds(rows, SearchContent.id, SearchContent.words, for_sqlite)


def has_full_text(context: Context) -> bool:
    """Whether cards and code can be searched: SQLite may have been built without its FTS5. Found out once."""
    database = context[DATABASE]
    return not database.is_sqlite or _is_there(database, "search_cards_fts", "sqlite_master WHERE name")


def has_trigrams(context: Context) -> bool:
    """Whether names are searched by an index of trigrams: PostgreSQL's extension may be missing. Found out once."""
    database = context[DATABASE]
    return not database.is_sqlite and _is_there(
        database, "ix_repositories_name_key_trigram", "pg_indexes WHERE indexname"
    )


def _is_there(database: Database, name: str, place: str) -> bool:
    known = _KNOWN.setdefault(database, {})
    if name not in known:
        with database.reading_engine.connect() as connection:
            found = connection.scalar(text(f"SELECT 1 FROM {place} = :name"), {"name": name})  # noqa: S608 - our words
        known[name] = bool(found)
    return known[name]


# By the database opened, not by its address: another may stand there later.
_KNOWN: WeakKeyDictionary[Database, dict[str, bool]] = WeakKeyDictionary()
