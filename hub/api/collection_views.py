"""What collections look like on the wire. Shape: CSGHub contract, section 5.6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.api.views import label_view
from hub.assets import service
from hub.assets.models import Collection, CollectionItem
from hub.assets.service import Label
from hub.assets.service.follows import collections_followed_by
from hub.assets.service.items import MAX_ITEMS, count_kinds
from hub.db.uow import UnitOfWork
from hub.http.pictures import picture_url

# Of each collection in a list of them; the collection itself shows all.
MAX_SHOWN_IN_LIST = 10


def collection_views(
    work: UnitOfWork, actor: Actor, collections: Sequence[Collection], *, most_each: int = MAX_SHOWN_IN_LIST
) -> list[dict[str, Any]]:
    """Collections as a viewer sees them, as ``list_collections`` loaded them, with the first of what is in each.

    Eight queries at most, however many there are.
    """
    ids = [collection.id for collection in collections]
    access = service.collection_access_of(work, actor=actor, collections=collections)
    liked = service.collections_liked_by(work, actor=actor, collection_ids=ids)
    items = service.items_of(work, actor=actor, collection_ids=ids, most_each=most_each)
    follows = collections_followed_by(work, actor=actor, collection_ids=ids)
    kinds = count_kinds(work, actor=actor, collection_ids=ids)
    labels = service.labels_of(work, list({item.repository_id for found in items.values() for item in found}))
    return [
        {
            "id": collection.id,
            "username": collection.created_by.name if collection.created_by else "",
            "namespace": collection.namespace.path,
            "theme": collection.theme,
            "name": collection.name,
            "nickname": collection.nickname or collection.name,
            "description": collection.description,
            "private": collection.is_private,
            "repositories": [
                _item_view(item, labels.get(item.repository_id, [])) for item in items.get(collection.id, [])
            ],
            "likes": collection.like_count,
            "user_likes": collection.id in liked,
            "followers": follows[collection.id].followers,
            "user_follows": follows[collection.id].is_following,
            "kinds": kinds.get(collection.id, {}),
            "can_write": access[collection.id].can_write,
            "can_manage": access[collection.id].can_manage,
            "avatar": _avatar_of(collection.namespace),
            "created_at": collection.created_at,
            "updated_at": collection.updated_at,
        }
        for collection in collections
    ]


def collection_view(work: UnitOfWork, actor: Actor, collection: Collection) -> dict[str, Any]:
    """One collection with all that is in it and that the viewer may see."""
    return collection_views(work, actor, [collection], most_each=MAX_ITEMS)[0]


def _item_view(item: CollectionItem, labels: Sequence[Label]) -> dict[str, Any]:
    repository = item.repository
    return {
        "id": repository.id,
        "user_id": repository.created_by_id,
        "path": repository.path,
        "name": repository.name,
        "nickname": repository.nickname or repository.name,
        "description": repository.description,
        "private": repository.is_private,
        "likes": repository.like_count,
        "download_count": repository.download_count,
        "tags": [label_view(label) for label in labels],
        "repository_type": repository.kind,
        "created_at": repository.created_at,
        "updated_at": repository.updated_at,
        "remark": item.remark,
    }


def _avatar_of(namespace: Namespace) -> str:
    if namespace.user is not None:
        return picture_url(namespace.user.avatar)
    return picture_url(namespace.organization.logo) if namespace.organization is not None else ""
