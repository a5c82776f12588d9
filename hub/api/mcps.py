"""REST of what MCP servers offer and how they would be started. Contract: CSGHub, sections 4.3 and 5.3."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response

from hub.api import mcp_schemas as schemas
from hub.api.envelope import enveloped, ok, paged, send_json
from hub.api.views import label_view
from hub.assets.records import mcp
from hub.assets.records.mcp import ListedProperty
from hub.assets.records.mcp_form import COMMANDS, Launch
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("mcps", __name__, url_prefix=PREFIX, description="What MCP servers offer")

_NOTHING = asdict(Launch("", transport=""))


def _view(listed: ListedProperty) -> dict[str, Any]:
    row = listed.row
    return {
        "id": row.id,
        "mcp_server_id": row.repository_id,
        "repository_id": row.repository_id,
        "kind": row.kind,
        "name": row.name,
        "description": row.description,
        "schema": row.schema,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "repo_path": listed.repository_path,
        "tags": [label_view(label) for label in listed.labels],
    }


@blp.get("/mcps/tools")
@blp.arguments(schemas.McpToolsQuery, location="query")
@blp.response(200, enveloped(schemas.McpPropertySchema, paged=True))
def list_mcp_tools(query: dict[str, Any]) -> Response:
    """The tools of all MCP servers, as far as the caller gets their content."""
    with reading(current_context()) as work:
        page = mcp.list_properties(work, actor=current_actor(), kind="tool", search=query["search"], page=page_args())
        views = [_view(listed) for listed in page.items]
    return send_json(paged(views, page.total, is_estimate=page.is_estimate))


@blp.at("/properties", segment="mcps")
@blp.arguments(schemas.McpPropertiesQuery, location="query")
@blp.response(200, enveloped(schemas.McpPropertySchema, many=True))
def list_mcp_properties(query: dict[str, Any], address: Address) -> Response:
    """The tools, prompts and resources that the files of one server declare."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = address.load(work)
        page = mcp.list_properties(
            work,
            actor=actor,
            kind=query["kind"],
            search=query["search"],
            repository=repository,
            page=page_args(),
        )
        views = [_view(listed) for listed in page.items]
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))


@blp.at("/launch", segment="mcps")
@blp.response(200, enveloped(schemas.McpLaunchSchema))
def show_mcp_launch(address: Address) -> Response:
    """How a server would be started: by its files, over which its owner's configuration counts. Nothing is run."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = address.load(work)
        found = mcp.find_launch(work, actor=actor, repository=repository)
    chosen = found.chosen
    view = asdict(chosen) if chosen else _NOTHING
    commands = {name: found.commands.get(name, "") for name in ("program_language", "run_mode", *COMMANDS)}
    return send_json(
        ok(
            view
            | commands
            | {
                "env_schema": mcp.schema_of(chosen.env) if chosen else {},
                "options": [asdict(option) for option in found.options],
                "problems": found.problems,
                "commit_id": found.commit_id,
            }
        )
    )
