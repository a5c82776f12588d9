"""Likes: who likes which repository, and which collection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, literal, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, require
from hub.assets.models import Collection, CollectionLike, Like
from hub.assets.models_records import PromptLike, PromptRecord
from hub.base.context import Context
from hub.base.errors import Denied, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.activities import ActivityType, forget_activity, note_activity
from hub.repos.lookup import get_readable, is_live, may_read
from hub.repos.models import Repository

MAX_RECOUNTED = 10_000
# ``Repository.recent_like_count`` counts the likes of so long; ``trends`` counts down those that are older by now.
RECENT = timedelta(days=7)


def liked_by(work: UnitOfWork, *, actor: Actor, repository_ids: Sequence[int]) -> set[int]:
    """Those of the repositories that the actor likes. One query at most."""
    if actor.user_id is None or not repository_ids:
        return set()
    query = select(Like.repository_id).where(Like.user_id == actor.user_id, Like.repository_id.in_(repository_ids))
    return set(work.session.scalars(query))


def collections_liked_by(work: UnitOfWork, *, actor: Actor, collection_ids: Sequence[int]) -> set[int]:
    """Those of the collections that the actor likes. One query at most."""
    if actor.user_id is None or not collection_ids:
        return set()
    liked = CollectionLike.collection_id
    return set(
        work.session.scalars(select(liked).where(CollectionLike.user_id == actor.user_id, liked.in_(collection_ids)))
    )


class GivenLike(NamedTuple):
    """A like, and what it is for."""

    kind: str
    path: str
    created_at: datetime


def list_likes(work: UnitOfWork, *, actor: Actor, user: User, kinds: Sequence[str], page: PageArgs) -> list[GivenLike]:
    """The repositories of these kinds that a user likes, as far as the actor may see them; the newest likes first.

    One query. Raises NotSignedIn: likes are for people.
    """
    _require_signed_in(actor)
    rows = work.session.execute(
        select(Repository.kind, Namespace.path + literal("/") + Repository.name, Like.created_at)
        .join(Repository, Repository.id == Like.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Like.user_id == user.id, Repository.kind.in_(kinds), is_live(), may_read(actor))
        .order_by(Like.created_at.desc(), Like.repository_id.desc())
        .offset(page.offset)
        .limit(page.per)
    )
    return [GivenLike(*row) for row in rows]


def count_likes(work: UnitOfWork, *, actor: Actor, user: User) -> int:
    """How many repositories a user likes, of those that the actor may see. One query."""
    query = select(func.count()).select_from(Like).join(Repository, Repository.id == Like.repository_id)
    return work.session.scalar(query.where(Like.user_id == user.id, is_live(), may_read(actor))) or 0


def list_likers(work: UnitOfWork, *, actor: Actor, repository: Repository, page: PageArgs) -> Sequence[User]:
    """Who likes a repository that the actor may read, by name. One query. Raises NotSignedIn: likes are for people."""
    _require_signed_in(actor)
    query = select(User).join(Like, Like.user_id == User.id).where(Like.repository_id == repository.id, User.is_active)
    return work.session.scalars(query.order_by(User.name).offset(page.offset).limit(page.per)).all()


def is_liked_by(work: UnitOfWork, *, actor: Actor, user: User) -> ColumnElement[bool]:
    """The condition on ``Repository`` that a user likes it, for lists. Raises NotSignedIn: likes are for people."""
    _require_signed_in(actor)
    return Repository.id.in_(select(Like.repository_id).where(Like.user_id == user.id))


def _require_signed_in(actor: Actor) -> None:
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to see what somebody likes.")


def like_repository(work: UnitOfWork, *, actor: Actor, user: User, repository_id: int) -> None:
    """Let a user, who must be the actor, like a repository; harmless when they do already.

    Raises NotFound when they may not read it, NotSignedIn, Denied (``AUTH-ERR-7``).
    """
    _require_self(work, actor, user)
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    row = {"user_id": user.id, "repository_id": repository.id, "created_at": work.now()}
    if _insert(work, Like, row, what="repository"):
        _count(work, Repository, repository.id, 1, is_recent=True)
        note_activity(
            work,
            type=ActivityType.LIKED,
            actor_id=user.id,
            namespace_id=repository.namespace_id,
            repository_id=repository.id,
        )


def unlike_repository(work: UnitOfWork, *, actor: Actor, user: User, repository_id: int) -> None:
    """Take a like back, also from a repository that one may no longer see; harmless where there is none.

    Raises NotSignedIn, Denied (``AUTH-ERR-7``).
    """
    _require_self(work, actor, user)
    taken = delete(Like).where(Like.user_id == user.id, Like.repository_id == repository_id).returning(Like.created_at)
    if (liked_at := work.session.scalar(taken)) is not None:
        _count(work, Repository, repository_id, -1, is_recent=liked_at > work.now() - RECENT)
        forget_activity(work, type=ActivityType.LIKED, actor_id=user.id, repository_id=repository_id)


def like_collection(work: UnitOfWork, *, actor: Actor, user: User, collection_id: int) -> None:
    """As ``like_repository``, for a collection."""
    _require_self(work, actor, user)
    collection = work.session.get(Collection, collection_id)
    if collection is None:
        raise NotFound("There is no such collection, or you may not see it.", code="collection_not_found")
    require(work, actor, Action.REPOSITORY_READ, collection, what="collection")
    row = {"user_id": user.id, "collection_id": collection.id, "created_at": work.now()}
    if _insert(work, CollectionLike, row, what="collection"):
        _count(work, Collection, collection.id, 1)


def unlike_collection(work: UnitOfWork, *, actor: Actor, user: User, collection_id: int) -> None:
    """As ``unlike_repository``, for a collection."""
    _require_self(work, actor, user)
    liked = (CollectionLike.user_id == user.id, CollectionLike.collection_id == collection_id)
    if _delete(work, delete(CollectionLike).where(*liked)):
        _count(work, Collection, collection_id, -1)


def _require_self(work: UnitOfWork, actor: Actor, user: User) -> None:
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    if actor.user_id != user.id:
        raise Denied("People like for themselves only.", code="AUTH-ERR-7")


def _insert(work: UnitOfWork, model: Any, row: dict[str, Any], *, what: str) -> bool:
    try:
        with work.session.begin_nested():
            return insert_new(work.session, model, [row]) > 0
    except IntegrityError:
        # It went this very moment.
        raise NotFound(f"There is no such {what}, or you may not see it.", code=f"{what}_not_found") from None


def _delete(work: UnitOfWork, statement: Any) -> bool:
    result = work.session.execute(statement)
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)


def _count(
    work: UnitOfWork, model: type[Repository] | type[Collection], id: int, change: int, *, is_recent: bool = False
) -> None:
    counts: dict[str, Any] = {"like_count": model.like_count + change}
    if is_recent:
        counts["recent_like_count"] = Repository.recent_like_count + change
    # Not through the row: its updated_at is the time of its last change by a person.
    work.session.execute(update(model).where(model.id == id).values(counts))


def recount_likes(context: Context) -> int:
    """Set right counters, such as those that the end of an account left too high; returns how many were wrong.

    At most ``MAX_RECOUNTED`` of each sort at once. Each in a transaction of its own that holds the counter's row: who
    likes at that moment is counted once.
    """
    likes: list[tuple[Any, InstrumentedAttribute[int]]] = [
        (Repository, Like.repository_id),
        (Collection, CollectionLike.collection_id),
        (PromptRecord, PromptLike.prompt_id),
    ]
    count = 0
    for model, liked_id in likes:
        real = select(func.count()).where(liked_id == model.id).correlate(model).scalar_subquery()
        with reading(context) as work:
            counts = select(liked_id.label("id"), func.count().label("real")).group_by(liked_id).subquery()
            query = select(model.id).outerjoin(counts, counts.c.id == model.id)
            query = query.where(model.like_count != func.coalesce(counts.c.real, 0)).limit(MAX_RECOUNTED)
            wrong = work.session.scalars(query).all()
        for id in wrong:
            with unit_of_work(context) as work:
                work.session.execute(select(model.id).where(model.id == id).with_for_update())
                work.session.execute(update(model).where(model.id == id).values(like_count=real))
        count += len(wrong)
    return count
