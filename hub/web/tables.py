"""Rows of tables as pages show them: what a cell holds, small charts of columns, conditions to click together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hub.assets.viewer.expressions import quote_name, quote_value
from hub.assets.viewer.rows import Asked, RowPage
from hub.web.repository import RepositoryPage

# Of a text in a cell; the panel of the row shows all of it.
SHORT_CHARS = 300
MAX_TURNS = 20


class Cell(NamedTuple):
    """A value. form: null, text, number, boolean, json, chat, image, audio, video. is_cut: there is more of it."""

    form: str
    text: str = ""
    is_cut: bool = False
    src: str = ""
    turns: Sequence[tuple[str, str]] = ()


class Row(NamedTuple):
    """A row. number: its place in the table, from 0."""

    number: int
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Bar:
    """A bar of a chart. share: of the highest, 0 to 1. where: the condition that finds its rows; "": none can."""

    label: str
    count: int
    share: float
    where: str


def rows_of(repo: RepositoryPage, asked: Asked, page: RowPage, *, columns: range) -> list[Row]:
    """The rows of a page, of these columns."""
    cut = {(line, at) for line, at in page.cut}
    media = _media_address(repo, asked, page)
    return [
        Row(
            number,
            [_cell(row[at], (line, at) in cut, media, number, at) for at in columns if at < len(row)],
        )
        for line, (number, row) in enumerate(zip(page.numbers, page.rows, strict=True))
    ]


def _media_address(repo: RepositoryPage, asked: Asked, page: RowPage) -> str:
    """Where media of the page's table are; what follows says of which row and column."""
    query = {"config": page.config, "split": page.split, "file": asked.path, "ref": page.commit_id}
    words = urlencode({name: value for name, value in query.items() if value})
    return f"{repo.api}/dataviewer/media?{words}"


def _cell(value: Any, is_cut: bool, media: str, number: int, column: int) -> Cell:
    # A page has hundreds, most of them texts.
    if isinstance(value, str):
        return Cell("text", value[:SHORT_CHARS], is_cut or len(value) > SHORT_CHARS)
    if value is None:
        return Cell("null")
    if isinstance(value, bool):
        return Cell("boolean", "true" if value else "false")
    if isinstance(value, int | float):
        return Cell("number", str(value))
    if isinstance(value, dict) and value.get("_type") in ("image", "audio"):
        src = f"{media}&row={number}&column={column}"
        return Cell(str(value["_type"]), str(value.get("path") or ""), src=src)
    if turns := _turns(value):
        return Cell("chat", is_cut=is_cut or len(value) > MAX_TURNS, turns=turns)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return Cell("json", text[:SHORT_CHARS], is_cut or len(text) > SHORT_CHARS)


def _turns(value: Any) -> list[tuple[str, str]]:
    """The turns of a conversation, when the value is one: a list of {role, content}, or of {from, value}."""
    if not isinstance(value, list) or not value:
        return []
    turns = []
    for item in value[:MAX_TURNS]:
        if not isinstance(item, dict):
            return []
        role, content = item.get("role", item.get("from")), item.get("content", item.get("value"))
        if not isinstance(role, str) or not isinstance(content, str):
            return []
        turns.append((role[:32], content[:SHORT_CHARS]))
    return turns


def bars_of(column: Mapping[str, Any], classes: Sequence[str] = ()) -> list[Bar]:
    """The chart of a column's statistics: its histogram, or how often its values come.

    classes: the names of its values, which the table holds as numbers.
    """
    name = quote_name(str(column["name"]))
    histogram = column.get("histogram")
    if histogram:
        is_length = column.get("measured") == "length"
        target = f"length({name})" if is_length else name
        counts, edges = histogram["hist"], histogram["bin_edges"]
        most = max(counts, default=0) or 1
        return [
            Bar(
                f"{_said(edges[at])} – {_said(edges[at + 1])}",
                count,
                count / most,
                _between(target, edges[at], edges[at + 1], is_last=at == len(counts) - 1),
            )
            for at, count in enumerate(counts)
        ]
    frequencies = column.get("frequencies")
    if frequencies:
        most = max(frequencies.values(), default=0) or 1
        return [
            Bar(str(value), count, count / most, _equals(column, name, value, classes))
            for value, count in sorted(frequencies.items(), key=lambda item: -item[1])[:20]
        ]
    return []


def top_of(column: Mapping[str, Any]) -> list[Bar]:
    """The most frequent texts of a column, when some come more than once."""
    top = [one for one in column.get("top", ()) if one["count"] > 1][:10]
    most = max((one["count"] for one in top), default=0) or 1
    name = quote_name(str(column["name"]))
    is_cut = bool(column.get("is_top_cut"))
    return [
        Bar(one["value"], one["count"], one["count"] / most, "" if is_cut else f"{name} = {quote_value(one['value'])}")
        for one in top
    ]


def _said(edge: Any) -> str:
    return f"{edge:.6g}" if isinstance(edge, float) else str(edge)


def _between(target: str, low: Any, high: Any, *, is_last: bool) -> str:
    return f"{target} >= {quote_value(low)} AND {target} {'<=' if is_last else '<'} {quote_value(high)}"


def _equals(column: Mapping[str, Any], name: str, value: Any, classes: Sequence[str]) -> str:
    if column.get("kind") == "boolean":
        return f"{name} = {str(value).upper()}"
    if column.get("kind") == "class":
        return f"{name} = {classes.index(value)}" if value in classes else ""
    return f"{name} = {quote_value(value)}"


def classes_of(feature: Any) -> list[str]:
    """The names of a class column's values, in the order of their numbers; none for other columns."""
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    return [str(name) for name in names] if isinstance(names, list) else []


def joined(where: str, more: str) -> str:
    """Both conditions."""
    if not where or not more:
        return where or more
    before = where if " OR " not in where.upper() else f"({where})"
    return f"{before} AND {more}"
