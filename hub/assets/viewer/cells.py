"""Values as they are shown: in words of JSON, none too large, files of pictures and sounds as references."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
from typing import Any

MAX_CELL_BYTES = 100 * 1024
# Of a page; what comes after has less, and at last next to nothing: a page may have two million cells.
MAX_PAGE_BYTES = 8 * 1024 * 1024
_LIMITS = ((0, MAX_CELL_BYTES), (-MAX_PAGE_BYTES, 1024), (-math.inf, 8))
_SHOWN_BYTES = 48
_MAX_DEPTH = 200


class Page:
    """The rows of a page as they are rendered. cut: which cells are not whole, by row and column."""

    def __init__(self, media: dict[int, str]) -> None:
        self._media = media
        self._left = MAX_PAGE_BYTES
        self.rows: list[list[Any]] = []
        self.cut: list[list[int]] = []

    def add(self, values: list[Any]) -> None:
        row = []
        for at, value in enumerate(values):
            shown, size = self._show(at, value)
            if size < 0:
                self.cut.append([len(self.rows), at])
            self._left -= abs(size)
            row.append(shown)
        self.rows.append(row)

    def add_table(self, table: Any) -> None:
        """Add the rows of a table of pyarrow's."""
        for batch in table.to_batches():
            for row in zip(*map(values_of, batch.columns), strict=True):
                self.add(list(row))

    def add_lost(self, columns: int) -> None:
        """Add a row that could not be read because it is too large."""
        self.cut += [[len(self.rows), at] for at in range(columns)]
        self.rows.append([None] * columns)

    def forget(self, count: int) -> None:
        """Forget all rows but the first ones."""
        del self.rows[count:]
        self.cut = [place for place in self.cut if place[0] < count]

    def _show(self, at: int, value: Any) -> tuple[Any, int]:
        if value is None:
            return None, 4
        if at in self._media:
            return {"_type": self._media[at], "path": _path_of(value)}, 200
        return show(value, next(limit for left, limit in _LIMITS if self._left > left))


def values_of(column: Any) -> list[Any]:
    """The values of a column of pyarrow's as Python has them; moments as text in ISO 8601."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        # As text: Python has no nanoseconds, and no years beyond 9999.
        return [_moment(text) for text in column.cast(pa.string()).to_pylist()]
    return list(column.to_pylist())


def _moment(text: str | None) -> str | None:
    return text.replace(" ", "T", 1) if text is not None else None


def _path_of(value: Any) -> str:
    path = value.get("path") if isinstance(value, dict) else None
    return path[:1000] if isinstance(path, str) else ""


def show(value: Any, limit: int = MAX_CELL_BYTES) -> tuple[Any, int]:
    """A value in words of JSON and about how many bytes it takes; a negative number where it was cut."""
    if isinstance(value, bool | int):
        return value, 8
    if isinstance(value, str):
        return cut_text(value, limit)
    if isinstance(value, list | dict | tuple):
        plain = jsonable(value)
        text = json.dumps(plain, ensure_ascii=False)
        shown, size = cut_text(text, limit)
        return (plain, size) if size >= 0 else (shown, size)
    return jsonable(value), 40


def cut_text(text: str, limit: int) -> tuple[str, int]:
    """As much of a text as fits into so many bytes of UTF-8."""
    if len(text) * 4 <= limit:
        return _clean(text), len(text)
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return _clean(text), len(data)
    return data[:limit].decode("utf-8", "ignore"), -limit


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def jsonable(value: Any, depth: int = 0) -> Any:
    """A value of a table in words of JSON: moments in ISO 8601, decimals and what is no number in JSON as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, bytes):
        return {
            "_type": "binary",
            "size": len(value),
            "base64": base64.b64encode(value[:_SHOWN_BYTES]).decode(),
        }
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, list | tuple):
        if value and isinstance(value, list) and all(isinstance(each, tuple) and len(each) == 2 for each in value):
            return [[jsonable(key, depth + 1), jsonable(each, depth + 1)] for key, each in value]
        return [jsonable(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {str(key): jsonable(each, depth + 1) for key, each in value.items()}
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | datetime.timedelta):
        return str(value)
    return str(value)
