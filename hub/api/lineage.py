"""REST of lineage: the graph around a repository, and the relations that its writers correct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Response

from hub.accounts.policy import Actor
from hub.api import lineage_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.ids import ROW_ID
from hub.assets.models_lineage import Relation, RelationType
from hub.assets.service import relations as service
from hub.assets.service.lineage import Direction, Edge, Node, find_lineage
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("lineage", __name__, url_prefix=PREFIX, description="What comes from what")

_RELATIONS = "/lineage/relations"
_RELATION = f"{_RELATIONS}/<{ROW_ID}:relation_id>"


@blp.at("/lineage")
@blp.arguments(schemas.LineageQuery, location="query")
@blp.response(200, schemas.LineageEnvelope)
def show_lineage(query: dict[str, Any], address: Address) -> Response:
    """What a repository comes from, and what comes from it, as far as the caller may see it."""
    with reading(current_context()) as work:
        graph = find_lineage(
            work,
            actor=current_actor(),
            repository=address.load(work),
            depth=query["depth"],
            direction=Direction(query["direction"]),
            types=_types_in(query["types"]),
            with_runs=query["runs"],
        )
    return send_json(
        ok(
            {
                "root": graph.root,
                "nodes": [_node_view(node) for node in graph.nodes],
                "edges": [_edge_view(edge) for edge in graph.edges],
                "counts": graph.counts,
                "truncated": graph.is_truncated,
            }
        )
    )


@blp.at(_RELATIONS)
@blp.response(200, schemas.OwnRelationsEnvelope)
def list_own_relations(address: Address) -> dict[str, Any]:
    """Every relation of a repository to others, those that are denied, too. For those who may write to it."""
    actor = current_actor()
    with reading(current_context()) as work:
        rows = service.list_own_relations(work, actor=actor, repository=address.load(work))
        return ok(_relation_views(work, actor, rows), total=len(rows))


@blp.at(_RELATIONS, method="POST")
@blp.arguments(schemas.NewRelationBody)
@blp.response(200, schemas.OwnRelationEnvelope)
def create_relation(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Say what a repository is to another one. Harmless when it is said already; what was denied is so no more."""
    actor, context, repository = current_actor(), current_context(), address.get()
    relation_id = service.create_relation(
        context,
        actor=actor,
        repository_id=repository.id,
        type=RelationType(body.pop("type")),
        is_external=body.pop("external"),
        **body,
    )
    with reading(context) as work:
        return ok(_relation_views(work, actor, [work.session.get_one(Relation, relation_id)])[0])


@blp.at(_RELATION, method="PATCH")
@blp.arguments(schemas.RelationChangeBody)
@blp.response(200, schemas.OwnRelationEnvelope)
def update_relation(body: dict[str, Any], address: Address, relation_id: int) -> dict[str, Any]:
    """Correct a relation: give it another type, deny it or take that back, give it a note."""
    if not body:
        raise Invalid("Say what is to change: 'type', 'denied' or 'note'.", code="REQ-ERR-4")
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        row = service.update_relation(
            work,
            actor=actor,
            repository=address.load(work),
            relation_id=relation_id,
            type=RelationType(body["type"]) if "type" in body else None,
            is_denied=body.get("denied"),
            note=body.get("note"),
        )
        return ok(_relation_views(work, actor, [row])[0])


@blp.at(_RELATION, method="DELETE")
@blp.response(200, enveloped())
def delete_relation(address: Address, relation_id: int) -> dict[str, Any]:
    """Forget a relation that a person said; one that a card says, or that is inferred, is denied."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.delete_relation(work, actor=current_actor(), repository=repository, relation_id=relation_id)
    return ok()


def _types_in(text: str) -> list[RelationType]:
    try:
        return [RelationType(word) for word in text.split(",") if word]
    except ValueError:
        allowed = [type.value for type in RelationType]
        raise Invalid(
            f"'types' are some of {', '.join(allowed)}.", code="REQ-ERR-6", query="types", allowed=allowed
        ) from None


def _node_view(node: Node) -> dict[str, Any]:
    view = asdict(node)
    return view | {"external": view.pop("is_external"), "private": view.pop("is_private")}


def _edge_view(edge: Edge) -> dict[str, Any]:
    view = asdict(edge)
    return view | {"trusted": view.pop("is_trusted")}


def _relation_views(work: UnitOfWork, actor: Actor, rows: Sequence[Relation]) -> list[dict[str, Any]]:
    paths = service.paths_of(work, actor=actor, repository_ids=[row.target_id for row in rows])
    return [_relation_view(row, paths) for row in rows]


def _relation_view(row: Relation, paths: dict[int, service.Target]) -> dict[str, Any]:
    seen = paths.get(row.target_id) if row.target_id is not None else None
    kind, path = seen or (row.named_kind, row.named)
    return {
        "id": row.id,
        "type": row.type.value,
        "repository_id": row.target_id if seen else None,
        "kind": kind,
        "path": path,
        "external": seen is None and bool(row.named),
        "private": seen is None and not row.named,
        "origin": row.origin.value,
        "trusted": row.is_trusted,
        "denied": row.is_denied,
        "source_commit": row.source_commit,
        "target_commit": row.target_commit,
        "note": row.note,
        "created_at": row.created_at,
    }
