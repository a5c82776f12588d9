"""Rows of data sets' tables, and how much they hold, as Hugging Face's data set viewer tells them.

Sources: its documentation, /rows, /first-rows and /size; Hugging Face contract, section 13.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from hub.assets.viewer.rows import Asked, read_rows
from hub.assets.viewer.tables import SplitState, find_catalogue
from hub.base.errors import NotFound
from hub.compat import viewer_schemas as schemas
from hub.compat import views
from hub.compat.viewer import failed_view, find_data_set, pending_view
from hub.compat.viewer import server as server
from hub.compat.viewer_queries import MAX_LENGTH, HubRowsQuery, HubRowsSchema, HubSplitQuery, rows_view
from hub.http.actor import current_actor
from hub.http.context import current_context


class HubSizeSchema(schemas.HubTablesSchema):
    size = fields.Dict(metadata={"description": "of the data set, its configurations and their splits"})
    is_partial = fields.Boolean(data_key="partial")


class HubFirstRowsSchema(Schema):
    dataset = fields.String()
    config = fields.String()
    split = fields.String()
    features = fields.List(fields.Dict())
    rows = fields.List(fields.Dict())
    is_truncated = fields.Boolean(data_key="truncated", metadata={"description": "there are more rows"})


@server.get("/rows")
@server.arguments(HubRowsQuery, location="query")
@server.response(200, HubRowsSchema)
def list_rows(query: dict[str, Any]) -> Response:
    """Rows of a split from an offset on, at most 100."""
    repository = find_data_set(query["dataset"])
    page = read_rows(
        current_context(),
        repository,
        Asked(query["config"], query["split"], query["revision"]),
        actor=current_actor(),
        offset=query["offset"],
        limit=query["length"],
    )
    return views.send_json(rows_view(repository, page), {"X-Revision": page.commit_id})


@server.get("/first-rows")
@server.arguments(HubSplitQuery, location="query")
@server.response(200, HubFirstRowsSchema)
def list_first_rows(query: dict[str, Any]) -> Response:
    """The first 100 rows of a split."""
    repository = find_data_set(query["dataset"])
    asked = Asked(query["config"], query["split"], query["revision"])
    page = read_rows(current_context(), repository, asked, actor=current_actor(), limit=MAX_LENGTH)
    view = rows_view(repository, page)
    answer = {
        "dataset": repository.path,
        "config": page.config,
        "split": page.split,
        "features": view["features"],
        "rows": view["rows"],
        "truncated": page.total > len(page.rows) or page.is_partial,
    }
    return views.send_json(answer, {"X-Revision": page.commit_id})


@server.get("/size")
@server.arguments(schemas.HubTableQuery, location="query")
@server.response(200, HubSizeSchema)
def show_size(query: dict[str, Any]) -> Response:
    """How many rows and bytes a data set has, by configuration and split; of what is known so far."""
    repository = find_data_set(query["dataset"])
    found = find_catalogue(current_context(), repository, actor=current_actor())
    wanted = [config for config in found.configs if query["config"] in ("", config.name)]
    if query["config"] and not wanted:
        raise NotFound("The data set has no such configuration.", code="config_not_found")
    splits = [(config.name, split) for config in wanted for split in config.splits]
    known = [(config, split) for config, split in splits if split.state == "ready"]
    by_config = {config.name: [split for name, split in known if name == config.name] for config in wanted}
    told: dict[str, Any] = {
        "configs": [
            {"dataset": repository.path, "config": name, **_sum(of_config), "num_columns": _columns(of_config)}
            for name, of_config in by_config.items()
        ],
        "splits": [
            {
                "dataset": repository.path,
                "config": config,
                "split": split.name,
                **_sum([split]),
                "num_columns": len(split.columns),
            }
            for config, split in known
        ],
    }
    if query["config"]:
        told["config"] = told.pop("configs")[0]
    else:
        told = {"dataset": {"dataset": repository.path, **_sum([split for _, split in known])}, **told}
    answer = {
        "size": told,
        "pending": pending_view(repository, splits),
        "failed": failed_view(repository, splits),
        "partial": any(split.is_partial for _, split in splits),
    }
    return views.send_json(answer, {"X-Revision": found.commit_id})


def _sum(splits: list[SplitState]) -> dict[str, int]:
    return {
        "num_bytes_original_files": sum(file.size_bytes for split in splits for file in split.files),
        "num_bytes_parquet_files": sum(split.size_bytes or 0 for split in splits),
        "num_rows": sum(split.num_rows or 0 for split in splits),
    }


def _columns(splits: list[SplitState]) -> int:
    return max((len(split.columns) for split in splits), default=0)
