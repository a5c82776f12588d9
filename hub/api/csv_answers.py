"""Answers in CSV, sent as they are made."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response

# A cell that begins with these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_AT_ONCE = 100


def send_csv(names: Sequence[str], rows: Iterable[Sequence[Any]], file_name: str) -> Response:
    """An answer that is saved under that name. rows: numbers, texts, moments; a text is never taken for a formula."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return Response(_csv(names, rows), mimetype="text/csv", headers=headers)


def _csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of CSV, in pieces."""
    yield _lines([names])
    piece: list[Sequence[Any]] = []
    for row in rows:
        piece.append([_cell(value) for value in row])
        if len(piece) == _AT_ONCE:
            yield _lines(piece)
            piece = []
    yield _lines(piece)


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else int(value) if hasattr(value, "numerator") else value
