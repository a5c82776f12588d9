"""How many rows a list has in all: counted while few, estimated where counting would cost more than the page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from hub.base.paging import PageArgs

# A list is counted up to here. Nobody walks further by hand, and counting on would take longer than the page itself.
COUNT_LIMIT = 1_000


def total_of(
    session: Session, query: Select[Any], page: PageArgs, found: int, *, limit: int = COUNT_LIMIT
) -> tuple[int, bool]:
    """How many rows the query has in all, and whether that is an estimate. One statement more at most, or two.

    query: without order and page. page, found: which page was read, and how many rows were on it: where the list
    ends there, nothing is counted. Exact up to ``limit``; beyond, PostgreSQL's planner is asked, and what is known of
    the list (the limit; the end of this page) is the least. SQLite, which has no such estimate, counts to the end.
    """
    if found < page.per and (found or page.page == 1):
        return page.offset + found, False
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    bounded = query.order_by(None) if is_sqlite else query.order_by(None).limit(limit + 1)
    total = session.scalar(select(func.count()).select_from(bounded.subquery())) or 0
    if is_sqlite or total <= limit:
        return total, False
    # A page that is full may have another after it.
    return max(_planned_rows(session, query), total, page.offset + found), True


def _planned_rows(session: Session, query: Select[Any]) -> int:
    dialect = session.get_bind().dialect
    statement = query.order_by(None).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    values = statement.construct_params() if statement.params else {}
    [[plan]] = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    return int(plan[0]["Plan"]["Plan Rows"])
