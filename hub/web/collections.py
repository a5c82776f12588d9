"""Collections as cards: what lists, the first page and searches show of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.accounts.policy import Actor
from hub.accounts.service.avatars import avatars_of
from hub.assets.models import Collection
from hub.assets.service.items import count_kinds
from hub.assets.service.likes import collections_liked_by
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS, RepositoryKind
from hub.web.pages import is_own_address


@dataclass(frozen=True)
class CollectionCard:
    """What a card shows of a collection. kinds: how many of each kind are in it, as far as the viewer sees them."""

    collection: Collection
    title: str
    url: str
    owner: str
    avatar: str
    kinds: Sequence[tuple[RepositoryKind, int]]
    is_liked: bool


def collection_cards(work: UnitOfWork, viewer: Actor, collections: Sequence[Collection]) -> list[CollectionCard]:
    """Cards of collections that the viewer may see, in their order. Three queries at most, whatever their number."""
    ids = [collection.id for collection in collections]
    counts = count_kinds(work, actor=viewer, collection_ids=ids)
    liked = collections_liked_by(work, actor=viewer, collection_ids=ids)
    avatars = avatars_of(work, {collection.namespace_id for collection in collections})
    return [
        CollectionCard(
            collection,
            collection.nickname or collection.name,
            collection_url(collection.id),
            collection.namespace.path,
            avatar if is_own_address(avatar := avatars.get(collection.namespace_id, "")) else "",
            _in_order(work, counts.get(collection.id, {})),
            collection.id in liked,
        )
        for collection in collections
    ]


def _in_order(work: UnitOfWork, counts: Mapping[str, int]) -> list[tuple[RepositoryKind, int]]:
    return [(kind, counts[kind.name]) for kind in work.context[KINDS].values() if counts.get(kind.name)]


def collection_url(collection_id: int) -> str:
    """The address of its page."""
    return f"/collections/{collection_id}"
