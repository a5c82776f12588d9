"""REST of watched repositories: how much of what happens in one the caller is told. Ours, not of the contract."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped, ok, paged
from hub.api.schemas import Body, PageQuery
from hub.community.service import watches as service
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.models import Repository

blp = RepositoryBlueprint("watches", __name__, url_prefix=PREFIX, description="Watched repositories")

_LEVELS = [level.value for level in service.Level]
_WORDS = "all: everything that is said in it; participating: what one takes part in; ignore: nothing of it"


class WatchBody(Body):
    level = fields.String(required=True, validate=validate.OneOf(_LEVELS), metadata={"description": _WORDS})


class WatchSchema(Schema):
    level = fields.String(metadata={"description": _WORDS})
    watchers = fields.Integer(metadata={"description": "how many are told of everything in it"})


class WatchedSchema(Schema):
    type = fields.String(metadata={"description": "the kind of the repository"})
    path = fields.String()
    level = fields.String(metadata={"description": _WORDS})


def _view(work: UnitOfWork, repository: Repository) -> dict[str, Any]:
    level = service.find_level(work, actor=current_actor(), repository_id=repository.id)
    return {"level": level.value, "watchers": service.count_watchers(work, repository_id=repository.id)}


@blp.at("/watch")
@blp.response(200, enveloped(WatchSchema))
def show_watch(address: Address) -> dict[str, Any]:
    """How much the caller is told of a repository; who has said nothing, and who is nobody, takes part."""
    with reading(current_context()) as work:
        return ok(_view(work, address.load(work)))


@blp.at("/watch", method="PUT")
@blp.arguments(WatchBody)
@blp.response(200, enveloped(WatchSchema))
def set_watch(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Say how much one wants to be told of a repository. What one said of a single discussion is stronger."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        service.set_level(work, actor=current_actor(), repository=repository, level=service.Level(body["level"]))
        return ok(_view(work, repository))


@blp.get("/notifications/watches")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(WatchedSchema, paged=True))
def list_watched(query: dict[str, Any]) -> dict[str, Any]:
    """The repositories about which the caller said how much they want to be told, those said last first."""
    with reading(current_context()) as work:
        page = service.list_watched(work, actor=current_actor(), page=page_args())
    views = [{"type": one.repository.kind, "path": one.repository.path, "level": one.level.value} for one in page.items]
    return paged(views, page.total)
