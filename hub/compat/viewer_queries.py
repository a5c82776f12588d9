"""What is found in data sets' tables, and their statistics, as Hugging Face's data set viewer tells them.

Sources: its documentation, /search, /filter and /statistics; Hugging Face contract, section 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response
from marshmallow import Schema, fields, validate

from hub.assets.models_statistics import MeasureState
from hub.assets.viewer.measures import TOP
from hub.assets.viewer.rows import Asked, RowPage, read_rows
from hub.assets.viewer.statistics import Statistics, find_statistics
from hub.base.errors import Unavailable, Unprocessable
from hub.base.paging import PageArgs
from hub.compat import views
from hub.compat.addresses import client_url
from hub.compat.schemas import HubBody
from hub.compat.viewer import find_data_set
from hub.compat.viewer import server as server
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.models import Repository

# Source: Hugging Face's documentation.
MAX_LENGTH = 100
_MAX_COLUMNS = 1_000
_DIGITS = 5
_KINDS = {
    "integer": "int",
    "float": "float",
    "text": "string_text",
    "boolean": "bool",
    "class": "class_label",
    "list": "list",
    "datetime": "datetime",
    "image": "image",
    "audio": "audio",
}


def _name(description: str) -> fields.String:
    return fields.String(
        required=True, validate=validate.Length(max=200), metadata={"description": description, "example": "default"}
    )


class HubSplitQuery(HubBody):
    dataset = fields.String(
        required=True, validate=validate.Length(max=200), metadata={"description": "namespace/name", "example": "a/b"}
    )
    config = _name("a configuration")
    split = _name("one of its splits")
    revision = fields.String(
        load_default="", validate=validate.Length(max=200), metadata={"description": "ours: empty: the default branch"}
    )


class HubRowsQuery(HubSplitQuery):
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**53))
    length = fields.Integer(load_default=MAX_LENGTH, validate=validate.Range(min=0, max=MAX_LENGTH))


class HubSearchQuery(HubRowsQuery):
    query = fields.String(required=True, validate=validate.Length(min=1, max=1_000))


class HubFilterQuery(HubRowsQuery):
    where = fields.String(
        load_default="",
        validate=validate.Length(max=10_000),
        metadata={"description": "a condition over the columns", "example": '"age" > 30 AND "name" = \'Simone\''},
    )
    orderby = fields.String(load_default="", validate=validate.Length(max=1_000))


class HubFeatureSchema(Schema):
    feature_idx = fields.Integer()
    name = fields.String()
    type = fields.Raw(metadata={"description": "as the library `datasets` spells it"})


class HubRowSchema(Schema):
    row_idx = fields.Integer()
    row = fields.Dict()
    truncated_cells = fields.List(fields.String())


class HubRowsSchema(Schema):
    features = fields.List(fields.Nested(HubFeatureSchema))
    rows = fields.List(fields.Nested(HubRowSchema))
    num_rows_total = fields.Integer(metadata={"description": "with `partial`: so many at least"})
    num_rows_per_page = fields.Integer()
    is_partial = fields.Boolean(data_key="partial")


class HubColumnStatisticsSchema(Schema):
    column_name = fields.String()
    column_type = fields.String()
    column_statistics = fields.Dict()


class HubStatisticsSchema(Schema):
    num_examples = fields.Integer()
    statistics = fields.List(fields.Nested(HubColumnStatisticsSchema))
    is_partial = fields.Boolean(data_key="partial")


@server.get("/search")
@server.arguments(HubSearchQuery, location="query")
@server.response(200, HubRowsSchema)
def search_rows(query: dict[str, Any]) -> Response:
    """The rows that have a word in one of their texts."""
    return _send_rows(query, search=query["query"])


@server.get("/filter")
@server.arguments(HubFilterQuery, location="query")
@server.response(200, HubRowsSchema)
def filter_rows(query: dict[str, Any]) -> Response:
    """The rows that a condition holds for, sorted by a column."""
    return _send_rows(query, where=query["where"], order_by=query["orderby"])


def _send_rows(query: Mapping[str, Any], *, search: str = "", where: str = "", order_by: str = "") -> Response:
    repository = find_data_set(query["dataset"])
    asked = Asked(query["config"], query["split"], query["revision"])
    page = read_rows(
        current_context(),
        repository,
        asked,
        actor=current_actor(),
        offset=query["offset"],
        limit=query["length"],
        search=search,
        where=where,
        order_by=order_by,
    )
    return views.send_json(rows_view(repository, page), {"X-Revision": page.commit_id})


def rows_view(repository: Repository, page: RowPage) -> dict[str, Any]:
    """A page of rows in the viewer's words. Pictures and sounds get the addresses of the hub's own."""
    names = [column.name for column in page.columns]
    cut: dict[int, list[str]] = {}
    for row, column in page.cut:
        cut.setdefault(row, []).append(names[column])
    return {
        "features": [
            {"feature_idx": at, "name": column.name, "type": column.feature or {"dtype": column.type, "_type": "Value"}}
            for at, column in enumerate(page.columns)
        ],
        "rows": [
            {
                "row_idx": number,
                "row": {
                    name: _cell(repository, page, number, at, value)
                    for at, (name, value) in enumerate(zip(names, row, strict=True))
                },
                "truncated_cells": cut.get(place, []),
            }
            for place, (number, row) in enumerate(zip(page.numbers, page.rows, strict=True))
        ],
        "num_rows_total": page.total,
        "num_rows_per_page": MAX_LENGTH,
        "partial": page.is_partial or not page.is_total_exact,
    }


def _cell(repository: Repository, page: RowPage, row: int, column: int, value: Any) -> Any:
    kind = value.get("_type") if isinstance(value, dict) else None
    if kind not in ("image", "audio"):
        return value
    words = {"config": page.config, "split": page.split, "ref": page.commit_id, "row": str(row), "column": str(column)}
    address = client_url(f"api/v1/datasets/{repository.path}/dataviewer/media?{urlencode(words)}")
    return {"src": address} if kind == "image" else [{"src": address, "type": "audio"}]


@server.get("/statistics")
@server.arguments(HubSplitQuery, location="query")
@server.response(200, HubStatisticsSchema)
def show_statistics(query: dict[str, Any]) -> Response:
    """What is known of a split's columns; 503 until a job has worked it out, of the first 1,000 columns."""
    found = find_statistics(
        current_context(),
        find_data_set(query["dataset"]),
        actor=current_actor(),
        config=query["config"],
        split=query["split"],
        revision=query["revision"],
        page=PageArgs(1, _MAX_COLUMNS),
    )
    if found.state == MeasureState.FAILED:
        raise Unprocessable(f"The table could not be measured: {found.reason}", code="table_unreadable")
    if found.state != MeasureState.DONE:
        raise Unavailable(
            "The statistics are being worked out; ask again in a moment.", code="response_not_ready", retry_after_s=5
        )
    return views.send_json(statistics_view(found), {"X-Revision": found.commit_id})


def statistics_view(found: Statistics) -> dict[str, Any]:
    """The statistics of a table in the viewer's words."""
    told = [_column_view(column, found.measured_rows) for column in found.columns]
    return {
        "num_examples": found.measured_rows,
        "statistics": [column for column in told if column is not None],
        "partial": found.is_sample or found.is_partial or found.column_count > len(found.columns),
    }


def _column_view(column: Mapping[str, Any], rows: int) -> dict[str, Any] | None:
    """One column; None for one that the viewer has no words for, or that could not be measured."""
    type = _KINDS.get(column["kind"])
    if type is None or "error" in column:
        return None
    missing = column["null_count"] + column.get("nan_count", 0)
    told: dict[str, Any] = {"nan_count": missing, "nan_proportion": _share(missing, rows)}
    if type == "bool":
        told["frequencies"] = {name.capitalize(): count for name, count in column["frequencies"].items()}
    elif type == "class_label":
        without = column["no_label_count"]
        told |= {"no_label_count": without, "no_label_proportion": _share(without, rows)}
        told |= {"n_unique": len(column["frequencies"]), "frequencies": column["frequencies"]}
    elif type == "string_text" and _is_label(column, rows):
        type = "string_label"
        frequencies = {each["value"]: each["count"] for each in column.get("top", [])}
        told |= {"no_label_count": 0, "no_label_proportion": 0.0}
        told |= {"n_unique": len(frequencies), "frequencies": frequencies}
    elif type == "datetime":
        deviation = column.get("std")
        told |= {key: column.get(key) for key in ("min", "max", "mean", "median")}
        told |= {"std": None if deviation is None else str(timedelta(seconds=round(deviation)))}
        told |= {"histogram": column.get("histogram")}
    elif type not in ("image", "audio"):
        told |= {key: column.get(key) for key in ("min", "max")}
        told |= {key: _rounded(column.get(key)) for key in ("mean", "median", "std")}
        told |= {"histogram": column.get("histogram")}
    return {"column_name": column["name"], "column_type": type, "column_statistics": told}


def _is_label(column: Mapping[str, Any], rows: int) -> bool:
    """Whether a text is one of few words. Source: Hugging Face's worker: up to 30, and a fifth of the rows."""
    if not column.get("is_distinct_exact") and column.get("top"):
        return False
    count = len(column.get("top", []))
    return count <= 10 or (count <= TOP and count * 5 <= rows)


def _share(count: int, rows: int) -> float:
    return round(count / rows, _DIGITS) if rows else 0.0


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, _DIGITS)
