"""MCP servers: what one offers and how it is started, and the tools of all of them."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.assets.indexing import find_status
from hub.assets.records.mcp import find_launch, find_servers, list_properties
from hub.assets.records.mcp_form import COMMANDS, KINDS
from hub.base.errors import NotFound
from hub.base.paging import MAX_PER
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import RepositoryKind, get_kind
from hub.repos.lookup import get_readable
from hub.web.pages import render_page
from hub.web.records import MAX_WORDS_CHARS, arguments_of, client_configuration, is_read_by, load_schema
from hub.web.repository import open_page_in, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("mcp_pages", __name__)

STEP = "mcp"


def kind_titles() -> dict[str, str]:
    """What a server offers, by the words of the address."""
    return {
        "tool": gettext("Tools"),
        "prompt": gettext("Prompts"),
        "resource": gettext("Resources"),
        "resource_template": gettext("Resource templates"),
    }


def _words() -> str:
    return request.args.get("search", "").strip()[:MAX_WORDS_CHARS]


@blueprint.get("/mcp/tools")
def show_tools() -> Response:
    """The tools of all servers whose content the viewer gets."""
    context, args, search = current_context(), page_args(), _words()
    with reading(context) as work:
        found = list_properties(work, actor=current_actor(), kind="tool", search=search, page=args)
    return render_page(
        "mcp/tools.html",
        page="M4",
        state="ready" if found.items else "empty",
        kind=get_kind(context, "mcpserver"),
        found=found,
        args=args,
        search=search,
        arguments_of=arguments_of,
    )


@blueprint.get(f"{REPOSITORY}/schema")
def show_schema(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """What a server offers (``show``: one of ``KINDS``), how it is started, and what a client is told of it."""
    context, actor, args = current_context(), current_actor(), page_args(default=MAX_PER)
    asked = request.args.get("show", "")
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab="schema")
        if kind.name != "mcpserver":
            raise NotFound("This is no MCP server.", code="not_an_mcp_server")
        row = get_readable(work, actor=actor, repository_id=repo.id)
        launch = find_launch(work, actor=actor, repository=row)
        server = find_servers(work, [repo.id]).get(repo.id)
        shown = asked if asked in KINDS else ""
        found = list_properties(work, actor=actor, kind=shown, search=_words(), repository=row, page=args)
    chosen = launch.chosen
    return render_repository_page(
        "mcp/schema.html",
        repo,
        page="M2",
        state="ready" if server else "empty",
        server=server,
        launch=launch,
        chosen=chosen,
        commands=[(each, launch.commands[each]) for each in COMMANDS if launch.commands.get(each)],
        configuration=client_configuration(repo.shown.name, chosen) if chosen else "",
        found=found,
        args=args,
        shown=shown,
        titles=kind_titles(),
        search=_words(),
        arguments_of=arguments_of,
        pretty=lambda item: json.dumps(load_schema(item), indent=2, ensure_ascii=False),
        schema_of=load_schema,
        is_read=is_read_by(find_status(context, row, actor=actor), STEP),
    )
