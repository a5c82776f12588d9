"""Lists of repositories, each showing what its viewer may see, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, UnaryExpression, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, defer, joinedload

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can_each, readable
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.lookup import BRIEF_USER, is_live
from hub.repos.models import Repository
from hub.repos.searching import matches


def _order(*columns: InstrumentedAttribute[Any]) -> tuple[UnaryExpression[Any], ...]:
    """The order of an index of ``Repository`` read backwards, so that a page is read from it and not sorted."""
    return tuple(column.desc() for column in (*columns, Repository.updated_at, Repository.id))


# Source of the names: CSGHub contract, section 5.2.
SORTS: dict[str, tuple[UnaryExpression[Any], ...]] = {
    "recently_update": _order(),
    "trending": _order(Repository.trending_score),
    "most_download": _order(Repository.download_count),
    "most_favorite": _order(Repository.like_count),
    "most_star": _order(Repository.like_count),
}


@dataclass(frozen=True)
class Access:
    """What a viewer may do to a repository that they see."""

    can_write: bool
    can_manage: bool


def list_repositories(
    work: UnitOfWork,
    *,
    actor: Actor,
    kind: str | None = None,
    namespace: str | None = None,
    search: str = "",
    sort: str = "recently_update",
    source: str | None = None,
    where: Sequence[ColumnElement[bool]] = (),
    page: PageArgs | None = None,
) -> Page[Repository]:
    """The repositories that the actor may see; their namespaces and creators are loaded with them.

    kind, namespace, source: None for all. search: words that must all be in the path, nickname or description, in
    any case. where: further conditions on ``Repository`` from higher floors, such as labels.
    Four queries at most. Raises Invalid (``REQ-ERR-6``) for an unknown sort.
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    # A kind whose plugin does not run is as if it did not exist: its repositories have no address.
    kinds = [known.name for known in work.context[KINDS].values()] if kind is None else [kind]
    query = select(Repository.id).where(is_live(), _may_read(actor), *matches(search), *where)
    if namespace is not None:
        # By its id the database knows how many it has.
        found = work.session.scalar(select(Namespace.id).where(Namespace.path_key == fold_name(namespace)))
        query = query.where(Repository.namespace_id == found)
    if source is not None:
        query = query.where(Repository.source == source)
    # Their ids first: what belongs to them is joined to those on the page only.
    ids = _ids_of_page(query, kinds, SORTS[sort], page)
    rows = work.session.scalars(
        select(Repository)
        .join(ids, ids.c.id == Repository.id)
        .options(
            defer(Repository.search_text),
            joinedload(Repository.namespace, innerjoin=True),
            joinedload(Repository.created_by).options(*BRIEF_USER),
        )
        .order_by(*SORTS[sort])
        .execution_options(**{PLANNED_EACH_TIME: True})
    ).all()
    total, is_estimate = total_of(work, query.where(Repository.kind.in_(kinds)), page, len(rows))
    return Page(rows, total, is_estimate)


def access_of(work: UnitOfWork, *, actor: Actor, repositories: Sequence[Repository]) -> dict[int, Access]:
    """For each repository, by its id, what the actor may do to it. Two queries, however many there are."""
    allowed = can_each(work, actor, (Action.REPOSITORY_WRITE, Action.REPOSITORY_ADMIN), repositories)
    return {
        repository.id: Access(
            can_write=repository.id in allowed[Action.REPOSITORY_WRITE],
            can_manage=repository.id in allowed[Action.REPOSITORY_ADMIN],
        )
        for repository in repositories
    }


def _ids_of_page(
    query: Select[Any], kinds: Sequence[str], order: tuple[UnaryExpression[Any], ...], page: PageArgs
) -> Subquery:
    if len(kinds) == 1:
        chosen = query.where(Repository.kind == kinds[0]).order_by(*order)
        return chosen.offset(page.offset).limit(page.per).subquery()
    # The index has each kind in order, not all of them: the page is among the first ones of each.
    columns = [expression.element for expression in order]
    first = query.with_only_columns(*columns).order_by(*order).limit(page.offset + page.per)
    all_first = union_all(*(select(first.where(Repository.kind == kind).subquery()) for kind in kinds)).subquery()
    merged = select(all_first.c.id).order_by(*(all_first.c[str(column.key)].desc() for column in columns))
    return merged.offset(page.offset).limit(page.per).subquery()


def _may_read(actor: Actor) -> ColumnElement[bool]:
    return readable(
        actor,
        resource_type=Repository.resource_type,
        id=Repository.id,
        namespace_id=Repository.namespace_id,
        is_private=Repository.is_private,
    )
