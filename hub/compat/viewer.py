"""Data sets as tables, for the library ``datasets``. Source: Hugging Face contract, section 13.

Its clients ask a host called like the hub's with ``datasets-server.`` before it (``http://datasets-server.hub/hf/info``).
Such requests are led to the routes below ``/-/datasets-server``, which serve under every host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request

from hub.assets.service.parquet import PARTIAL, Converted, current_commit, find_converted
from hub.assets.viewer.tables import SplitState, find_catalogue
from hub.base.errors import NotFound
from hub.compat import viewer_schemas as schemas
from hub.compat import views
from hub.compat.addresses import PREFIXES, CompatBlueprint, Place, client_url
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.files import send_file
from hub.repos import contents
from hub.repos.gates import check_content
from hub.repos.kinds import get_kind
from hub.repos.mirrored import get_mirror_or_local
from hub.repos.models import Repository

blp = CompatBlueprint("viewer", __name__, description="Data sets as tables")
server = CompatBlueprint("datasets_server", __name__, description="Data sets as tables, for the library datasets")

ROOT = "/-/datasets-server"
_HOST = "datasets-server."
_PREFIX = "hub.viewer_prefix"
_DATASET = "dataset"

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


def lead_hosts(app: Flask) -> None:
    """Lead requests to hosts that begin with ``datasets-server.`` to the routes below ``ROOT``."""
    serve: Application = app.wsgi_app

    def lead(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if str(environ.get("HTTP_HOST", "")).lower().startswith(_HOST):
            path = str(environ.get("PATH_INFO", ""))
            first, slash, rest = path.lstrip("/").partition("/")
            prefix = first if slash and first in PREFIXES else ""
            environ[_PREFIX] = prefix
            environ["PATH_INFO"] = f"{ROOT}/{rest if prefix else path.lstrip('/')}"
            for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST"):
                if str(environ.get(name, "")).lower().startswith(_HOST):
                    environ[name] = str(environ[name])[len(_HOST) :]
        return serve(environ, start)

    app.wsgi_app = lead  # type: ignore[assignment,method-assign]  # as Flask's documentation says


def find_data_set(name: str) -> Repository:
    """The data set that a query names, for whoever gets its content. Raises NotFound, NotSignedIn, Denied."""
    context, actor = current_context(), current_actor()
    hub = request.environ.get(_PREFIX) or "hf"
    kind = get_kind(context, _DATASET)
    with reading(context) as work:
        repository = get_mirror_or_local(work, actor=actor, kind=kind.name, path=name, hub=hub)
    check_content(context, actor, repository)
    return repository


def _converted(repository: Repository) -> Converted:
    found = find_converted(current_context(), repository)
    if found is None:
        raise NotFound("The data set's tables are not there as Parquet, or not yet.", code="not_converted")
    return found


def _failed(converted: Converted) -> list[dict[str, Any]]:
    return [
        {"config": failure.config, "split": failure.split, "error": {"error": failure.reason}}
        for failure in converted.failed
    ]


def _file_url(repository: Repository, path: str) -> str:
    prefix = request.environ.get(_PREFIX, "")
    head = f"{prefix}/" if prefix else ""
    return client_url(f"{head}datasets/{repository.path}/resolve/refs%2Fconvert%2Fparquet/{path}")


@server.get("/is-valid")
@server.arguments(schemas.HubTableQuery, location="query")
@server.response(200, schemas.HubValidSchema)
def show_validity(query: dict[str, Any]) -> dict[str, bool]:
    """What can be asked of a data set: of one split of it at least."""
    repository = find_data_set(query["dataset"])
    found = find_catalogue(current_context(), repository, actor=current_actor())
    wanted = [config for config in found.configs if query["config"] in ("", config.name)]
    states = {split.state for config in wanted for split in config.splits}
    is_ready = "ready" in states
    # The first rows are there before the table is.
    return {"preview": is_ready or "pending" in states} | dict.fromkeys(
        ("viewer", "search", "filter", "statistics"), is_ready
    )


@server.get("/splits")
@server.arguments(schemas.HubTableQuery, location="query")
@server.response(200, schemas.HubSplitsSchema)
def list_splits(query: dict[str, Any]) -> Response:
    """The configurations and splits of a data set, as the names of its files or its card tell."""
    repository = find_data_set(query["dataset"])
    found = find_catalogue(current_context(), repository, actor=current_actor())
    splits = [(config.name, split) for config in found.configs for split in config.splits]
    wanted = [(config, split) for config, split in splits if query["config"] in ("", config)]
    answer = {
        "splits": [{"dataset": repository.path, "config": config, "split": split.name} for config, split in wanted],
        "pending": pending_view(repository, wanted),
        "failed": failed_view(repository, wanted),
    }
    return views.send_json(answer, {"X-Revision": found.commit_id})


def pending_view(repository: Repository, splits: Sequence[tuple[str, SplitState]]) -> list[dict[str, Any]]:
    """The splits, by configuration, whose tables are still to be made."""
    return [
        {"dataset": repository.path, "config": config, "split": split.name}
        for config, split in splits
        if split.state == "pending"
    ]


def failed_view(repository: Repository, splits: Sequence[tuple[str, SplitState]]) -> list[dict[str, Any]]:
    """The splits, by configuration, that cannot be read, and why."""
    return [
        {"dataset": repository.path, "config": config, "split": split.name, "error": {"error": split.reason}}
        for config, split in splits
        if split.state == "failed"
    ]


@server.get("/info")
@server.arguments(schemas.HubTableQuery, location="query")
@server.response(200, schemas.HubTableInfoSchema)
def show_info(query: dict[str, Any]) -> Response:
    """Columns and sizes of a data set's tables, by configuration."""
    context, repository = current_context(), find_data_set(query["dataset"])
    converted = _converted(repository)
    told: dict[str, Any] = {}
    for config in converted.configs:
        if query["config"] not in ("", config.name):
            continue
        info: dict[str, Any] = {"config_name": config.name, "dataset_name": repository.name, "builder_name": "parquet"}
        if config.features is not None:
            info["features"] = config.features
        if all(split.rows is not None for split in config.splits):
            info["splits"] = {
                split.name: {
                    "name": split.name,
                    "num_bytes": split.size_bytes,
                    "num_examples": split.rows,
                    "dataset_name": repository.name,
                }
                for split in config.splits
            }
        info["download_size"] = sum(file.size_bytes for split in config.splits for file in split.files)
        told[config.name] = info
    if query["config"]:
        found = told.get(query["config"])
        if found is None:
            raise NotFound("The data set has no such configuration.", code="config_not_found")
        told = found
    # By this header the client goes by what is told when it reads the files itself, and a reader of CSV may take a
    # column for another type than ours.
    is_safe = all(config.is_same for config in converted.configs)
    headers = {"X-Revision": current_commit(context, repository, converted)} if is_safe else None
    answer = {
        "dataset_info": told,
        "partial": converted.is_partial,
        "pending": [],
        "failed": _failed(converted),
    }
    return views.send_json(answer, headers)


@server.get("/parquet")
@server.arguments(schemas.HubTableQuery, location="query")
@server.response(200, schemas.HubParquetSchema)
def list_parquet_files(query: dict[str, Any]) -> Response:
    """The Parquet files of a data set's tables."""
    context, repository = current_context(), find_data_set(query["dataset"])
    converted = _converted(repository)
    files = [
        {
            "dataset": repository.path,
            "config": config.name,
            "split": split.name,
            "url": _file_url(repository, file.path),
            "filename": file.path.rpartition("/")[2],
            "size": file.size_bytes,
        }
        for config in converted.configs
        if query["config"] in ("", config.name)
        for split in config.splits
        for file in split.files
    ]
    answer = {
        "parquet_files": files,
        "partial": converted.is_partial,
        "pending": [],
        "failed": _failed(converted),
    }
    return views.send_json(answer, {"X-Revision": current_commit(context, repository, converted)})


# The same files below the data set's own address.


def _tables(place: Place) -> tuple[Repository, Converted]:
    repository = place.get()
    if repository.kind != _DATASET:
        raise NotFound(f"A {repository.kind} has no tables.", code="not_a_dataset")
    check_content(current_context(), current_actor(), repository)
    return repository, _converted(repository)


@blp.at("/parquet", "/parquet/<config>", "/parquet/<config>/<split>")
@blp.response(200, {"type": "object"}, description="addresses by split, by configuration; or of one of them")
def show_parquet(place: Place, config: str = "", split: str = "") -> Response:
    """The addresses of the Parquet files of a data set's tables."""
    repository, converted = _tables(place)
    found = {
        found.name: {
            part.name: [client_url_of(place, repository, found.name, part.name, at) for at in range(len(part.files))]
            for part in found.splits
        }
        for found in converted.configs
    }
    told: Any = found
    for name in filter(None, (config, split)):
        if name not in told:
            raise NotFound("The data set has no such table.", code="entry_not_found")
        told = told[name]
    return views.send_json(told)


def client_url_of(place: Place, repository: Repository, config: str, split: str, number: int) -> str:
    """The address of one of a table's files."""
    return client_url(f"api/datasets/{repository.path}/parquet/{quote(config)}/{split}/{number}.parquet")


@blp.at("/parquet/<config>/<split>/<int:number>.parquet")
@blp.response(200, content_type="application/octet-stream", description="the file's bytes")
@blp.alt_response(206, description="the range of bytes that was asked for")
@blp.alt_response(302, description="to the object store, which sends the bytes")
def send_parquet(place: Place, config: str, split: str, number: int) -> Response:
    """One of a table's Parquet files."""
    context, actor = current_context(), current_actor()
    repository, converted = _tables(place)
    name = split.removeprefix(PARTIAL)
    files = [
        file.path
        for found in converted.configs
        if found.name == config
        for part in found.splits
        if part.name == name
        for file in part.files
    ]
    if number >= len(files):
        raise NotFound("The data set has no such file.", code="entry_not_found", commit_id=converted.commit_id)
    file = contents.open_file(context, repository, actor=actor, path=files[number], revision=converted.commit_id)
    return send_file(context, file, repository_id=repository.id, redirects_head=False)
