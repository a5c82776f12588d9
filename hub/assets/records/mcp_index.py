"""The indexer of MCP servers: what their files declare, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from hub.assets.indexing import IndexRun
from hub.assets.models_records import McpProperty, McpServer
from hub.assets.records.mcp_form import FILES, MAX_FILE_BYTES, Property, Server, parse_server
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, unit_of_work
from hub.git import tree
from hub.git.types import EntryKind
from hub.repos.lookup import repository_path


def index_server(run: IndexRun) -> None:
    """Let the records of a repository be what the files of its root say."""
    server = Server()
    if run.commit_id:
        server = offload(_read, repository_path(run.context.settings, run.repository), run.commit_id)
    with unit_of_work(run.context) as work:
        run.finish(work)
        _write_server(work, run, server)
        _write_properties(work, run.repository.id, server.properties)


def _read(path: Path, commit_id: str) -> Server:
    return parse_server(dict(_files(path, commit_id)))


def _files(path: Path, commit_id: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in tree.find_entries(path, commit_id, FILES)[1]:
        if entry is not None and entry.kind is EntryKind.FILE and entry.lfs is None:
            # One byte more than is read tells that the file is too large.
            data = tree.read_blob(path, entry.oid, limit_bytes=MAX_FILE_BYTES + 1).data
            found.append((entry.path, data))
    return found


def _write_server(work: UnitOfWork, run: IndexRun, server: Server) -> None:
    row = work.session.get(McpServer, run.repository.id)
    if row is None:
        row = McpServer(repository_id=run.repository.id)
        work.session.add(row)
    kinds = [kind for kind, _name in server.properties]
    row.title, row.description, row.version = server.title, server.description, server.version
    row.transports = list(dict.fromkeys(option.transport for option in server.options))
    row.tools_num, row.prompts_num = kinds.count("tool"), kinds.count("prompt")
    row.resources_num = kinds.count("resource") + kinds.count("resource_template")
    row.launch = {"options": [asdict(option) for option in server.options], "commands": server.commands}
    row.sources, row.problems = server.sources, server.problems
    row.commit_id, row.updated_at = run.commit_id, work.now()


def _write_properties(work: UnitOfWork, repository_id: int, found: Mapping[tuple[str, str], Property]) -> None:
    now = work.now()
    rows = work.session.scalars(select(McpProperty).where(McpProperty.repository_id == repository_id))
    known = {(row.kind, row.name): row for row in rows}
    gone = [row.id for key, row in known.items() if key not in found]
    if gone:
        work.session.execute(delete(McpProperty).where(McpProperty.id.in_(gone)))
    for key, item in found.items():
        row = known.get(key)
        values: dict[str, Any] = {
            "description": item.description,
            "schema": item.schema,
            "search_text": f"{item.name}\n{item.description}".lower(),
        }
        if row is None:
            row = McpProperty(
                repository_id=repository_id, kind=item.kind, name=item.name, created_at=now, updated_at=now
            )
            work.session.add(row)
        elif all(getattr(row, name) == value for name, value in values.items()):
            continue
        for name, value in values.items():
            setattr(row, name, value)
        row.updated_at = now
