"""What is in a collection, in which order, and what is remarked on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import joinedload

from hub.accounts.policy import Action, Actor
from hub.accounts.service.fields import validate_text
from hub.assets.models import Collection, CollectionItem
from hub.assets.service.collections import lock_collection, note_change
from hub.base.errors import Conflict, Invalid, NotFound
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository

# Of a collection, and of one request.
MAX_ITEMS = 1_000
MAX_AT_ONCE = 100
MAX_REMARK_CHARS = 500  # source: CSGHub contract, section 4.7

_ORDER = (CollectionItem.position, CollectionItem.created_at, CollectionItem.repository_id)


def items_of(
    work: UnitOfWork, *, actor: Actor, collection_ids: Sequence[int], most_each: int = MAX_ITEMS
) -> dict[int, list[CollectionItem]]:
    """For each collection the first of its items that the actor may see, their repositories loaded. One query."""
    found: dict[int, list[CollectionItem]] = defaultdict(list)
    if not collection_ids:
        return found
    number = func.row_number().over(partition_by=CollectionItem.collection_id, order_by=_ORDER)
    ranked = (
        select(CollectionItem.collection_id, CollectionItem.repository_id, number.label("number"))
        .join(Repository, Repository.id == CollectionItem.repository_id)
        .where(CollectionItem.collection_id.in_(collection_ids), *_visible(work, actor))
        .subquery()
    )
    is_ranked = and_(
        ranked.c.collection_id == CollectionItem.collection_id, ranked.c.repository_id == CollectionItem.repository_id
    )
    query = select(CollectionItem).join(ranked, is_ranked).where(ranked.c.number <= most_each).order_by(*_ORDER)
    for item in work.session.scalars(query.options(joinedload(CollectionItem.repository))):
        found[item.collection_id].append(item)
    return found


def count_kinds(work: UnitOfWork, *, actor: Actor, collection_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """For each collection how many repositories of each kind are in it, of those that the actor may see. One query."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    if collection_ids:
        query = (
            select(CollectionItem.collection_id, Repository.kind, func.count())
            .join(Repository, Repository.id == CollectionItem.repository_id)
            .where(CollectionItem.collection_id.in_(collection_ids), *_visible(work, actor))
            .group_by(CollectionItem.collection_id, Repository.kind)
        )
        for collection_id, kind, count in work.session.execute(query):
            found[collection_id][kind] = count
    return found


def count_items(work: UnitOfWork, *, collection_id: int) -> int:
    """How many live repositories are in a collection, whoever may see them. One query."""
    query = select(func.count()).select_from(CollectionItem)
    query = query.join(Repository, Repository.id == CollectionItem.repository_id)
    is_there = (CollectionItem.collection_id == collection_id, Repository.kind.in_(work.context[KINDS]), is_live())
    return work.session.scalar(query.where(*is_there)) or 0


def places_of(work: UnitOfWork, *, collection_id: int) -> dict[int, int]:
    """For each repository in a collection its place, from 1, as ``update_item`` takes it: all count. One query."""
    query = select(CollectionItem.repository_id).where(CollectionItem.collection_id == collection_id).order_by(*_ORDER)
    return {id: place for place, (id,) in enumerate(work.rows(query), start=1)}


def _visible(work: UnitOfWork, actor: Actor) -> list[ColumnElement[bool]]:
    return [Repository.kind.in_(work.context[KINDS]), is_live(), may_read(actor)]


def add_items(
    work: UnitOfWork,
    *,
    actor: Actor,
    collection_id: int,
    repository_ids: Sequence[int],
    remarks: Mapping[int, str] | None = None,
) -> Collection:
    """Put repositories at the end of a collection: all of them, or none where one does not fit.

    remarks: by repository id. Raises NotFound (the collection, or a repository that the actor may not read),
    NotSignedIn, Denied, Invalid; Conflict (``COLL-ERR-0``: one is in it already; ``collection_full``: it would hold
    more than ``MAX_ITEMS``).
    """
    collection = _lock(work, actor, collection_id)
    wanted = [*dict.fromkeys(repository_ids)]
    _refuse_many(wanted)
    readable_ids = set(
        work.session.scalars(select(Repository.id).where(Repository.id.in_(wanted), *_visible(work, actor)))
    )
    for repository_id in wanted:
        if repository_id not in readable_ids:
            raise NotFound("There is no such repository, or you may not see it.", code="repository_not_found")
    count, last = work.session.execute(
        select(func.count(), func.coalesce(func.max(CollectionItem.position), 0)).where(_is_in(collection))
    ).one()
    if count + len(wanted) > MAX_ITEMS:
        raise Conflict(f"A collection holds {MAX_ITEMS} repositories at most.", code="collection_full")
    now = work.now()
    rows = [
        {
            "collection_id": collection.id,
            "repository_id": repository_id,
            "position": position,
            "remark": _checked_remark((remarks or {}).get(repository_id, "")),
            "created_at": now,
        }
        for position, repository_id in enumerate(wanted, start=last + 1)
    ]
    if insert_new(work.session, CollectionItem, rows) < len(rows):
        raise Conflict("The repository is in this collection already.", code="COLL-ERR-0")
    note_change(work, actor, collection)
    return collection


def remove_items(
    work: UnitOfWork,
    *,
    actor: Actor,
    collection_id: int,
    repository_ids: Sequence[int],
    must_be_there: bool = False,
) -> Collection:
    """Take repositories out of a collection; harmless for those that are not in it. Raises as ``add_items``.

    must_be_there: raise NotFound (``item_not_found``) where none of them is in it.
    """
    collection = _lock(work, actor, collection_id)
    _refuse_many(repository_ids)
    removed = work.session.execute(
        delete(CollectionItem).where(_is_in(collection), CollectionItem.repository_id.in_(repository_ids))
    )
    assert isinstance(removed, CursorResult)
    if must_be_there and not removed.rowcount:
        raise NotFound("This repository is not in the collection.", code="item_not_found")
    note_change(work, actor, collection)
    return collection


def update_item(
    work: UnitOfWork,
    *,
    actor: Actor,
    collection_id: int,
    repository_id: int,
    remark: str | None = None,
    position: int | None = None,
) -> Collection:
    """Change the remark on a repository in a collection, or its place; None leaves it.

    position: from 1; beyond the end it is last. Items that the actor may not see count, too.
    Raises NotFound (``item_not_found`` where it is not in the collection), NotSignedIn, Denied, Invalid.
    """
    collection = _lock(work, actor, collection_id)
    ids = [*work.session.scalars(select(CollectionItem.repository_id).where(_is_in(collection)).order_by(*_ORDER))]
    is_seen = select(Repository.id).where(Repository.id == repository_id, *_visible(work, actor))
    if repository_id not in ids or work.session.scalar(is_seen) is None:
        raise NotFound("This repository is not in the collection.", code="item_not_found")
    if remark is not None:
        this = (_is_in(collection), CollectionItem.repository_id == repository_id)
        work.session.execute(update(CollectionItem).where(*this).values(remark=_checked_remark(remark)))
    if position is not None:
        ids.remove(repository_id)
        ids.insert(max(position, 1) - 1, repository_id)
        places = [
            {"collection_id": collection.id, "repository_id": id, "position": place}
            for place, id in enumerate(ids, start=1)
        ]
        work.session.execute(update(CollectionItem), places)
    note_change(work, actor, collection)
    return collection


def _lock(work: UnitOfWork, actor: Actor, collection_id: int) -> Collection:
    """The collection, for one who may edit it."""
    return lock_collection(work, actor=actor, collection_id=collection_id, action=Action.REPOSITORY_WRITE)


def _is_in(collection: Collection) -> ColumnElement[bool]:
    return CollectionItem.collection_id == collection.id


def _refuse_many(repository_ids: Sequence[int]) -> None:
    if len(repository_ids) > MAX_AT_ONCE:
        raise Invalid(f"More than {MAX_AT_ONCE} repositories at once.", code="REQ-ERR-6", member="repo_ids")


def _checked_remark(remark: str) -> str:
    return validate_text(remark, what="remark", most=MAX_REMARK_CHARS, has_lines=True)
