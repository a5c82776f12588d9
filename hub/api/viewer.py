"""REST of data sets as tables: what there is, pages of rows, whole cells, pictures and sounds.

Contract: CSGHub, section 4.7 (``viewer/{file}``, ``dataviewer/catalog``, ``dataviewer/rows``).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response

from hub.api import viewer_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.schemas import RefQuery
from hub.assets.viewer import rows as service
from hub.assets.viewer.rows import Asked, RowPage
from hub.assets.viewer.tables import Catalogue, SplitState, find_catalogue
from hub.base.errors import NotFound
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ranges import Content, disposition, send_content
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.models import Repository

blp = RepositoryBlueprint("viewer", __name__, url_prefix=PREFIX, description="Data sets as tables")

_DATASET = "dataset"
_STATES = {"pending": 0, "running": 1, "ready": 2, "failed": 3}


def _data_set(address: Address) -> Repository:
    repository = address.get()
    if repository.kind != _DATASET:
        raise NotFound(f"A {repository.kind} has no tables.", code="not_a_dataset")
    return repository


@blp.at("/dataviewer/catalog")
@blp.arguments(RefQuery, location="query")
@blp.response(200, enveloped(schemas.CatalogSchema))
def show_catalog(query: dict[str, Any], address: Address) -> Response:
    """The tables of a data set: configurations, splits, their columns and rows, and what could not be read."""
    repository = _data_set(address)
    found = find_catalogue(current_context(), repository, actor=current_actor(), revision=query["ref"])
    return send_json(ok(catalog_view(found)))


def catalog_view(found: Catalogue) -> dict[str, Any]:
    """The tables of a revision in the contract's words, and more beside them."""
    splits = [split for config in found.configs for split in config.splits]
    failures = [
        {"config_name": each.config, "split": each.split, "path": each.path, "reason": each.reason}
        for each in found.failures
    ]
    reasons = [f"{each['config_name']}/{each['split']}: {each['path']}: {each['reason']}" for each in failures]
    return {
        "configs": [
            {
                "config_name": config.name,
                "format": config.format,
                "data_files": [
                    {"split": split.name, "path": [file.path for file in split.files]} for split in config.splits
                ],
            }
            for config in found.configs
        ],
        "dataset_info": [
            {"config_name": config.name, "splits": [_split_view(split) for split in config.splits]}
            for config in found.configs
        ],
        "status": _status_of(splits),
        "logs": "\n".join(reasons),
        "downloaded_size": sum(file.size_bytes for split in splits for file in split.files),
        "converted_size": sum(split.size_bytes or 0 for split in splits),
        "rows_num": sum(split.num_rows or 0 for split in splits),
        "commit": found.commit_id,
        "failures": failures,
    }


def _status_of(splits: list[SplitState]) -> int:
    states = {split.state for split in splits}
    if "pending" in states:
        return _STATES["running" if any(split.is_asked for split in splits) else "pending"]
    return _STATES["ready" if "ready" in states else "failed"]


def _split_view(split: SplitState) -> dict[str, Any]:
    return {
        "name": split.name,
        "num_examples": split.num_rows,
        "num_bytes": split.size_bytes,
        "state": split.state,
        "asked": split.is_asked,
        "reason": split.reason,
        "partial": split.is_partial,
        "progress": {"done": split.done, "total": split.total} if split.state == "pending" else {},
        "files": [{"path": file.path, "size": file.size_bytes} for file in split.files],
        "columns": [{"name": each.name, "type": each.type, "feature": each.feature} for each in split.columns],
        "notes": [{"path": path, "note": note} for path, note in split.notes],
    }


@blp.at("/dataviewer/rows")
@blp.arguments(schemas.RowsQuery, location="query")
@blp.response(200, enveloped(schemas.RowsSchema))
def list_rows(query: dict[str, Any], address: Address) -> Response:
    """A page of a split's rows, or of those that a word and a condition find, at any revision.

    While the table is being made, its first rows are there (``pending``).
    """
    asked = Asked(query["config"], query["split"], query["ref"])
    page = service.read_rows(
        current_context(),
        _data_set(address),
        asked,
        actor=current_actor(),
        offset=(query["page"] - 1) * query["per"],
        limit=query["per"],
        search=query["search"],
        where=query["where"],
        order_by=query["orderby"],
    )
    words = {name: query[name] for name in ("search", "where", "orderby")}
    return send_json(ok(rows_view(address, page, asked) | words))


@blp.at("/viewer/<path:file>")
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.RowsSchema))
def list_file_rows(query: dict[str, Any], address: Address, file: str) -> Response:
    """A page of the rows of one file, in repositories of every kind: Parquet, CSV, TSV, JSON, Arrow, archives."""
    asked = Asked(revision=query["ref"], path=file)
    page = service.read_rows(
        current_context(),
        address.get(),
        asked,
        actor=current_actor(),
        offset=(query["page"] - 1) * query["per"],
        limit=query["per"],
    )
    return send_json(ok(rows_view(address, page, asked)))


def rows_view(address: Address, page: RowPage, asked: Asked) -> dict[str, Any]:
    """A page of rows in the contract's words, and more beside them. Pictures and sounds get their addresses."""
    for number, row in zip(page.numbers, page.rows, strict=True):
        for at, cell in enumerate(row):
            if isinstance(cell, dict) and cell.get("_type") in ("image", "audio"):
                row[at] = {**cell, "src": _media_address(address, page, asked, number, at)}
    return {
        "columns": [column.name for column in page.columns],
        "columns_type": [column.type for column in page.columns],
        "features": [column.feature for column in page.columns],
        "rows": page.rows,
        "numbers": list(page.numbers),
        "truncated_cells": page.cut,
        "total": page.total,
        "total_is_exact": page.is_total_exact,
        "partial": page.is_partial,
        "pending": page.is_pending,
        "search": "",
        "where": "",
        "orderby": "",
        "sql": page.sql,
        "commit": page.commit_id,
        "failures": [
            {"config_name": page.config, "split": page.split, "path": path, "reason": reason}
            for path, reason in page.unread
        ],
        "notes": [{"path": path, "note": note} for path, note in page.notes],
    }


def _media_address(address: Address, page: RowPage, asked: Asked, row: int, column: int) -> str:
    query = {"config": page.config, "split": page.split, "file": asked.path, "ref": page.commit_id}
    query |= {"row": str(row), "column": str(column)}
    words = urlencode({name: value for name, value in query.items() if value})
    collection = address.kind.api_collection or address.kind.collection
    return f"{PREFIX}/{collection}/{address.path}/dataviewer/media?{words}"


def _table(query: dict[str, Any]) -> Asked:
    return Asked(query["config"], query["split"], query["ref"], query["file"])


@blp.at("/dataviewer/cell")
@blp.arguments(schemas.CellQuery, location="query")
@blp.response(200, enveloped(schemas.CellSchema))
def show_cell(query: dict[str, Any], address: Address) -> Response:
    """One whole value, of at most 16 MiB."""
    value = service.read_cell(
        current_context(),
        address.get(),
        _table(query),
        actor=current_actor(),
        row=query["row"],
        column=query["column"],
    )
    return send_json(ok({"value": value}))


@blp.at("/dataviewer/media")
@blp.arguments(schemas.CellQuery, location="query")
@blp.response(200, content_type="application/octet-stream", description="the picture or sound")
@blp.alt_response(206, description="the range of bytes that was asked for")
def send_media(query: dict[str, Any], address: Address) -> Response:
    """The picture or sound in a cell, of at most 32 MiB; of any size where it is a file of the repository."""
    media = service.open_media(
        current_context(),
        address.get(),
        _table(query),
        actor=current_actor(),
        row=query["row"],
        column=query["column"],
    )
    content = media.content
    is_shown = media.mimetype != "application/octet-stream"
    name = content.name.rpartition("/")[2] or "file"
    return send_content(
        Content(content.size_bytes, content.etag, content.open_range, content.local_path),
        mimetype=media.mimetype,
        headers={"Content-Disposition": disposition(name, kind="inline" if is_shown else "attachment")},
    )


@blp.at("/dataviewer/retry", method="POST")
@blp.arguments(schemas.TableQuery, location="query")
@blp.response(200, enveloped())
def retry_table(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Let a table that could not be made be tried once more; for those who may write to the repository."""
    service.try_again(current_context(), address.get(), _table(query), actor=current_actor())
    return ok()
