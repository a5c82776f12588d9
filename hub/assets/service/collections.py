"""Collections: lists of repositories that people make. Rights on one are rights as on a repository of its namespace.

Who may write in the namespace edits it, who administers the namespace deletes it and says who sees it, and a private
one is seen by those who may read there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

from sqlalchemy import ColumnElement, Integer, Select, bindparam, delete, func, or_, select
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.interfaces import ORMOption

from hub.accounts import service as accounts
from hub.accounts.models import Namespace, Organization, User
from hub.accounts.policy import Action, Actor, can_each, readable, require
from hub.accounts.service.fields import validate_text
from hub.assets.events import CollectionCreated, CollectionDeleted, CollectionUpdated
from hub.assets.models import Collection, CollectionItem, CollectionLike
from hub.base.errors import Conflict, Invalid, NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.db.shapes import Shape, shape_of
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.service import Access

log = get_logger(__name__)

MAX_OF_NAMESPACE = 1_000
MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 1_000
MAX_SEARCH_CHARS = 100
MAX_POSITION = 1_000_000
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})\Z")

# Source of the names: CSGHub contract, section 4.7. Likes of this long count for what is trending.
SORTS = ("trending", "recently_update", "most_favorite")
TRENDING_DAYS = 30


def get_collection(
    work: UnitOfWork, *, actor: Actor, collection_id: int, action: str = Action.REPOSITORY_READ
) -> Collection:
    """The collection, when the actor may do this to it. Raises NotFound, NotSignedIn or Denied."""
    collection = work.session.get(Collection, collection_id, options=_with_owner())
    if collection is None:
        raise NotFound("There is no such collection, or you may not see it.", code="collection_not_found")
    require(work, actor, action, collection, what="collection")
    return collection


def lock_collection(work: UnitOfWork, *, actor: Actor, collection_id: int, action: str) -> Collection:
    """As ``get_collection``; what others do to the collection and its items waits until this is committed."""
    collection = get_collection(work, actor=actor, collection_id=collection_id, action=action)
    # Read once more: it may have changed, or gone, while this one waited.
    row = select(Collection).where(Collection.id == collection_id).with_for_update(of=Collection)
    if work.session.scalar(row.execution_options(populate_existing=True)) is None:
        raise NotFound("There is no such collection, or you may not see it.", code="collection_not_found")
    return collection


def _with_owner() -> list[ORMOption]:
    """What a view of a collection shows of its owner and its maker, without further queries."""
    namespace = joinedload(Collection.namespace)
    return [
        namespace.joinedload(Namespace.user).lazyload(User.namespace),
        namespace.joinedload(Namespace.organization).lazyload(Organization.namespace),
        joinedload(Collection.created_by).lazyload(User.namespace),
    ]


def list_collections(
    work: UnitOfWork,
    *,
    actor: Actor,
    namespace: str | None = None,
    owners: Sequence[str] = (),
    holding: Sequence[int] | None = None,
    liked_by: User | None = None,
    search: str = "",
    sort: str = "recently_update",
    page: PageArgs | None = None,
) -> Page[Collection]:
    """The collections that the actor may see. Three queries at most.

    namespace: None for all. owners: only those of these namespaces; none: of all. holding: only those that hold one of
    the repositories of these ids, which the actor may see. liked_by: only those that this user likes. search: a part of
    the name, nickname or description, in any case. Raises Invalid (``REQ-ERR-6``) for an unknown sort; NotSignedIn for
    an anonymous look at likes.
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    conditions = [_may_read(actor)]
    if namespace is not None:
        found = select(Namespace.id).where(Namespace.path_key == fold_name(namespace))
        conditions.append(Collection.namespace_id == found.scalar_subquery())
    if owners:
        named = select(Namespace.id).where(Namespace.path_key.in_([fold_name(owner) for owner in owners]))
        conditions.append(Collection.namespace_id.in_(named))
    if holding is not None:
        held = select(CollectionItem.collection_id).where(CollectionItem.repository_id.in_(holding))
        conditions.append(Collection.id.in_(held))
    if liked_by is not None:
        if actor.is_anonymous:
            raise NotSignedIn("Sign in to see what somebody likes.")
        liked = select(CollectionLike.collection_id).where(CollectionLike.user_id == liked_by.id)
        conditions.append(Collection.id.in_(liked))
    if wanted := search.strip().lower()[:MAX_SEARCH_CHARS]:
        columns = (Collection.name, Collection.nickname, Collection.description)
        conditions.append(or_(*(func.lower(column).contains(wanted, autoescape=True) for column in columns)))
    shape, values = shape_of(conditions)
    values |= {"offset": page.offset, "per": page.per, "since": work.now() - timedelta(days=TRENDING_DAYS)}
    statements = _statements_of(shape, sort)
    rows = work.session.scalars(statements[0], values).all()
    total, is_estimate = total_of(work, statements[1], page, len(rows), values=values)
    return Page(rows, total, is_estimate)


# Of lists that differ in the values only, the statements are built once.
@lru_cache(maxsize=200)
def _statements_of(shape: Shape, sort: str) -> tuple[Select[Collection], Select[int]]:
    """What a list asks: a page of it, and the ids of all to count them."""
    query = select(Collection).where(shape.condition())
    page = _ordered(query, sort).options(*_with_owner())
    page = page.offset(bindparam("offset", type_=Integer)).limit(bindparam("per", type_=Integer))
    return page, query.with_only_columns(Collection.id)


def readable_collections_among(work: UnitOfWork, *, actor: Actor, ids: Sequence[int]) -> set[int]:
    """Those of the collections that the actor may see now, by their ids. One query at most."""
    if not ids:
        return set()
    return {id for (id,) in work.rows(select(Collection.id).where(Collection.id.in_(ids), _may_read(actor)))}


@lru_cache(maxsize=1000)
def _may_read(actor: Actor) -> ColumnElement[bool]:
    return readable(
        actor,
        resource_type=Collection.resource_type,
        id=Collection.id,
        namespace_id=Collection.namespace_id,
        is_private=Collection.is_private,
    )


def _ordered(query: Select[Collection], sort: str) -> Select[Collection]:
    newest = (Collection.updated_at.desc(), Collection.id.desc())
    if sort == "recently_update":
        return query.order_by(*newest)
    if sort == "most_favorite":
        return query.order_by(Collection.like_count.desc(), *newest)
    recent = (
        select(CollectionLike.collection_id, func.count().label("likes"))
        .where(CollectionLike.created_at > bindparam("since", type_=CollectionLike.created_at.type))
        .group_by(CollectionLike.collection_id)
        .subquery()
    )
    query = query.outerjoin(recent, recent.c.collection_id == Collection.id)
    return query.order_by(func.coalesce(recent.c.likes, 0).desc(), *newest)


def collection_access_of(work: UnitOfWork, *, actor: Actor, collections: Sequence[Collection]) -> dict[int, Access]:
    """For each collection, by its id, what the actor may do to it. Two queries, however many there are."""
    allowed = can_each(work, actor, (Action.REPOSITORY_WRITE, Action.REPOSITORY_ADMIN), collections)
    return {
        collection.id: Access(
            can_write=collection.id in allowed[Action.REPOSITORY_WRITE],
            can_manage=collection.id in allowed[Action.REPOSITORY_ADMIN],
        )
        for collection in collections
    }


def create_collection(
    work: UnitOfWork,
    *,
    actor: Actor,
    name: str,
    namespace: str = "",
    nickname: str = "",
    description: str = "",
    theme: str = "",
    is_private: bool = False,
    is_name_free: bool = False,
) -> Collection:
    """A new collection, empty. namespace: "" for the actor's own. theme: a colour such as "#fff000", or none.

    is_name_free: whether another of the namespace that has the name is in the way: Conflict (``collection_exists``,
    and its id in the details). Raises NotFound (``REPO-ERR-2``: no such namespace), NotSignedIn, Denied, Invalid;
    Conflict (``too_many_collections``: the namespace has ``MAX_OF_NAMESPACE``).
    """
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    owner = accounts.get_namespace(work, namespace or actor.name)
    require(work, actor, Action.NAMESPACE_CREATE, owner, what="namespace")
    count = work.session.scalar(select(func.count(Collection.id)).where(Collection.namespace_id == owner.id)) or 0
    if count >= MAX_OF_NAMESPACE:
        raise Conflict(f"{owner.path} has {MAX_OF_NAMESPACE} collections already.", code="too_many_collections")
    if is_name_free:
        # An old one that the actor may see: whoever makes things there sees all that is there.
        same = select(Collection.id).where(Collection.namespace_id == owner.id, Collection.name == name.strip())
        taken = work.session.scalar(same.order_by(Collection.id).limit(1)) if is_storable(name) else None
        if taken is not None:
            raise Conflict("There is a collection of that title already.", code="collection_exists", id=taken)
    now = work.now()
    collection = Collection(
        namespace=owner, created_by_id=actor.user_id, is_private=is_private, created_at=now, updated_at=now
    )
    _set_texts(collection, name=name, nickname=nickname, description=description, theme=theme)
    work.session.add(collection)
    work.session.flush()
    publish(work, CollectionCreated(collection.id, actor.user_id))
    log.info("collection_created", collection_id=collection.id, actor_id=actor.user_id)
    return collection


def _set_texts(
    collection: Collection,
    *,
    name: str | None = None,
    nickname: str | None = None,
    description: str | None = None,
    theme: str | None = None,
) -> None:
    if name is not None:
        collection.name = validate_text(name, what="name", most=MAX_NAME_CHARS)
        if not collection.name:
            raise Invalid("The name is empty.", code="text_invalid", field="name")
    if nickname is not None:
        collection.nickname = validate_text(nickname, what="nickname", most=MAX_NAME_CHARS)
    if description is not None:
        collection.description = validate_text(
            description, what="description", most=MAX_DESCRIPTION_CHARS, has_lines=True
        )
    if theme is not None:
        if theme and not _COLOUR.match(theme):
            raise Invalid("The theme is a colour such as '#fff000'.", code="REQ-ERR-6", member="theme")
        collection.theme = theme


def update_collection(
    work: UnitOfWork,
    *,
    actor: Actor,
    collection_id: int,
    name: str | None = None,
    nickname: str | None = None,
    description: str | None = None,
    theme: str | None = None,
    is_private: bool | None = None,
    position: int | None = None,
) -> Collection:
    """Change the members that are not None. position: among the others of its namespace, smaller ones first.

    Raises NotFound, NotSignedIn, Denied, Invalid.

    As of a repository, the visibility is for those who administer it; to say it as it is takes no more than to write.
    """
    collection = lock_collection(work, actor=actor, collection_id=collection_id, action=Action.REPOSITORY_WRITE)
    if is_private is not None and is_private != collection.is_private:
        require(work, actor, Action.REPOSITORY_ADMIN, collection, what="collection")
        collection.is_private = is_private
    if position is not None:
        if not 0 <= position <= MAX_POSITION:
            raise Invalid(f"A position is from 0 to {MAX_POSITION}.", code="REQ-ERR-6", member="position")
        collection.position = position
    _set_texts(collection, name=name, nickname=nickname, description=description, theme=theme)
    note_change(work, actor, collection)
    return collection


def note_change(work: UnitOfWork, actor: Actor, collection: Collection) -> None:
    """Write a collection that the actor changed, and tell of it."""
    collection.updated_at = work.now()
    work.session.flush()
    publish(work, CollectionUpdated(collection.id, actor.user_id))
    log.info("collection_updated", collection_id=collection.id, actor_id=actor.user_id)


def delete_collection(work: UnitOfWork, *, actor: Actor, collection_id: int) -> None:
    """Remove a collection; what is in it stays where it is. Raises NotFound, NotSignedIn, Denied."""
    collection = lock_collection(work, actor=actor, collection_id=collection_id, action=Action.REPOSITORY_ADMIN)
    publish(work, CollectionDeleted(collection.id, actor.user_id))
    work.session.execute(delete(Collection).where(Collection.id == collection.id))
    log.info("collection_deleted", collection_id=collection_id, actor_id=actor.user_id)
