"""Rows of a table that a filter or a word finds, a page at a time, in the table's order or another.

The rows are looked through from the first to the last in windows that grow as long as they take little time. So a page
that is full is known early, and when the time is over there is what was found so far, marked as partial. How many rows
each window has is remembered, so that the next page need not look through them again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.assets.viewer.cells import Page
from hub.assets.viewer.engine import ENGINE, QueryTimeout, Session
from hub.assets.viewer.expressions import Condition, Order, quote_name, read_order, read_search, read_where
from hub.assets.viewer.features import media_of
from hub.assets.viewer.parts import Table
from hub.base.context import Context
from hub.base.errors import Invalid, Unprocessable
from hub.base.offload import offload

MAX_PAGE = 500
# Source: the pages' contract, section 8: a search ends after so long, with what it has found.
SEARCH_S = 10.0
# A page that is full waits no longer for the number of all that there are.
COUNT_S = 1.0
# When everything ends, a window that hangs included; and a sort.
LIMIT_S = 15.0
SORT_S = 30.0
_FIRST_WINDOW = 100_000
_WINDOW_S = 0.5
_MAX_WINDOW = 50_000_000
_ROW_BATCH = 25


@dataclass(frozen=True)
class QueryRow:
    """A row. number: its place in the table, from 0. values: in the order of the table's columns, in words of JSON, as
    ``cells`` shows them. cut: the columns whose values are not whole."""

    number: int
    values: Sequence[Any]
    cut: Sequence[int] = ()


@dataclass(frozen=True)
class QueryPage:
    """A page of what was found.

    total: how many rows there are, of which so many are known at least where ``is_total_exact`` is False.
    is_partial: not all rows were looked at, or the page was cut because its rows are large. sql: the query in words of
    SQL, to be shown. searched: how many of the table's rows were looked at.
    """

    rows: Sequence[QueryRow]
    total: int
    is_total_exact: bool
    is_partial: bool
    sql: str
    searched: int


def query_rows(
    context: Context,
    table: Table,
    *,
    search: str = "",
    where: str = "",
    order_by: str = "",
    offset: int = 0,
    limit: int = 100,
) -> QueryPage:
    """The rows that a filter and a word find. See ``expressions`` for what can be asked.

    Raises Invalid (``query_invalid``: what was asked does not fit the table), Unprocessable (``query_too_large``,
    ``table_unreadable``), Unavailable (``query_timeout``, ``query_crashed``, ``queries_busy``).
    """
    if not 0 <= limit <= MAX_PAGE or not 0 <= offset <= 2**53:
        raise Invalid(f"A page has up to {MAX_PAGE} rows, and an offset is not negative.", code="query_invalid")
    engine = context[ENGINE]
    with engine.open(table, limit_s=SORT_S if order_by.strip() else LIMIT_S) as session:
        condition, order = read_query(session, search=search, where=where, order_by=order_by)
        sql = show_sql(table, condition, order, offset, limit)
        key = (table.digest, condition.sql, condition.parameters)
        counted = engine.find_kept(key) or _Counted()
        query = _Query(session, condition, offset, limit, counted)
        try:
            if order is not None:
                query.read_sorted(order)
            else:
                query.read()
        except QueryTimeout:
            if not query.rows and not query.is_searching:
                raise
            query.is_partial = True
        engine.keep(key, query.counted)
    return QueryPage(
        query.rows, query.total, query.is_total_exact, query.is_partial, sql, min(query.searched, table.num_rows)
    )


def read_query(session: Session, *, search: str, where: str, order_by: str) -> tuple[Condition, Order | None]:
    """What was asked, checked against the table's columns. Raises Invalid (``query_invalid``)."""
    names = [column.name for column in session.table.columns]
    types = session.types()
    if len(types) != len(names):
        raise Unprocessable("The table's columns cannot be told apart.", code="table_unreadable")
    filter = read_where(where, names, types)
    word = read_search(search, names, types, after=len(filter.parameters))
    conditions = [each for each in (filter, word) if each.sql]
    texts = [f"({each.text})" if len(conditions) > 1 else each.text for each in conditions]
    condition = Condition(
        " AND ".join(each.sql for each in conditions), filter.parameters + word.parameters, " AND ".join(texts)
    )
    return condition, read_order(order_by, names, types)


def show_sql(table: Table, condition: Condition, order: Order | None, offset: int, limit: int) -> str:
    """A query in words of SQL; nothing runs it."""
    where = f"WHERE {condition.text}" if condition.text else ""
    sort = f"ORDER BY {order.text}" if order is not None else ""
    words = ("SELECT * FROM", quote_name(table.split), where, sort, f"LIMIT {limit}", f"OFFSET {offset}" * bool(offset))
    return " ".join(filter(None, words))


def select(columns: str, where: str = "", rest: str = "") -> str:
    """A statement over a table, of words of our own only: columns by number, values as parameters."""
    return " ".join(("SELECT", columns, "FROM @table", f"WHERE {where}" if where else "", rest))


def number_of_row(table: Table, first: int = 0, last: int | None = None) -> str:
    """The expression of a row's place in the table, where a statement reads its parts from ``first`` to ``last``."""
    starts = _starts(table)[first:last]
    if len(starts) == 1:
        return f"(file_row_number::BIGINT + {starts[0]})"
    return f"(file_row_number::BIGINT + ({starts}::BIGINT[])[file_index::BIGINT + 1])"


def _starts(table: Table) -> list[int]:
    """The place of each part's first row."""
    starts, at = [], 0
    for part in table.parts:
        starts.append(at)
        at += part.num_rows
    return starts


def _columns(table: Table) -> str:
    """What is read of a row: of pictures and sounds only where they come from."""
    media = _media(table)
    return ", ".join(_path_of(f"c{at}") if at in media else f"c{at}" for at in range(len(table.columns)))


def _media(table: Table) -> dict[int, str]:
    return media_of([{"type": column.type, "feature": column.feature} for column in table.columns])


def _path_of(column: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN struct_pack(path := {column}.path) END AS {column}"


def _render(page: Page, bodies: Sequence[bytes]) -> list[QueryRow]:
    """Rows in Arrow's form, their numbers first, as they are shown. page: what was shown before counts, too."""
    import pyarrow as pa

    numbers: list[int] = []
    before, cut_before = len(page.rows), len(page.cut)
    for body in bodies:
        table = pa.ipc.open_stream(io.BytesIO(body)).read_all()
        numbers += table.column(0).to_pylist()
        page.add_table(table.remove_column(0))
    cut: dict[int, list[int]] = {}
    for row, column in page.cut[cut_before:]:
        cut.setdefault(row - before, []).append(column)
    rows = zip(numbers, page.rows[before:], strict=True)
    return [QueryRow(number, values, cut.get(at, ())) for at, (number, values) in enumerate(rows)]


@dataclass(frozen=True)
class _Window:
    """Rows of a table: whole parts from ``first`` up to ``last``, or those of one part from ``start`` to ``end``."""

    first: int
    last: int
    start: int
    end: int
    is_whole: bool

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def parts(self) -> tuple[int, int]:
        return (self.first, self.last)

    def within(self, condition: str) -> str:
        if self.is_whole:
            return condition
        return f"{condition} AND file_row_number >= {self.start} AND file_row_number < {self.end}"


@dataclass
class _Counted:
    """How many rows a condition finds in each window, from the table's first row on."""

    windows: list[tuple[_Window, int]] = field(default_factory=list)
    is_complete: bool = False

    @property
    def total(self) -> int:
        return sum(count for _, count in self.windows)


class _Query:
    """One query while it runs; what it has found is there at any moment."""

    def __init__(self, session: Session, condition: Condition, offset: int, limit: int, counted: _Counted) -> None:
        self._session = session
        self._table = session.table
        self._condition = condition
        self._offset = offset
        self._limit = limit
        self._began = time.monotonic()
        self.counted = _Counted(list(counted.windows), counted.is_complete)
        self._shown = _columns(self._table)
        self._page = Page(_media(self._table))
        self.rows: list[QueryRow] = []
        self.is_partial = False
        self.is_searching = False
        self._total: int | None = None if condition.sql else self._table.num_rows

    @property
    def total(self) -> int:
        if self._total is not None:
            return self._total
        return max(self.counted.total, self._offset + len(self.rows) if self.rows else 0)

    @property
    def is_total_exact(self) -> bool:
        return self._total is not None or self.counted.is_complete

    @property
    def searched(self) -> int:
        return self._table.num_rows if self.is_total_exact else sum(w.size for w, _ in self.counted.windows)

    def _spent_s(self) -> float:
        return time.monotonic() - self._began

    def read(self) -> None:
        """A page in the table's own order."""
        if not self._condition.sql:
            number = number_of_row(self._table)
            self._take(select(f"{number}, {self._shown}", rest=f"LIMIT {self._limit} OFFSET {self._offset}"), None)
            return
        self.is_searching = True
        seen = 0
        for window, count in list(self.counted.windows):
            self._read_window(window, seen, count)
            seen += count
        if self.counted.is_complete:
            return
        for window in self._windows():
            count = self._count(window)
            self._read_window(window, seen, count)
            # Only now: a window that was cut short is looked through again by whoever asks next.
            self._note(window, count)
            seen += count
            if self._is_over(seen):
                break

    def _note(self, window: _Window, count: int) -> None:
        self.counted.windows.append((window, count))
        last = len(self._table.parts)
        self.counted.is_complete = window.last == last and (
            window.is_whole or window.end == self._table.parts[-1].num_rows
        )

    def _is_over(self, seen: int) -> bool:
        """Whether the time is over; a page that is full waits less long for the number of all."""
        is_full = seen >= self._offset + self._limit
        if self.counted.is_complete or self._spent_s() < (COUNT_S if is_full else SEARCH_S):
            return False
        self.is_partial = not is_full
        return True

    def _windows(self) -> Iterator[_Window]:
        """What was not looked through yet; each window larger than the one before while they take little time."""
        known = self.counted.windows[-1][0] if self.counted.windows else _Window(0, 0, 0, 0, True)
        parts = self._table.parts
        part, start = known.last, 0
        if not known.is_whole and known.end < parts[known.first].num_rows:
            part, start = known.first, known.end
        size = float(_FIRST_WINDOW)
        while part < len(parts):
            began = time.monotonic()
            last, rows = part, 0
            while start == 0 and last < len(parts) and rows + parts[last].num_rows <= size:
                rows += parts[last].num_rows
                last += 1
            if last > part:
                window = _Window(part, last, 0, rows, True)
                part = last
            else:
                end = min(parts[part].num_rows, start + int(size))
                window = _Window(part, part + 1, start, end, False)
                part, start = (part, end) if end < parts[part].num_rows else (part + 1, 0)
            yield window
            spent = max(time.monotonic() - began, 0.001)
            size = min(_MAX_WINDOW, max(_FIRST_WINDOW / 10, size * min(64.0, max(0.2, _WINDOW_S / spent))))
        self.counted.is_complete = True

    def _count(self, window: _Window) -> int:
        sql = select("count(*)", window.within(self._condition.sql))
        found = self._session.values(sql, self._condition.parameters, parts=window.parts)
        return int(found[0][0])

    def _read_window(self, window: _Window, seen: int, count: int) -> None:
        """Take what a window has of the page. seen: how many rows the windows before it have."""
        skipped = max(0, self._offset - seen)
        wanted = min(self._offset + self._limit - max(seen, self._offset), count - skipped)
        if wanted <= 0 or self.is_partial:
            return
        number = number_of_row(self._table, *window.parts)
        where = window.within(self._condition.sql)
        rest = f"{self._condition.order} LIMIT {wanted} OFFSET {skipped}"
        self._take(select(f"{number}, {self._shown}", where, rest), window.parts)

    def _take(self, sql: str, parts: tuple[int, int] | None, order: dict[int, int] | None = None) -> None:
        parameters = self._condition.parameters if order is None else ()
        batches = self._session.batches(sql, parameters, parts=parts, batch=_ROW_BATCH)
        self.is_partial |= self._session.is_cut
        self.rows += offload(_render, self._page, [batch.body for batch in batches])

    def read_sorted(self, order: Order) -> None:
        """A page in the order of a column: first which rows they are, then the rows."""
        sql = select(
            "file_index::BIGINT, file_row_number::BIGINT",
            self._condition.sql,
            f"ORDER BY {order.sql}, 1, 2 LIMIT {self._limit} OFFSET {self._offset}",
        )
        places = self._session.values(sql, self._condition.parameters)
        starts = _starts(self._table)
        rank = {starts[part] + row: at for at, (part, row) in enumerate(places)}
        by_part: dict[int, list[int]] = {}
        for part, row in places:
            by_part.setdefault(part, []).append(row)
        for part, rows in by_part.items():
            number = number_of_row(self._table, part, part + 1)
            listed = ", ".join(str(int(row)) for row in rows)
            self._take(
                select(f"{number}, {self._shown}", f"file_row_number IN ({listed})"), (part, part + 1), order=rank
            )
        self.rows.sort(key=lambda row: rank[row.number])
        if self._total is not None or self.counted.is_complete:
            return
        if len(places) < self._limit and (places or not self._offset):
            self._total = self._offset + len(places)
            return
        # Sorting has looked at all rows; how many there are is worth as long again as it is of any page that is full.
        self._began = time.monotonic()
        for window in self._windows():
            self._note(window, self._count(window))
            if self._is_over(self._offset + self._limit):
                break
