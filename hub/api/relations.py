"""REST of relations between repositories. Contract: CSGHub, section 4.1."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from flask import Response

from hub.accounts.policy import Action, require
from hub.api import relation_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.scopes import scope_of_word
from hub.api.views import repository_views
from hub.assets import service
from hub.base.errors import Invalid
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.kinds import find_kind, get_kind

blp = RepositoryBlueprint("relations", __name__, url_prefix=PREFIX, description="Which repositories belong together")


@blp.at("/relations")
@blp.response(200, enveloped(schemas.RelationsSchema))
def list_related(address: Address) -> Response:
    """The repositories that this one is related to, in either direction, by kind; those that the caller may see."""
    actor, context = current_actor(), current_context()
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with reading(context) as work:
        related = service.list_related(work, actor=actor, repository=address.load(work))
        for repository, view in zip(related, repository_views(work, actor, related), strict=True):
            found[schemas.collection_of(get_kind(context, repository.kind))].append(view)
    return send_json(ok(found))


@blp.at("/relations", method="PUT")
@blp.arguments(schemas.RelationsBody)
@blp.response(200, enveloped())
def set_relations(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Let what people related the repository to be these, for each kind that is named; other kinds stay."""
    context, actor = current_context(), current_actor()
    with unit_of_work(context) as work:
        repository = address.load(work)
        require(work, actor, Action.REPOSITORY_WRITE, repository)
        for collection, paths in body.items():
            kind = find_kind(context, collection)
            if kind is not None and paths is not None:
                service.set_relations(work, actor=actor, repository=repository, kind=kind.name, paths=paths)
    return ok()


@blp.at("/relations/<target>", method="POST")
@blp.arguments(schemas.RelationBody)
@blp.response(200, enveloped())
def add_relation(body: dict[str, Any], address: Address, target: str) -> dict[str, Any]:
    """Relate the repository to one of a kind: ``POST .../relations/dataset`` takes ``{"dataset": "ns/name"}``."""
    path = _path_in(body, target)
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        kind = scope_of_word(target)
        service.add_relation(work, actor=current_actor(), repository=repository, kind=kind, path=path)
    return ok()


@blp.at("/relations/<target>", method="DELETE")
@blp.arguments(schemas.RelationBody)
@blp.response(200, enveloped())
def remove_relation(body: dict[str, Any], address: Address, target: str) -> dict[str, Any]:
    """Forget a relation of the repository to one of a kind. The body is as for adding it."""
    path = _path_in(body, target)
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        kind = scope_of_word(target)
        service.remove_relation(work, actor=current_actor(), repository=repository, kind=kind, path=path)
    return ok()


def _path_in(body: dict[str, Any], target: str) -> str:
    get_kind(current_context(), scope_of_word(target))
    path: str | None = body.get(target)
    if path is None:
        raise Invalid(f"The body must name a {target}.", code="REQ-ERR-6", errors={"json": {target: ["Missing data."]}})
    return path
