"""What a repository comes from and what comes from it: a graph, the same as a list, and its correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.assets.models_lineage import RelationType
from hub.assets.service import relations
from hub.assets.service.lineage import MAX_DEPTH, Direction, Edge, Graph, Node, find_lineage
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.service import get_readable
from hub.web.repository import RepositoryPage, open_page_in, render_repository_page
from hub.web.routing import REPOSITORY, repository_url

blueprint = Blueprint("lineage_pages", __name__)


@blueprint.get(f"{REPOSITORY}/lineage")
def show_lineage(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The graph around a repository."""
    actor = current_actor()
    depth = request.args.get("depth", "1")
    levels = min(int(depth), MAX_DEPTH) if depth.isascii() and depth.isdigit() and int(depth) else 1
    direction = request.args.get("direction", "")
    way = Direction(direction) if direction in set(Direction) else Direction.BOTH
    wanted = [RelationType(word) for word in request.args.getlist("type") if word in set(RelationType)]
    with reading(current_context()) as work:
        repo = open_page_in(work, kind, namespace, name, tab="lineage")
        repository = get_readable(work, actor=actor, kind=kind.name, path=repo.path)
        graph = find_lineage(
            work,
            actor=actor,
            repository=repository,
            depth=levels,
            direction=way,
            types=wanted,
            with_runs=request.args.get("runs") == "true",
        )
        own = _own(work, repo, repository)
    return render_repository_page(
        "lineage/page.html",
        repo,
        page="L1",
        state="ready" if graph.edges else "empty",
        graph=graph,
        drawn=_drawn(graph),
        links=_links(graph),
        own=own,
        levels=levels,
        most_levels=MAX_DEPTH,
        way=way.value,
        wanted=[one.value for one in wanted],
        types=[one.value for one in RelationType],
        kind_names=[each.name for each in current_context()[KINDS].values()],
    )


def _own(work: UnitOfWork, repo: RepositoryPage, repository: Any) -> list[dict[str, Any]]:
    """The relations that a writer may correct, denied ones too."""
    if not repo.access.can_write:
        return []
    rows = relations.list_own_relations(work, actor=current_actor(), repository=repository)
    ids = [row.target_id for row in rows if row.target_id is not None]
    paths = relations.paths_of(work, actor=current_actor(), repository_ids=ids)
    found = []
    for row in rows:
        kind, path = paths.get(row.target_id or 0) or (row.named_kind, row.named)
        found.append({"row": row, "kind": kind, "path": path})
    return found


def _url(node: Node) -> str:
    """Where a node leads; "": nowhere."""
    if node.repository_id is None or node.run is not None:
        return ""
    return repository_url(current_context(), node.kind, node.path)


def _drawn(graph: Graph) -> dict[str, Any]:
    """The graph as the script draws it."""
    titles = {kind.name: gettext(kind.title) for kind in current_context()[KINDS].values()}
    return {
        "root": graph.root,
        "nodes": [
            {
                "id": node.id,
                "title": node.path,
                "kind": titles.get(node.kind, node.kind),
                "url": _url(node),
                "form": "run" if node.run else "private" if node.is_private else "outside" if node.is_external else "",
                "more": max(node.parents, node.children),
            }
            for node in graph.nodes
        ],
        "edges": [
            {"source": edge.source, "target": edge.target, "type": edge.type.value, "trusted": edge.is_trusted}
            for edge in graph.edges
        ],
    }


def _links(graph: Graph) -> Sequence[tuple[Edge, Node, Node, str, str]]:
    """The relations with their two ends and where these lead, upwards ones first."""
    nodes = {node.id: node for node in graph.nodes}
    found = [
        (edge, nodes[edge.source], nodes[edge.target], _url(nodes[edge.source]), _url(nodes[edge.target]))
        for edge in graph.edges
    ]
    return sorted(found, key=lambda link: (link[2].depth >= 0, abs(link[2].depth), link[1].path))
