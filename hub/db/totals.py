"""How many rows a list has in all: counted while few, estimated where counting would cost more than the page."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from typing import Any

from sqlalchemy import Select, func, select

from hub.base.paging import PageArgs
from hub.db.engine import DATABASE, PLANNED_EACH_TIME
from hub.db.uow import UnitOfWork

# A list is counted up to here, twenty pages of the default size. To count on would take longer than to read the page.
COUNT_LIMIT = 1_000
# For so long an estimate serves again, in one process, and for so many lists.
ESTIMATE_TTL_S = 60.0
MAX_ESTIMATES = 2_000


def total_of(
    work: UnitOfWork,
    query: Select[Any],
    page: PageArgs,
    found: int,
    *,
    values: Mapping[str, Any] | None = None,
    limit: int = COUNT_LIMIT,
) -> tuple[int, bool]:
    """How many rows the query has in all, and whether that is an estimate. Two statements at most.

    query: without order and page. page, found: which page was read, and how many rows were on it: where the list
    ends there, nothing is counted. values: of the query's parameters, where it is built once for many lists.
    Exact up to ``limit``. Beyond, PostgreSQL's planner is asked, once a minute for one list; what is known of the list
    (the limit; the end of this page) is the least. So who walks on while there are more reaches the end, whatever the
    planner thinks. SQLite makes no such estimates and counts to the end.
    """
    if found < page.per and (found or page.page == 1):
        return page.offset + found, False
    if work.context[DATABASE].is_sqlite:
        return work.session.scalar(select(func.count()).select_from(query.subquery()), values) or 0, False
    estimates = work.context[DATABASE].estimates
    key = _key_of(query, values or {})
    value, good_until = estimates.get(key, (0, 0.0))
    if time.monotonic() > good_until:
        bounded = select(func.count()).select_from(query.limit(limit + 1).subquery())
        counted = work.session.scalar(bounded.execution_options(**{PLANNED_EACH_TIME: True}), values) or 0
        if counted <= limit:
            return counted, False
        value = max(counted, _planned_rows(work, query.params(values or {})))
        if len(estimates) >= MAX_ESTIMATES:
            estimates.clear()
        if key is not None:
            estimates[key] = (value, time.monotonic() + ESTIMATE_TTL_S)
    return max(value, page.offset + found), True


def _key_of(query: Select[Any], values: Mapping[str, Any]) -> Hashable:
    # What SQLAlchemy itself remembers compiled statements by, and the values in it.
    key = query._generate_cache_key()
    if key is None:
        return None
    return key.key, tuple(repr(values.get(place.key, place.effective_value)) for place in key.bindparams)


def _planned_rows(work: UnitOfWork, query: Select[Any]) -> int:
    dialect = work.session.get_bind().dialect
    # With as many places as its lists of values have members.
    written = query.compile(dialect=dialect).construct_expanded_state()
    explain = f"EXPLAIN (FORMAT JSON) {written.statement}"
    [[plan]] = work.session.connection().exec_driver_sql(explain, written.parameters)
    return int(plan[0]["Plan"]["Plan Rows"])
