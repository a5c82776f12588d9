"""What becomes of the likes, collections and runs of an account or an organisation that goes."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from hub.accounts.models import Organization
from hub.accounts.policy import Actor
from hub.accounts.service.departures import DEPARTURES, ORGANIZATION_DEPARTURES, Departure
from hub.assets.events import CollectionDeleted
from hub.assets.models import Collection, CollectionLike, Like
from hub.assets.service.follows import forget_follows
from hub.assets.service.runs import delete_runs_of
from hub.base.context import Context
from hub.base.events import publish
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository


def install(context: Context) -> None:
    """Take part in the departures of accounts and organisations; done once, by ``build_context``."""
    context[DEPARTURES].add("assets.likes", take_likes)
    context[DEPARTURES].add("assets.follows", take_follows)
    context[DEPARTURES].add("assets.collections", take_collections)
    context[ORGANIZATION_DEPARTURES].add("assets.collections", take_collections_of_organization)
    context[DEPARTURES].add("assets.runs", take_runs)
    context[ORGANIZATION_DEPARTURES].add("assets.runs", take_runs_of_organization)


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


def take_follows(work: UnitOfWork, departure: Departure) -> None:
    """Take back what the account follows, and that it is followed."""
    forget_follows(work, user_id=departure.user.id, namespace_id=departure.user.namespace_id)


def take_collections(work: UnitOfWork, departure: Departure) -> None:
    """Delete the collections in the account's namespace."""
    _delete_collections(work, departure.user.namespace_id, departure.actor)


def take_collections_of_organization(work: UnitOfWork, organization: Organization, actor: Actor) -> None:
    """Delete the collections in the organisation's namespace; they do not keep it."""
    _delete_collections(work, organization.namespace_id, actor)


def take_runs(work: UnitOfWork, departure: Departure) -> None:
    """Delete the runs in the account's namespace. Those that it recorded elsewhere stay."""
    delete_runs_of(work, namespace_id=departure.user.namespace_id)


def take_runs_of_organization(work: UnitOfWork, organization: Organization, actor: Actor) -> None:
    """Delete the runs in the organisation's namespace; they do not keep it."""
    delete_runs_of(work, namespace_id=organization.namespace_id)


def _delete_collections(work: UnitOfWork, namespace_id: int, actor: Actor) -> None:
    here = Collection.namespace_id == namespace_id
    # Read and held, so that who records the events finds each of them without asking again.
    collections = work.session.scalars(select(Collection).where(here).order_by(Collection.id)).all()
    publish(work, *(CollectionDeleted(collection.id, actor.user_id) for collection in collections))
    for collection in collections:
        work.session.expunge(collection)
    work.session.execute(delete(Collection).where(here).execution_options(synchronize_session=False))
