"""REST of collections. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.accounts import service as accounts
from hub.api import collection_schemas as schemas
from hub.api.collection_views import collection_view, collection_views
from hub.api.envelope import enveloped, messaged, ok, plain, send_json
from hub.api.ids import ROW_ID
from hub.assets import service
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("collections", __name__, url_prefix=PREFIX, description="Collections of repositories")

_COLLECTION = f"/collections/<{ROW_ID}:collection_id>"


def _answer(collection_id: int) -> Response:
    """The collection as it stands now."""
    actor = current_actor()
    with reading(current_context()) as work:
        collection = service.get_collection(work, actor=actor, collection_id=collection_id)
        return send_json(ok(collection_view(work, actor, collection)))


@blp.get("/collections")
@blp.arguments(schemas.CollectionsQuery, location="query")
@blp.response(200, enveloped(schemas.CollectionSchema, many=True))
def list_collections(query: dict[str, Any]) -> Response:
    """The collections that the caller may see, each with the first ten of its repositories."""
    actor = current_actor()
    with reading(current_context()) as work:
        page = service.list_collections(work, actor=actor, page=page_args(), **query)
        return send_json(plain(collection_views(work, actor, page.items), page.total))


@blp.get("/user/<username>/collections")
@blp.arguments(schemas.CollectionsQuery, location="query")
@blp.response(200, enveloped(schemas.CollectionSchema, many=True))
def list_user_collections(query: dict[str, Any], username: str) -> Response:
    """The collections that a user owns, as far as the caller may see them."""
    actor = current_actor()
    with reading(current_context()) as work:
        owner = accounts.get_namespace(work, username).path
        page = service.list_collections(work, actor=actor, namespace=owner, page=page_args(), **query)
        return send_json(plain(collection_views(work, actor, page.items), page.total))


@blp.get("/organization/<namespace>/collections")
@blp.arguments(schemas.CollectionsQuery, location="query")
@blp.response(200, enveloped(schemas.CollectionSchema, many=True))
def list_organization_collections(query: dict[str, Any], namespace: str) -> Response:
    """The collections that an organisation owns, as far as the caller may see them."""
    actor = current_actor()
    with reading(current_context()) as work:
        owner = accounts.get_namespace(work, namespace).path
        page = service.list_collections(work, actor=actor, namespace=owner, page=page_args(), **query)
        views = collection_views(work, actor, page.items)
    return send_json(messaged(views, page.total, is_estimate=page.is_estimate))


@blp.post("/collections")
@blp.arguments(schemas.CollectionBody)
@blp.response(200, enveloped(schemas.CollectionSchema))
def create_collection(body: dict[str, Any]) -> Response:
    """Make a collection, empty, in a namespace where one may create repositories."""
    is_private = body.pop("private")
    with unit_of_work(current_context()) as work:
        collection = service.create_collection(work, actor=current_actor(), is_private=is_private, **body)
        collection_id = collection.id
    return _answer(collection_id)


@blp.get(_COLLECTION)
@blp.response(200, enveloped(schemas.CollectionSchema))
def show_collection(collection_id: int) -> Response:
    """A collection with all of its repositories that the caller may see, in order."""
    return _answer(collection_id)


@blp.put(_COLLECTION)
@blp.arguments(schemas.CollectionUpdateBody)
@blp.response(200, enveloped(schemas.CollectionSchema))
def update_collection(body: dict[str, Any], collection_id: int) -> Response:
    """Change some members; those that are absent stay. For those who may write in its namespace."""
    is_private = body.pop("private", None)
    with unit_of_work(current_context()) as work:
        service.update_collection(
            work, actor=current_actor(), collection_id=collection_id, is_private=is_private, **body
        )
    return _answer(collection_id)


@blp.delete(_COLLECTION)
@blp.response(200, enveloped())
def delete_collection(collection_id: int) -> dict[str, Any]:
    """Delete a collection; its repositories stay. For those who administer its namespace."""
    with unit_of_work(current_context()) as work:
        service.delete_collection(work, actor=current_actor(), collection_id=collection_id)
    return ok()


@blp.post(f"{_COLLECTION}/repos")
@blp.arguments(schemas.ItemsBody)
@blp.response(200, enveloped())
def add_repositories(body: dict[str, Any], collection_id: int) -> dict[str, Any]:
    """Put repositories at the end of a collection: all, or none where one is in it already (``COLL-ERR-0``)."""
    ids, remarks = body["repo_ids"], body["remarks"] or {}
    with unit_of_work(current_context()) as work:
        service.add_items(
            work,
            actor=current_actor(),
            collection_id=collection_id,
            repository_ids=ids,
            remarks={id: remarks[str(id)] for id in ids if str(id) in remarks},
        )
    return ok()


@blp.delete(f"{_COLLECTION}/repos")
@blp.arguments(schemas.ItemIdsBody)
@blp.response(200, enveloped())
def remove_repositories(body: dict[str, Any], collection_id: int) -> dict[str, Any]:
    """Take repositories out of a collection; harmless for those that are not in it."""
    with unit_of_work(current_context()) as work:
        service.remove_items(work, actor=current_actor(), collection_id=collection_id, repository_ids=body["repo_ids"])
    return ok()


@blp.put(f"{_COLLECTION}/repos/<{ROW_ID}:repository_id>")
@blp.arguments(schemas.ItemUpdateBody)
@blp.response(200, enveloped())
def update_repository(body: dict[str, Any], collection_id: int, repository_id: int) -> dict[str, Any]:
    """Change the remark on a repository in a collection, or its place there."""
    with unit_of_work(current_context()) as work:
        service.update_item(
            work, actor=current_actor(), collection_id=collection_id, repository_id=repository_id, **body
        )
    return ok()
