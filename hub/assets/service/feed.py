"""What people see of what others did: their feed, a user's activities, and how active a user was by day.

What somebody may see is judged here, when it is read: activities on a repository or collection that the reader may not
see now are not there. What somebody likes is for people who are signed in, as in lists of likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, null, or_, select, union, union_all

from hub.accounts.models import Member, Namespace, Organization, User
from hub.accounts.policy import Actor, readable
from hub.accounts.service import get_own_user
from hub.assets.events import CollectionCreated, CollectionDeleted, CollectionUpdated
from hub.assets.models import Collection
from hub.assets.models_follows import CollectionFollow, NamespaceFollow
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork
from hub.repos.activities import ActivityType, forget_activity, note_activity
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.models_activities import Activity

COLLECTION = "collection"
DAYS = 366
FEED_DAYS = 90
# Of those that may be shown so many are looked at for one page, the newest first; a page may have fewer than asked.
MAX_LOOKED_AT = 500
# Those who like are asked for by people only.
_FOR_PEOPLE = (ActivityType.LIKED,)


@dataclass(frozen=True)
class ShownActivity:
    """An activity and what it is about, all of which the reader may see.

    namespace: whose thing it is, or who is followed. count: how often on that day.
    """

    id: int
    type: str
    actor: User
    namespace: Namespace | None
    repository: Repository | None
    collection: Collection | None
    data: dict[str, Any]
    day: date
    count: int
    created_at: datetime


@dataclass(frozen=True)
class ActivityPage:
    """Some activities, the newest first. next_cursor: where the next page begins; 0: there is none."""

    items: Sequence[ShownActivity]
    next_cursor: int


def install(context: Context) -> None:
    """Note what happens to collections; done once, by ``hub.assets.install``."""
    context.events.record_with(_record, owner="hub")


def _record(work: UnitOfWork, event: object) -> None:
    match event:
        case CollectionCreated(collection_id=id):
            _note(work, ActivityType.COLLECTION_CREATED, id, event.actor_id)
        case CollectionUpdated(collection_id=id):
            _note(work, ActivityType.COLLECTION_UPDATED, id, event.actor_id)
        case CollectionDeleted(collection_id=id):
            forget_activity(work, subject=(COLLECTION, id))


def _note(work: UnitOfWork, type: ActivityType, collection_id: int, actor_id: int | None) -> None:
    collection = work.session.get(Collection, collection_id) if actor_id is not None else None
    if collection is not None:
        note_activity(
            work,
            type=type,
            actor_id=actor_id,
            namespace_id=collection.namespace_id,
            subject=(COLLECTION, collection_id),
        )


def read_feed(work: UnitOfWork, *, actor: Actor, cursor: int = 0, per: int) -> ActivityPage:
    """What others did, as far as it concerns the actor: people, organisations and collections that they follow, what
    is in their organisations and in their own namespace.

    Of the last ``FEED_DAYS``. cursor: the ``next_cursor`` of the page before. Four queries.
    Raises NotSignedIn; Invalid (``cursor_invalid``).
    """
    user = get_own_user(work, actor=actor)
    sources = _sources(work, user)
    since = work.now().date() - timedelta(days=FEED_DAYS)
    is_before = Activity.id < _checked(cursor) if cursor else Activity.id > 0
    newest = [
        select(
            select(Activity.id)
            .where(source, Activity.actor_id != user.id, Activity.day >= since, is_before)
            .order_by(Activity.id.desc())
            .limit(MAX_LOOKED_AT)
            .subquery()
            .c.id
        )
        for source in sources
    ]
    # Of several sources together, only as far down as each of them was looked at.
    merged = union(*newest).subquery()
    candidates = select(merged.c.id).order_by(merged.c.id.desc()).limit(MAX_LOOKED_AT)
    return _page(work, actor, candidates, per)


def _sources(work: UnitOfWork, user: User) -> list[ColumnElement[bool]]:
    """What an activity must be to concern a user: one of these. One query.

    The numbers stand in the conditions, so that the database sees how many there are and reads each from its index.
    """
    namespaces: set[int] = {user.namespace_id}
    people: set[int] = set()
    followed = (
        select(literal("namespace"), NamespaceFollow.namespace_id, User.id)
        .outerjoin(User, User.namespace_id == NamespaceFollow.namespace_id)
        .where(NamespaceFollow.user_id == user.id)
    )
    organizations = (
        select(literal("namespace"), Organization.namespace_id, null())
        .join(Member, Member.organization_id == Organization.id)
        .where(Member.user_id == user.id)
    )
    held = select(literal(COLLECTION), CollectionFollow.collection_id, null()).where(
        CollectionFollow.user_id == user.id
    )
    collections: set[int] = set()
    for what, id, user_id in work.rows(union_all(followed, organizations, held)):
        (collections if what == COLLECTION else namespaces).add(id)
        if user_id is not None:
            people.add(user_id)
    found: list[ColumnElement[bool]] = [Activity.namespace_id.in_(namespaces)]
    if people:
        found.append(Activity.actor_id.in_(people))
    if collections:
        found.append(and_(Activity.subject_type == COLLECTION, Activity.subject_id.in_(collections)))
    return found


def list_activities(work: UnitOfWork, *, actor: Actor, user: User, cursor: int = 0, per: int) -> ActivityPage:
    """What a user did, as far as the actor may see it. Two queries. Raises Invalid (``cursor_invalid``)."""
    candidates = select(Activity.id).where(Activity.actor_id == user.id)
    if cursor:
        candidates = candidates.where(Activity.id < _checked(cursor))
    return _page(work, actor, candidates.order_by(Activity.id.desc()).limit(MAX_LOOKED_AT), per)


def count_by_day(work: UnitOfWork, *, actor: Actor, user: User) -> dict[date, int]:
    """How much a user did on each day of the last year, as far as the actor may see it; days without are absent."""
    first = work.now().date() - timedelta(days=DAYS - 1)
    query = (
        select(Activity.day, func.sum(Activity.count))
        .select_from(Activity)
        .outerjoin(Repository, Repository.id == Activity.repository_id)
        .outerjoin(Collection, _is_of_collection())
        .where(Activity.actor_id == user.id, Activity.day >= first, *_may_see(actor))
        .group_by(Activity.day)
        .order_by(Activity.day)
    )
    return {day: int(count) for day, count in work.rows(query)}


def _checked(cursor: int) -> int:
    if cursor < 0:
        raise Invalid("The cursor is none that this list gave.", code="cursor_invalid", query="cursor")
    return cursor


def _page(work: UnitOfWork, actor: Actor, candidates: Select[Any], per: int) -> ActivityPage:
    ids: Sequence[int] = work.session.scalars(candidates).all()
    if not ids:
        return ActivityPage([], 0)
    # One more than fits says whether there is a next page.
    rows = work.session.execute(
        select(Activity, User, Repository, Collection, Namespace)
        .join(User, User.id == Activity.actor_id)
        .outerjoin(Namespace, Namespace.id == Activity.namespace_id)
        .outerjoin(Repository, Repository.id == Activity.repository_id)
        .outerjoin(Collection, _is_of_collection())
        .where(Activity.id.in_(ids), User.is_active, *_may_see(actor))
        .order_by(Activity.id.desc())
        .limit(per + 1)
    ).all()
    items = [
        ShownActivity(
            activity.id,
            activity.type,
            by,
            namespace,
            repository,
            collection,
            activity.data,
            activity.day,
            activity.count,
            activity.created_at,
        )
        for activity, by, repository, collection, namespace in rows[:per]
    ]
    if len(rows) > per:
        return ActivityPage(items, items[-1].id)
    return ActivityPage(items, ids[-1] if len(ids) == MAX_LOOKED_AT else 0)


def _is_of_collection() -> ColumnElement[bool]:
    return and_(Activity.subject_type == COLLECTION, Collection.id == Activity.subject_id)


def _may_see(actor: Actor) -> list[ColumnElement[bool]]:
    may_see_collection = readable(
        actor,
        resource_type=Collection.resource_type,
        id=Collection.id,
        namespace_id=Collection.namespace_id,
        is_private=Collection.is_private,
    )
    conditions = [
        or_(Activity.repository_id.is_(None), and_(is_live(), may_read(actor))),
        or_(Activity.subject_type != COLLECTION, and_(Collection.id.is_not(None), may_see_collection)),
    ]
    if actor.is_anonymous:
        conditions.append(Activity.type.not_in(_FOR_PEOPLE))
    return conditions
