"""Rows counted by the day, in UTC, on either kind of database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, String, func, select

from hub.db.engine import DATABASE
from hub.db.uow import UnitOfWork


def count_by_day(
    work: UnitOfWork, moment: SQLColumnExpression[datetime], *, first: date, where: ColumnElement[bool] | None = None
) -> dict[date, int]:
    """How many rows have a moment on each day from the first one on; days without any are absent. One query."""
    day: ColumnElement[Any]
    if work.context[DATABASE].is_sqlite:
        day = func.strftime("%Y-%m-%d", moment, type_=String)
    else:
        day = func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD", type_=String)
    query = select(day.label("day"), func.count()).where(moment >= datetime.combine(first, time.min, UTC))
    if where is not None:
        query = query.where(where)
    return {date.fromisoformat(found): count for found, count in work.rows(query.group_by("day"))}
