"""What becomes of the likes and collections of an account that goes."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from hub.accounts.service.departures import DEPARTURES, Departure
from hub.assets.models import Collection, CollectionLike, Like
from hub.base.context import Context
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository


def install(context: Context) -> None:
    """Take part in the departures of accounts; done once, by ``build_context``."""
    context[DEPARTURES].add("assets.likes", take_likes)
    context[DEPARTURES].add("assets.collections", take_collections)


def take_likes(work: UnitOfWork, departure: Departure) -> None:
    """Take back the account's likes, and count them no more."""
    own = (Like.user_id == departure.user.id, CollectionLike.user_id == departure.user.id)
    liked = (select(Like.repository_id).where(own[0]), select(CollectionLike.collection_id).where(own[1]))
    statements = (
        update(Repository).where(Repository.id.in_(liked[0])).values(like_count=Repository.like_count - 1),
        update(Collection).where(Collection.id.in_(liked[1])).values(like_count=Collection.like_count - 1),
        delete(Like).where(own[0]),
        delete(CollectionLike).where(own[1]),
    )
    for statement in statements:
        work.session.execute(statement.execution_options(synchronize_session=False))


def take_collections(work: UnitOfWork, departure: Departure) -> None:
    """Delete the collections in the account's namespace."""
    statement = delete(Collection).where(Collection.namespace_id == departure.user.namespace_id)
    work.session.execute(statement.execution_options(synchronize_session=False))
