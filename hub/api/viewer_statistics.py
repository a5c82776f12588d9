"""REST of what a data set's tables hold: statistics of their columns, and what a filter finds as a file.

Ours, beside ``dataviewer/rows`` of the contract (CSGHub, section 4.7); what is told: the pages' contract, section 8.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped, ok, send_json
from hub.api.schemas import text
from hub.api.viewer_schemas import RowsQuery
from hub.assets.viewer import comparison
from hub.assets.viewer.exports import FORMATS, export_rows
from hub.assets.viewer.statistics import Statistics, find_statistics
from hub.assets.viewer.tables import open_table
from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ranges import disposition
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.models import Repository

blp = RepositoryBlueprint("viewer_statistics", __name__, url_prefix=PREFIX, description="Statistics of data sets")

_DATASET = "dataset"
# Columns of one page of statistics. Source: the pages' contract, section 8: so many are drawn at a time.
MAX_PER = 200
_TOP = 10


class StatisticsQuery(RowsQuery):
    class Meta:
        exclude = ("search", "where", "orderby")

    per = fields.Integer(
        load_default=MAX_PER, validate=validate.Range(min=1, max=MAX_PER), metadata={"description": "columns of a page"}
    )


class ExportQuery(RowsQuery):
    class Meta:
        exclude = ("page", "per")

    format = fields.String(load_default="csv", validate=validate.OneOf(sorted(FORMATS)))


class HistogramSchema(Schema):
    hist = fields.List(fields.Integer(), metadata={"description": "how many there are in each of up to 20 bins"})
    bin_edges = fields.List(fields.Raw(), metadata={"description": "one more than bins; the last one is the maximum"})


class TopSchema(Schema):
    value = fields.String()
    count = fields.Integer()


class ColumnStatisticsSchema(Schema):
    name = fields.String()
    type = fields.String(metadata={"description": "as Arrow calls it"})
    kind = fields.String(
        metadata={
            "description": "integer, float, text, boolean, class, datetime, list, binary, image, audio, nested, other"
        }
    )
    error = fields.String(metadata={"description": "why the column could not be measured; then there is nothing else"})
    measured = fields.String(
        metadata={"description": "what min, max, mean, median, std and histogram are of: value, or length"}
    )
    null_count = fields.Integer()
    nan_count = fields.Integer(metadata={"description": "floats that are no number; in no other figure"})
    infinite_count = fields.Integer(metadata={"description": "as nan_count"})
    distinct = fields.Integer()
    is_distinct_exact = fields.Boolean(metadata={"description": "false: estimated, some hundredths off"})
    min = fields.Raw()
    max = fields.Raw()
    mean = fields.Raw()
    std = fields.Float(metadata={"description": "of moments: seconds"})
    median = fields.Raw()
    is_median_exact = fields.Boolean()
    histogram = fields.Nested(HistogramSchema)
    top = fields.List(fields.Nested(TopSchema), metadata={"description": "the most frequent texts, up to 10"})
    is_top_exact = fields.Boolean(metadata={"description": "false: there may be others as frequent; counts are exact"})
    is_top_cut = fields.Boolean(metadata={"description": "texts are compared by their first 256 characters"})
    frequencies = fields.Dict(metadata={"description": "of classes and truth values"})
    no_label_count = fields.Integer()


class StatisticsSchema(Schema):
    commit = fields.String()
    state = fields.String(metadata={"description": "pending, running, done, failed"})
    reason = fields.String(metadata={"description": "of what failed"})
    num_rows = fields.Integer()
    measured_rows = fields.Integer()
    is_sample = fields.Boolean(data_key="sample", metadata={"description": "some rows stand for all"})
    is_partial = fields.Boolean(data_key="partial", metadata={"description": "the table has not all rows of its files"})
    column_count = fields.Integer()
    columns_done = fields.Integer(metadata={"description": "measured so far"})
    columns = fields.List(fields.Nested(ColumnStatisticsSchema), metadata={"description": "of this page"})


class ComparisonQuery(StatisticsQuery):
    class Meta:
        exclude = ("search", "where", "orderby", "ref")

    base = text("the earlier branch, tag or commit", required=True)
    head = text("the later one; empty: the default branch")


class SideSchema(Schema):
    commit = fields.String()
    num_rows = fields.Integer()
    state = fields.String(metadata={"description": "of the statistics"})
    is_sample = fields.Boolean(data_key="sample")


class ColumnChangeSchema(Schema):
    name = fields.String()
    change = fields.String(metadata={"description": "added, removed, changed (its type), kept"})
    base_type = fields.String()
    head_type = fields.String()
    base = fields.Nested(ColumnStatisticsSchema, allow_none=True)
    head = fields.Nested(ColumnStatisticsSchema, allow_none=True)


class ComparisonSchema(Schema):
    base = fields.Nested(SideSchema, allow_none=True, metadata={"description": "null: it had no such split"})
    head = fields.Nested(SideSchema, allow_none=True)
    is_same = fields.Boolean(metadata={"description": "made of the same files"})
    column_count = fields.Integer()
    columns = fields.List(fields.Nested(ColumnChangeSchema), metadata={"description": "of this page"})


def _data_set(address: Address) -> Repository:
    repository = address.get()
    if repository.kind != _DATASET:
        raise NotFound(f"A {repository.kind} has no tables.", code="not_a_dataset")
    return repository


@blp.at("/dataviewer/statistics")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, enveloped(StatisticsSchema))
def show_statistics(query: dict[str, Any], address: Address) -> Response:
    """What is known of a split's columns, 200 at a time; those that a job has measured so far.

    The first who asks lets the job begin. Tables of up to 5 GiB are measured whole; of larger ones 100,000 rows from
    20 places stand for all (`sample`).
    """
    found = find_statistics(
        current_context(),
        _data_set(address),
        actor=current_actor(),
        config=query["config"],
        split=query["split"],
        revision=query["ref"],
        page=PageArgs(query["page"], query["per"]),
    )
    return send_json(ok(statistics_view(found)))


def statistics_view(found: Statistics) -> dict[str, Any]:
    """The statistics of a table."""
    return {
        "commit": found.commit_id,
        "state": found.state.value,
        "reason": found.reason,
        "num_rows": found.num_rows,
        "measured_rows": found.measured_rows,
        "sample": found.is_sample,
        "partial": found.is_partial,
        "column_count": found.column_count,
        "columns_done": found.columns_done,
        "columns": [_column_view(column) for column in found.columns],
    }


def _column_view(column: dict[str, Any]) -> dict[str, Any]:
    return {**column, "top": column["top"][:_TOP]} if "top" in column else column


@blp.at("/dataviewer/compare")
@blp.arguments(ComparisonQuery, location="query")
@blp.response(200, enveloped(ComparisonSchema))
def compare_tables(query: dict[str, Any], address: Address) -> Response:
    """A split at two revisions: columns that came, went or changed their type, rows, and statistics side by side."""
    found = comparison.compare_tables(
        current_context(),
        _data_set(address),
        actor=current_actor(),
        page=PageArgs(query["page"], query["per"]),
        **{name: query[name] for name in ("config", "split", "base", "head")},
    )
    view = {
        "base": _side_view(found.base),
        "head": _side_view(found.head),
        "is_same": found.is_same,
        "column_count": found.column_count,
        "columns": [
            {
                "name": each.name,
                "change": each.change,
                "base_type": each.base_type,
                "head_type": each.head_type,
                "base": each.base and _column_view(each.base),
                "head": each.head and _column_view(each.head),
            }
            for each in found.columns
        ],
    }
    return send_json(ok(view))


def _side_view(found: Statistics | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = {"commit": found.commit_id, "num_rows": found.num_rows, "state": found.state.value}
    return told | {"sample": found.is_sample}


@blp.at("/dataviewer/export")
@blp.arguments(ExportQuery, location="query")
@blp.response(200, content_type="application/octet-stream", description="the file")
def export_table(query: dict[str, Any], address: Address) -> Response:
    """What a word and a condition find in a split, as CSV, JSON lines or Parquet: the first 100,000 rows.

    `X-Rows` tells how many there are, `X-Partial: true` that there are more. In CSV, what a spreadsheet would take for
    a formula has a quotation mark before it.
    """
    context = current_context()
    names = {"config": query["config"], "split": query["split"]}
    table = open_table(context, _data_set(address), actor=current_actor(), revision=query["ref"], **names)
    words = {"search": query["search"], "where": query["where"], "order_by": query["orderby"]}
    export = export_rows(context, table, format=query["format"], **words)
    filename = f"{address.name}-{query['config']}-{query['split']}.{query['format']}"
    response = Response(export.chunks(), mimetype=FORMATS[query["format"]])
    response.call_on_close(export.close)
    response.headers.update(
        {
            "Content-Length": str(export.size_bytes),
            "Content-Disposition": disposition(filename.replace("/", "-")),
            "X-Rows": str(export.rows),
            "X-Repo-Commit": table.commit_id,
            **({"X-Partial": "true"} if export.is_cut else {}),
        }
    )
    return response
