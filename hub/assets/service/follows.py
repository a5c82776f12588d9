"""Who follows whom: people follow each other, organisations and collections, and see in their feed what happens there.

Who follows a person or an organisation is told to everybody; who follows a collection to those who may see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from hub.accounts.models import Namespace, NamespaceKind, Organization, User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.assets.models_follows import CollectionFollow, NamespaceFollow
from hub.assets.service.collections import get_collection
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.activities import ActivityType, forget_activity, note_activity

log = get_logger(__name__)

# Of one account: a feed reads from all of them.
MAX_FOLLOWED = 5_000


class FollowState(NamedTuple):
    """How many follow something, and whether the actor does."""

    followers: int
    is_following: bool


def follow_namespace(work: UnitOfWork, *, actor: Actor, namespace: Namespace) -> None:
    """Follow a user or an organisation; harmless when one does already.

    Raises NotSignedIn, Denied; Invalid (``follow_self``), Conflict (``follows_too_many``).
    """
    user = _follower(work, actor)
    if namespace.id == user.namespace_id:
        raise Invalid("One does not follow oneself.", code="follow_self")
    row = {"user_id": user.id, "namespace_id": namespace.id, "created_at": work.now()}
    if _add(work, user, NamespaceFollow, row, "namespace"):
        note_activity(work, type=ActivityType.FOLLOWED, actor_id=user.id, namespace_id=namespace.id)
        log.info("namespace_followed", namespace_id=namespace.id, actor_id=user.id)


def unfollow_namespace(work: UnitOfWork, *, actor: Actor, namespace: Namespace) -> None:
    """Follow a user or an organisation no more; harmless when one did not. Raises NotSignedIn, Denied."""
    user = _follower(work, actor)
    mine = (NamespaceFollow.user_id == user.id, NamespaceFollow.namespace_id == namespace.id)
    if _take(work, delete(NamespaceFollow).where(*mine)):
        forget_activity(work, type=ActivityType.FOLLOWED, actor_id=user.id, namespace_id=namespace.id)


def follow_collection(work: UnitOfWork, *, actor: Actor, collection_id: int) -> None:
    """As ``follow_namespace``, for a collection that one may see. Raises NotFound, too."""
    user = _follower(work, actor)
    collection = get_collection(work, actor=actor, collection_id=collection_id)
    row = {"user_id": user.id, "collection_id": collection.id, "created_at": work.now()}
    if _add(work, user, CollectionFollow, row, "collection"):
        log.info("collection_followed", collection_id=collection.id, actor_id=user.id)


def unfollow_collection(work: UnitOfWork, *, actor: Actor, collection_id: int) -> None:
    """As ``unfollow_namespace``, also for a collection that one may no longer see."""
    user = _follower(work, actor)
    mine = (CollectionFollow.user_id == user.id, CollectionFollow.collection_id == collection_id)
    _take(work, delete(CollectionFollow).where(*mine))


def _follower(work: UnitOfWork, actor: Actor) -> User:
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    return user


def _add(work: UnitOfWork, user: User, model: Any, row: dict[str, Any], what: str) -> bool:
    count = work.session.scalar(select(func.count()).select_from(model).where(model.user_id == user.id)) or 0
    if count >= MAX_FOLLOWED:
        raise Conflict(f"You follow {MAX_FOLLOWED:,} already.", code="follows_too_many")
    try:
        with work.savepoint():
            return insert_new(work.session, model, [row]) > 0
    except IntegrityError:
        # It went this very moment.
        raise NotFound(f"There is no such {what}, or you may not see it.", code=f"{what}_not_found") from None


def _take(work: UnitOfWork, statement: Any) -> bool:
    result = work.session.execute(statement)
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)


def follow_state(work: UnitOfWork, *, actor: Actor, namespace: Namespace) -> FollowState:
    """How many follow a user or an organisation, and whether the actor does. Two queries at most."""
    of_it = NamespaceFollow.namespace_id == namespace.id
    count = work.session.scalar(_followers(NamespaceFollow).where(of_it).with_only_columns(func.count())) or 0
    return FollowState(count, _does_follow(work, actor, NamespaceFollow, of_it))


def collection_follow_state(work: UnitOfWork, *, actor: Actor, collection_id: int) -> FollowState:
    """As ``follow_state``, for a collection that the actor may see. Raises NotFound."""
    get_collection(work, actor=actor, collection_id=collection_id)
    of_it = CollectionFollow.collection_id == collection_id
    count = work.session.scalar(_followers(CollectionFollow).where(of_it).with_only_columns(func.count())) or 0
    return FollowState(count, _does_follow(work, actor, CollectionFollow, of_it))


def _does_follow(work: UnitOfWork, actor: Actor, model: Any, of_it: Any) -> bool:
    if actor.user_id is None:
        return False
    return work.session.scalar(select(model.user_id).where(of_it, model.user_id == actor.user_id)) is not None


def _followers(model: Any) -> Any:
    return select(User).join(model, model.user_id == User.id).where(User.is_active)


def list_followers(work: UnitOfWork, *, namespace: Namespace, page: PageArgs) -> Page[User]:
    """Who follows a user or an organisation, the newest first. Two queries."""
    return _list_users(work, NamespaceFollow, NamespaceFollow.namespace_id == namespace.id, page)


def list_collection_followers(work: UnitOfWork, *, actor: Actor, collection_id: int, page: PageArgs) -> Page[User]:
    """Who follows a collection that the actor may see, the newest first. Raises NotFound."""
    get_collection(work, actor=actor, collection_id=collection_id)
    return _list_users(work, CollectionFollow, CollectionFollow.collection_id == collection_id, page)


def _list_users(work: UnitOfWork, model: Any, of_it: Any, page: PageArgs) -> Page[User]:
    query = _followers(model).where(of_it)
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    order = (model.created_at.desc(), User.id)
    users: Sequence[User] = work.session.scalars(query.order_by(*order).offset(page.offset).limit(page.per)).all()
    return Page(users, total)


def list_followed(
    work: UnitOfWork, *, user: User, kind: NamespaceKind | None = None, page: PageArgs
) -> Page[Namespace]:
    """The users and organisations that a user follows, the newest first; kind: only those. Two queries.

    Accounts that are switched off are left out.
    """
    query = (
        select(Namespace)
        .join(NamespaceFollow, NamespaceFollow.namespace_id == Namespace.id)
        .outerjoin(User, User.namespace_id == Namespace.id)
        .where(NamespaceFollow.user_id == user.id, func.coalesce(User.is_active, True).is_(True))
    )
    if kind is not None:
        query = query.where(Namespace.kind == kind)
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    query = query.options(
        joinedload(Namespace.user).lazyload(User.namespace),
        joinedload(Namespace.organization).lazyload(Organization.namespace),
    ).order_by(NamespaceFollow.created_at.desc(), Namespace.id)
    return Page(work.session.scalars(query.offset(page.offset).limit(page.per)).all(), total)


def collections_followed_by(work: UnitOfWork, *, actor: Actor, collection_ids: Sequence[int]) -> dict[int, FollowState]:
    """For each of these collections how many follow it, and whether the actor does. Two queries at most."""
    if not collection_ids:
        return {}
    of_them = CollectionFollow.collection_id.in_(collection_ids)
    counted = select(CollectionFollow.collection_id, func.count()).where(of_them)
    counts = dict(work.session.execute(counted.group_by(CollectionFollow.collection_id)).all())
    mine: set[int] = set()
    if actor.user_id is not None and counts:
        own = select(CollectionFollow.collection_id).where(of_them, CollectionFollow.user_id == actor.user_id)
        mine = set(work.session.scalars(own))
    return {id: FollowState(counts.get(id, 0), id in mine) for id in collection_ids}


def forget_follows(work: UnitOfWork, *, user_id: int, namespace_id: int | None = None) -> None:
    """Take back all that an account follows, and that others follow it. For accounts that go."""
    work.session.execute(delete(NamespaceFollow).where(NamespaceFollow.user_id == user_id))
    work.session.execute(delete(CollectionFollow).where(CollectionFollow.user_id == user_id))
    if namespace_id is not None:
        work.session.execute(delete(NamespaceFollow).where(NamespaceFollow.namespace_id == namespace_id))
