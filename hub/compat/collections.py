"""Collections as huggingface_hub manages them. Hugging Face contract, section 10.

A slug ends with the collection's number, and that alone counts: a collection that was given another title, or whose
owner was renamed, is found by the slugs that people have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flask import Response

from hub.accounts.models import NamespaceKind
from hub.accounts.policy import Action
from hub.assets import service
from hub.assets.models import Collection, CollectionItem
from hub.assets.service.items import MAX_ITEMS
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.paging import PageArgs
from hub.compat import collection_schemas as schemas
from hub.compat import views
from hub.compat.addresses import CompatBlueprint, next_link
from hub.compat.schemas import HubDoneSchema
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import KINDS, find_kind
from hub.repos.service import get_readable, list_by_paths

blp = CompatBlueprint("collections", __name__, description="Collections as huggingface_hub manages them")

_AT = "/api/collections/<namespace>/<slug>"
_ITEM = f"{_AT}/items/<item_id>"
_SORTS = {"lastModified": "recently_update", "trending": "trending", "upvotes": "most_favorite"}
# Of each collection of a list; the collection itself shows all.
_SHOWN_IN_LIST = 4
_NUMBER = re.compile(r"[0-9a-f]{24}\Z")
_MAX_ID = 2**63 - 1
_DEFAULT_THEME = "green"


# Slugs and views.


def _id_of(number: str) -> int | None:
    """The row's id that stands at the end of a slug, or is an item's ``_id``; None where nothing of the kind does."""
    found = _NUMBER.search(number)
    id = int(found[0], 16) if found else 0
    return id if 0 < id <= _MAX_ID else None


def _collection_id(slug: str) -> int:
    id = _id_of(slug)
    if id is None:
        raise NotFound("There is no such collection, or you may not see it.", code="collection_not_found")
    return id


def _slug_of(owner: str, title: str, id: int) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return f"{owner}/{words}-{id:024x}" if words else f"{owner}/{id:024x}"


def _theme_of(colour: str) -> str:
    """The name of the colour that is nearest to a collection's own."""
    if not colour:
        return _DEFAULT_THEME
    wanted = _channels(colour)

    def distance(name: str) -> int:
        return sum((one - other) ** 2 for one, other in zip(wanted, _channels(schemas.THEMES[name]), strict=True))

    return min(schemas.THEMES, key=distance)


def _channels(colour: str) -> tuple[int, int, int]:
    digits = colour.removeprefix("#")
    if len(digits) < 6:
        digits = "".join(digit * 2 for digit in digits)
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def _view(collection: Collection, items: Sequence[CollectionItem]) -> dict[str, Any]:
    owner = collection.namespace
    view: dict[str, Any] = {
        "slug": _slug_of(owner.path, collection.name, collection.id),
        "title": collection.name,
        "owner": {"name": owner.path, "type": "user" if owner.kind == NamespaceKind.USER else "org"},
        "items": [_item_view(item, position) for position, item in enumerate(items)],
        "lastUpdated": views.time_text(collection.updated_at),
        "private": collection.is_private,
        "theme": _theme_of(collection.theme),
        "upvotes": collection.like_count,
    }
    return view | {"description": collection.description} if collection.description else view


def _item_view(item: CollectionItem, position: int) -> dict[str, Any]:
    view: dict[str, Any] = {
        "_id": f"{item.repository_id:024x}",
        "id": item.repository.path,
        "type": item.repository.kind,
        "position": position,
    }
    return view | {"note": {"text": item.remark}} if item.remark else view


def _show(work: UnitOfWork, collection_id: int) -> dict[str, Any]:
    """One collection with all of its items that the caller may see; its position is told here, and not in lists."""
    actor = current_actor()
    collection = service.get_collection(work, actor=actor, collection_id=collection_id)
    items = service.items_of(work, actor=actor, collection_ids=[collection.id], most_each=MAX_ITEMS)
    return _view(collection, items.get(collection.id, [])) | {"position": collection.position}


# Routes.


@blp.get("/api/collections")
@blp.arguments(schemas.HubCollectionsQuery, location="query")
@blp.response(200, schemas.HubCollectionSchema(many=True))
def list_collections(query: dict[str, Any]) -> Response:
    """The collections that the caller may see, each with its first four items; ``Link`` leads to the next page."""
    actor = current_actor()
    page = PageArgs(query["cursor"], min(max(query["limit"], 1), schemas.MAX_PER))
    with reading(current_context()) as work:
        found = service.list_collections(
            work,
            actor=actor,
            owners=query["owner"],
            holding=_ids_of(work, query["item"]) if query["item"] else None,
            search=query["q"],
            sort=_SORTS[query["sort"]],
            page=page,
        )
        ids = [collection.id for collection in found.items]
        items = service.items_of(work, actor=actor, collection_ids=ids, most_each=_SHOWN_IN_LIST)
        shown = [_view(collection, items.get(collection.id, [])) for collection in found.items]
    has_more = page.offset + len(shown) < found.total
    return views.send_json(shown, {"Link": next_link(cursor=str(page.page + 1))} if has_more else None)


def _ids_of(work: UnitOfWork, items: Sequence[str]) -> list[int]:
    """The repositories of these addresses ("models/ada/thing") that the caller may see. A query for each kind."""
    paths: dict[str, list[str]] = {}
    for item in items:
        segment, _, path = item.partition("/")
        kind = find_kind(current_context(), segment)
        if kind is not None:
            paths.setdefault(kind.name, []).append(path)
    actor = current_actor()
    return [
        repository.id
        for kind_name, named in paths.items()
        for repository in list_by_paths(work, actor=actor, kind=kind_name, paths=named)
    ]


@blp.post("/api/collections")
@blp.arguments(schemas.HubCollectionBody)
@blp.response(200, schemas.HubCollectionSchema)
@blp.alt_response(409, schema=schemas.HubCollectionTakenSchema, description="there is one already; 'slug' leads to it")
def create_collection(body: dict[str, Any]) -> dict[str, Any]:
    """Make a collection, empty, in a namespace where one may create repositories."""
    namespace, title = body["namespace"] or current_actor().name, body["title"]
    try:
        with unit_of_work(current_context()) as work:
            collection = service.create_collection(
                work,
                actor=current_actor(),
                name=title,
                namespace=namespace,
                description=body["description"] or "",
                is_private=body["private"],
                is_name_free=True,
            )
            return _show(work, collection.id)
    except Conflict as error:
        if error.code != "collection_exists":
            raise
        slug = _slug_of(namespace, title, error.details["id"])
        raise Conflict(str(error), code=error.code, slug=slug) from None


@blp.get(_AT)
@blp.response(200, schemas.HubCollectionSchema)
def show_collection(namespace: str, slug: str) -> dict[str, Any]:
    """A collection with all of its items that the caller may see, in order."""
    with reading(current_context()) as work:
        return _show(work, _collection_id(slug))


@blp.patch(_AT)
@blp.arguments(schemas.HubCollectionUpdateBody)
@blp.response(200, schemas.HubUpdatedCollectionSchema)
def update_collection(body: dict[str, Any], namespace: str, slug: str) -> dict[str, Any]:
    """Change some members; those that are absent stay."""
    with unit_of_work(current_context()) as work:
        collection = service.update_collection(
            work,
            actor=current_actor(),
            collection_id=_collection_id(slug),
            name=body["title"],
            description=body["description"],
            position=body["position"],
            is_private=body["private"],
            theme=None if body["theme"] is None else schemas.THEMES[body["theme"]],
        )
        return {"data": _show(work, collection.id)}


@blp.delete(_AT)
@blp.response(200, HubDoneSchema)
def delete_collection(namespace: str, slug: str) -> dict[str, Any]:
    """Delete a collection; what is in it stays where it is."""
    with unit_of_work(current_context()) as work:
        service.delete_collection(work, actor=current_actor(), collection_id=_collection_id(slug))
    return {"success": True}


@blp.post(f"{_AT}/resource-group")
@blp.response(200, schemas.HubCollectionSchema, description="where a hub has such groups; this one refuses with 400")
def set_resource_group(namespace: str, slug: str) -> dict[str, Any]:
    """Refused: this hub has no resource groups."""
    with reading(current_context()) as work:
        id = _collection_id(slug)
        service.get_collection(work, actor=current_actor(), collection_id=id, action=Action.REPOSITORY_WRITE)
    raise Invalid("This hub has no resource groups: rights come with the organisation.", code="REQ-ERR-6")


@blp.post(f"{_AT}/items")
@blp.arguments(schemas.HubItemBody)
@blp.response(200, schemas.HubCollectionSchema)
def add_item(body: dict[str, Any], namespace: str, slug: str) -> dict[str, Any]:
    """Put a repository at the end of a collection."""
    actor, item, collection_id = current_actor(), body["item"], _collection_id(slug)
    with unit_of_work(current_context()) as work:
        # Who may not fill the collection is told so before what there is to fill it with.
        service.get_collection(work, actor=actor, collection_id=collection_id, action=Action.REPOSITORY_WRITE)
        if item["type"] not in current_context()[KINDS]:
            raise Invalid("Collections of this hub hold repositories only.", code="REQ-ERR-6", member="type")
        repository = get_readable(work, actor=actor, kind=item["type"], path=item["id"])
        service.add_items(
            work,
            actor=actor,
            collection_id=collection_id,
            repository_ids=[repository.id],
            remarks={repository.id: body["note"] or ""},
        )
        return _show(work, collection_id)


@blp.patch(_ITEM)
@blp.arguments(schemas.HubItemUpdateBody)
@blp.response(200, HubDoneSchema)
def update_item(body: dict[str, Any], namespace: str, slug: str, item_id: str) -> dict[str, Any]:
    """Change the note on an item, or its place."""
    position = body["position"]
    with unit_of_work(current_context()) as work:
        service.update_item(
            work,
            actor=current_actor(),
            collection_id=_collection_id(slug),
            repository_id=_id_of(item_id) or 0,
            remark=body["note"],
            position=None if position is None else position + 1,
        )
    return {"success": True}


@blp.delete(_ITEM)
@blp.response(200, HubDoneSchema)
def remove_item(namespace: str, slug: str, item_id: str) -> dict[str, Any]:
    """Take an item out of a collection."""
    with unit_of_work(current_context()) as work:
        service.remove_items(
            work,
            actor=current_actor(),
            collection_id=_collection_id(slug),
            repository_ids=[_id_of(item_id) or 0],
            must_be_there=True,
        )
    return {"success": True}
