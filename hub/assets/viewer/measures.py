"""What is told of columns: nulls, distinct values, range, mean, median, deviation, histogram, most frequent values.

Two statements measure a batch of columns: the first gives ranges, of which the second makes histograms. What a column
is measured by depends on its type: numbers by themselves, texts and bytes by their length, lists by how many they hold,
moments by seconds since 1970.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.assets.viewer.engine import Session
from hub.assets.viewer.expressions import FLOATS, INTEGERS, LISTS, MOMENTS, TEXTS
from hub.assets.viewer.parts import Column, Table
from hub.base.errors import HubError

BINS = 20
# So many values that are most frequent are kept; a text that has fewer is a label. Source: Hugging Face's worker.
TOP = 30
MAX_CLASSES = 1_000
# Up to so many different values, those that are most frequent are counted exactly.
_MAX_GROUPED = 200_000
_MAX_GROUPED_BYTES = 64 * 1024**2
# Of up to so many rows the median is exact.
_MAX_SORTED = 1_000_000
_MAX_FINE = 4_096
_ROWS_AT_ONCE = 1_000_000
MAX_VALUE_CHARS = 256
_FEW = 50_000
# Dates beyond these have no place in Python's calendar.
_LEAST_EPOCH, _MOST_EPOCH = -62_135_596_800, 253_402_300_799

_KINDS = (
    (INTEGERS, "integer"),
    (FLOATS, "float"),
    (TEXTS, "text"),
    (LISTS, "list"),
    (frozenset(MOMENTS) - {"time", "time with time zone"}, "datetime"),
    (frozenset({"boolean"}), "boolean"),
    (frozenset({"blob"}), "binary"),
)


@dataclass(frozen=True)
class Sample:
    """Which rows are measured. source: what statements read. rows: how many. is_whole: whether they are all."""

    source: str
    rows: int
    is_whole: bool


def whole(table: Table) -> Sample:
    """All rows."""
    return Sample("@table", table.num_rows, True)


def sample(table: Table, rows: int, *, places: int = 20) -> Sample:
    """So many rows, from places that are evenly spread over the table."""
    if table.num_rows <= rows:
        return whole(table)
    length = rows // places
    pieces: list[str] = []
    count = 0
    for place in range(places):
        start = table.num_rows * place // places
        for number, first, last in _pieces(table, start, min(table.num_rows, start + length)):
            count += last - first
            where = f"WHERE file_row_number >= {first} AND file_row_number < {last}"
            pieces.append(" ".join(("SELECT @columns FROM", f"@part{number}", where)))
    return Sample(f"({' UNION ALL '.join(pieces)}) AS s", count, False)


def _pieces(table: Table, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Rows of a table as rows of its parts: the part's number, the first and the end."""
    at = 0
    for number, part in enumerate(table.parts):
        first, last = max(start - at, 0), min(end - at, part.num_rows)
        if first < last:
            yield number, first, last
        at += part.num_rows


@dataclass
class _Measure:
    """One column while it is measured. sql: the column, or its label's. by: the number that it is measured by."""

    number: int
    column: Column
    kind: str
    sql: str
    by: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    bins: tuple[Any, Any, int] | None = None  # where they begin, their width, how many
    is_fine: bool = False  # whether each number was counted by itself

    @property
    def is_whole_numbers(self) -> bool:
        return self.kind not in ("float", "datetime")

    @property
    def classes(self) -> list[str] | None:
        feature = self.column.feature
        names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
        return [str(name) for name in names[:MAX_CLASSES]] if isinstance(names, list) else None


def kind_of(type: dict[str, Any], column: Column) -> str:
    """The kind of statistics that a column has."""
    feature = column.feature if isinstance(column.feature, dict) else {}
    if feature.get("_type") in ("Image", "Audio", "Video"):
        return str(feature["_type"]).lower()
    kind = next((kind for ids, kind in _KINDS if type["id"] in ids), "nested" if type.get("children") else "other")
    if kind == "integer" and feature.get("_type") == "ClassLabel":
        return "class"
    return kind


def measure(
    session: Session,
    types: Sequence[dict[str, Any]],
    numbers: Sequence[int],
    rows: Sample,
) -> list[dict[str, Any]]:
    """The statistics of some columns, in words of JSON. Raises what a session raises."""
    columns = session.table.columns
    measures = [_measure_of(number, types[number], columns[number]) for number in numbers]
    source = rows.source.replace("@columns", ", ".join(f"c{number}" for number in numbers))
    _measure_ranges(session, measures, source, rows)
    # DuckDB takes longer for several histograms of many rows at once than for one after the other.
    at_once = max(1, _ROWS_AT_ONCE // max(rows.rows, 1))
    for first in range(0, len(measures), at_once):
        _measure_histograms(session, measures[first : first + at_once], source, rows)
    for each in measures:
        _measure_values(session, each, source, rows)
    return [_told(each) for each in measures]


def failed(type: dict[str, Any], column: Column, error: HubError) -> dict[str, Any]:
    """What is told of a column that cannot be measured."""
    return {"name": column.name, "type": column.type, "kind": kind_of(type, column), "error": str(error)}


def _measure_of(number: int, type: dict[str, Any], column: Column) -> _Measure:
    found = _Measure(number, column, kind_of(type, column), f"c{number}")
    match found.kind:
        case "integer":
            found.by = found.sql
        case "float":
            found.sql = f"CAST({found.sql} AS DOUBLE)"
            found.by = f"CASE WHEN isfinite({found.sql}) THEN {found.sql} END"
        case "text":
            found.sql = f"CAST({found.sql} AS VARCHAR)"
            found.by = f"length({found.sql})"
        case "binary":
            found.by = f"octet_length({found.sql})"
        case "list":
            found.by = f"len({found.sql})"
        case "datetime":
            found.by = f"CASE WHEN isfinite({found.sql}) THEN epoch({found.sql}) END"
    return found


def _select(columns: Sequence[str], source: str, rest: str = "") -> str:
    return " ".join(("SELECT", ", ".join(columns), "FROM", source, rest))


def _measure_ranges(session: Session, measures: Sequence[_Measure], source: str, rows: Sample) -> None:
    asked: list[tuple[_Measure, str, str]] = []
    for each in measures:
        asked.append((each, "count", f"count(c{each.number})"))
        if each.kind in ("integer", "float", "text", "datetime", "class"):
            asked.append((each, "distinct", f"approx_count_distinct({each.sql})"))
        if not each.by:
            continue
        by, as_number = each.by, f"CAST({each.by} AS DOUBLE)"
        if each.kind == "float":
            asked.append((each, "nan_count", f"count_if(isnan({each.sql}))"))
            asked.append((each, "infinite_count", f"count_if(isinf({each.sql}))"))
        asked += [
            (each, "min", f"min({by})"),
            (each, "max", f"max({by})"),
            (each, "mean", f"avg({as_number})"),
            (each, "std", f"stddev_samp({as_number})"),
        ]
    row = session.values(_select([sql for _, _, sql in asked], source), limit=1)[0]
    for (each, key, _), value in zip(asked, row, strict=True):
        each.found[key] = value
    for each in measures:
        each.found["null_count"] = rows.rows - each.found.pop("count")
        each.bins = _bins(each) if each.by else None


def _bins(each: _Measure) -> tuple[Any, Any, int] | None:
    """Where the bins of a histogram begin, their width, and how many they are."""
    low, high = each.found["min"], each.found["max"]
    if low is None or high is None:
        return None
    if not each.is_whole_numbers:
        width = (high - low) / BINS
        return (low, width, BINS) if math.isfinite(width) and low + width > low else (low, 0.0, 1)
    low, high = int(low), int(high)
    width = -(-(high - low + 1) // BINS)
    return low, width, -(-(high - low + 1) // width)


def _measure_histograms(session: Session, measures: Sequence[_Measure], source: str, rows: Sample) -> None:
    """Histograms and medians. Whole numbers that lie near each other are counted one by one, which gives both."""
    asked: list[tuple[_Measure, str, str]] = []
    for each in measures:
        if each.bins is None:
            continue
        low, width, _ = each.bins
        if each.is_whole_numbers:
            high = int(each.found["max"])
            each.is_fine = high - low < _MAX_FINE
            wide = each.by if abs(low) < 2**53 and abs(high) < 2**53 else f"{each.by}::HUGEINT"
            place = f"({wide} - ({low}))" if each.is_fine else f"(({wide} - ({low})) // {width})"
        else:
            place = f"floor(({each.by} - ({low!r}::DOUBLE)) / {width!r}::DOUBLE)" if width else f"({each.by} * 0)"
        asked.append((each, "places", f"histogram(CAST({place} AS USMALLINT))"))
        if not each.is_fine:
            median = "quantile_cont({}, 0.5)" if rows.rows <= _MAX_SORTED else "approx_quantile({}, 0.5)"
            asked.append((each, "median", median.format(f"CAST({each.by} AS DOUBLE)")))
    if not asked:
        return
    row = session.values(_select([sql for _, _, sql in asked], source), limit=1)[0]
    for (each, key, _), value in zip(asked, row, strict=True):
        each.found[key] = value
    for each in measures:
        if each.bins is not None:
            _tell_histogram(each, is_exact=each.is_fine or rows.rows <= _MAX_SORTED)


def _tell_histogram(each: _Measure, *, is_exact: bool) -> None:
    assert each.bins is not None
    low, width, count = each.bins
    hist = [0] * count
    places = sorted((int(place), int(number)) for place, number in each.found.pop("places") or [])
    for place, number in places:
        # The largest number itself lies on the last edge.
        hist[min(place // width if each.is_fine else place, count - 1)] += number
    edges = [low + at * width for at in range(count)]
    each.found["histogram"] = {"hist": hist, "bin_edges": [*edges, each.found["max"]]}
    each.found["is_median_exact"] = is_exact
    if each.is_fine:
        each.found["median"] = low + _middle(places)


def _middle(places: Sequence[tuple[int, int]]) -> float:
    """The median of numbers that are there so often."""
    total = sum(count for _, count in places)
    found: list[int] = []
    seen = 0
    for place, count in places:
        seen += count
        while len(found) < 2 and seen > (total - 1 + len(found)) // 2:
            found.append(place)
    return sum(found) / 2


def _measure_values(session: Session, each: _Measure, source: str, rows: Sample) -> None:
    """The most frequent values of texts, and how often each class and truth value is there."""
    if each.kind == "boolean":
        counted = session.values(_select([f"c{each.number}", "count(*)"], source, "GROUP BY 1"))
        found = {value: count for value, count in counted if value is not None}
        each.found["frequencies"] = {"false": found.get(False, 0), "true": found.get(True, 0)}
    elif each.kind == "class":
        rest = f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_CLASSES + 1}"
        counted = session.values(_select([each.sql, "count(*)"], source, rest))
        _tell_classes(each, counted)
    elif each.kind == "text" and each.found["distinct"]:
        longest = int(each.found["max"] or 0)
        value = each.sql if longest <= MAX_VALUE_CHARS else f"left({each.sql}, {MAX_VALUE_CHARS})"
        average = min(each.found["mean"] or 0, MAX_VALUE_CHARS)
        distinct = each.found["distinct"]
        is_exact = distinct <= _MAX_GROUPED and distinct * (average + 32) <= _MAX_GROUPED_BYTES
        where = f"WHERE {each.sql} IS NOT NULL"
        if is_exact:
            rest = f"{where} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}"
            counted = session.values(_select([value, "count(*)"], source, rest))
        else:
            counted = _likely(session, value, where, source, rows, distinct)
        each.found["top"] = [{"value": _storable(value), "count": count} for value, count in counted]
        each.found["is_top_exact"] = is_exact
        each.found["is_top_cut"] = longest > MAX_VALUE_CHARS
        if is_exact and len(counted) < TOP and longest <= MAX_VALUE_CHARS:
            each.found["distinct"] = len(counted)


def _likely(session: Session, value: str, where: str, source: str, rows: Sample, distinct: int) -> list[list[Any]]:
    """Values that are among the most frequent ones, as far as that can be found out in little memory."""
    if distinct * 2 > rows.rows:
        # Most are there once: those that are not show themselves among a few rows.
        few = sample(session.table, _FEW) if rows.is_whole else rows
        likely = few.source.replace("@columns", "*")
        asked = session.values(
            _select([value, "count(*)"], likely, f"{where} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}")
        )
        found = [each[0] for each in asked]
    else:
        found = session.values(_select([f"approx_top_k({value}, {TOP})"], source, where))[0][0] or []
    if not found:
        return []
    marks = ", ".join(f"${number + 1}" for number in range(len(found)))
    rest = f"WHERE {value} IN ({marks}) GROUP BY 1 ORDER BY 2 DESC, 1"
    return session.values(_select([value, "count(*)"], source, rest), found)


def _tell_classes(each: _Measure, counted: list[list[Any]]) -> None:
    names = each.classes or []
    frequencies = dict.fromkeys(names, 0)
    unlabelled = 0
    for value, count in counted:
        if value is None:
            continue
        if isinstance(value, int) and 0 <= value < len(names):
            frequencies[names[value]] += count
        elif value == -1:
            unlabelled += count
        elif len(frequencies) < MAX_CLASSES:
            frequencies[str(value)] = frequencies.get(str(value), 0) + count
    each.found["frequencies"] = frequencies
    each.found["no_label_count"] = unlabelled


def _storable(text: Any) -> str:
    """A value as the database takes it."""
    return str(text).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _told(each: _Measure) -> dict[str, Any]:
    """What is kept of a column."""
    found = dict(each.found)
    if each.kind == "datetime":
        for key in ("min", "max", "mean", "median"):
            found[key] = moment(found[key])
        if "histogram" in found:
            found["histogram"]["bin_edges"] = [moment(edge) for edge in found["histogram"]["bin_edges"]]
    if "distinct" in found:
        is_all = found.get("is_top_exact") and len(found["top"]) < TOP and not found["is_top_cut"]
        # Else it is estimated, by some hundredths.
        found["is_distinct_exact"] = bool(is_all)
    if each.by:
        found["measured"] = "length" if each.kind in ("text", "binary", "list") else "value"
    name = _storable(each.column.name)
    return {"name": name, "type": _storable(each.column.type), "kind": each.kind, **found}


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 in the words of ISO 8601."""
    if seconds is None or not _LEAST_EPOCH <= seconds <= _MOST_EPOCH:
        return None
    told = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return told.isoformat(timespec="milliseconds" if told.microsecond else "seconds").replace("+00:00", "")
