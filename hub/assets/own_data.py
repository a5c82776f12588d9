"""What somebody likes and collects, for the copy of their own data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor
from hub.accounts.service.own_data import OWN_DATA, iterate_rows
from hub.assets.models import Collection, CollectionItem, Like
from hub.base.context import Context
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository

_PATH = (Namespace.path + "/" + Repository.name).label("repository")


def install(context: Context) -> None:
    """Add it; done once, by ``build_context``."""
    context[OWN_DATA].add("likes", _likes)
    context[OWN_DATA].add("collections", _collections)
    context[OWN_DATA].add("collected_repositories", _items)


def _likes(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    query = (
        select(Repository.kind, _PATH, Like.created_at)
        .join(Repository, Repository.id == Like.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Like.user_id == user.id, is_live(), may_read(Actor.of_user(user, via="session")))
    )
    return iterate_rows(work, query.order_by(Like.created_at))


def _collections(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    own = (Collection.name, Collection.nickname, Collection.description, Collection.is_private, Collection.created_at)
    query = select(Collection.id, *own).where(Collection.namespace_id == user.namespace_id)
    return iterate_rows(work, query.order_by(Collection.id))


def _items(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    query = (
        select(CollectionItem.collection_id, Repository.kind, _PATH, CollectionItem.remark)
        .join(Collection, Collection.id == CollectionItem.collection_id)
        .join(Repository, Repository.id == CollectionItem.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(
            *(Collection.namespace_id == user.namespace_id, is_live()),
            may_read(Actor.of_user(user, via="session")),
        )
    )
    return iterate_rows(work, query.order_by(CollectionItem.collection_id))
