"""REST of likes. Contract: CSGHub, section 4.6."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.accounts import service as accounts
from hub.api.collection_schemas import CollectionSchema, CollectionsQuery
from hub.api.collection_views import collection_views
from hub.api.envelope import enveloped, messaged, ok, plain, send_json
from hub.api.ids import ROW_ID
from hub.api.repository_schemas import RepositorySchema
from hub.api.schemas import PageQuery, text
from hub.api.views import repository_views
from hub.assets import service
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import COLLECTION, PREFIX, RepositoryBlueprint
from hub.repos.kinds import RepositoryKind
from hub.repos.service import list_repositories

blp = RepositoryBlueprint("likes", __name__, url_prefix=PREFIX, description="Likes")

_LIKES = "/user/<username>/likes"
_REPOSITORY = f"{_LIKES}/<{ROW_ID}:repository_id>"
_COLLECTION = f"{_LIKES}/collections/<{ROW_ID}:collection_id>"


class LikesQuery(PageQuery):
    search = text("words in the path, nickname or description")
    sort = text("recently_update, trending, most_download, most_favorite or most_star", default="recently_update")


@blp.put(_REPOSITORY)
@blp.response(200, enveloped())
def like_repository(username: str, repository_id: int) -> dict[str, Any]:
    """Like a repository, for oneself; by its ``repository_id``. Harmless when one does already."""
    with unit_of_work(current_context()) as work:
        user = accounts.get_user(work, username)
        service.like_repository(work, actor=current_actor(), user=user, repository_id=repository_id)
    return ok()


@blp.delete(_REPOSITORY)
@blp.response(200, enveloped())
def unlike_repository(username: str, repository_id: int) -> dict[str, Any]:
    """Like a repository no more. Harmless when one did not."""
    with unit_of_work(current_context()) as work:
        user = accounts.get_user(work, username)
        service.unlike_repository(work, actor=current_actor(), user=user, repository_id=repository_id)
    return ok()


@blp.get(f"{_LIKES}{COLLECTION}")
@blp.arguments(LikesQuery, location="query")
@blp.response(200, enveloped(RepositorySchema, many=True))
def list_liked_repositories(query: dict[str, Any], username: str, kind: RepositoryKind) -> Response:
    """The repositories of a kind that a user likes, as far as the caller, who is signed in, may see them."""
    actor = current_actor()
    with reading(current_context()) as work:
        user = accounts.get_user(work, username)
        page = list_repositories(
            work,
            actor=actor,
            kind=kind.name,
            search=query["search"],
            sort=query["sort"],
            where=[service.is_liked_by(work, actor=actor, user=user)],
            page=page_args(),
        )
        views = repository_views(work, actor, page.items)
    return send_json(messaged(views, page.total, is_estimate=page.is_estimate))


@blp.put(_COLLECTION)
@blp.response(200, enveloped())
def like_collection(username: str, collection_id: int) -> dict[str, Any]:
    """Like a collection, for oneself. Harmless when one does already."""
    with unit_of_work(current_context()) as work:
        user = accounts.get_user(work, username)
        service.like_collection(work, actor=current_actor(), user=user, collection_id=collection_id)
    return ok()


@blp.delete(_COLLECTION)
@blp.response(200, enveloped())
def unlike_collection(username: str, collection_id: int) -> dict[str, Any]:
    """Like a collection no more. Harmless when one did not."""
    with unit_of_work(current_context()) as work:
        user = accounts.get_user(work, username)
        service.unlike_collection(work, actor=current_actor(), user=user, collection_id=collection_id)
    return ok()


@blp.get(f"{_LIKES}/collections")
@blp.arguments(CollectionsQuery, location="query")
@blp.response(200, enveloped(CollectionSchema, many=True))
def list_liked_collections(query: dict[str, Any], username: str) -> Response:
    """The collections that a user likes, as far as the caller, who is signed in, may see them."""
    actor = current_actor()
    with reading(current_context()) as work:
        user = accounts.get_user(work, username)
        page = service.list_collections(work, actor=actor, liked_by=user, page=page_args(), **query)
        return send_json(plain(collection_views(work, actor, page.items), page.total))
