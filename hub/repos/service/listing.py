"""Lists of repositories, each showing what its viewer may see, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, can_each, readable
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.lookup import is_live
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
    Three queries at most. Raises Invalid (``REQ-ERR-6``) for an unknown sort.
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    # A kind whose plugin does not run is as if it did not exist: its repositories have no address.
    of_kind = Repository.kind == kind if kind is not None else Repository.kind.in_(work.context[KINDS])
    query = select(Repository.id).where(of_kind, is_live(), _may_read(actor), *matches(search), *where)
    if namespace is not None:
        found = select(Namespace.id).where(Namespace.path_key == fold_name(namespace))
        query = query.where(Repository.namespace_id == found.scalar_subquery())
    if source is not None:
        query = query.where(Repository.source == source)
    # Their ids first: what belongs to them is joined to those on the page only.
    ids = query.order_by(*SORTS[sort]).offset(page.offset).limit(page.per).subquery()
    rows = work.session.scalars(
        select(Repository)
        .join(ids, ids.c.id == Repository.id)
        .options(
            joinedload(Repository.namespace, innerjoin=True),
            joinedload(Repository.created_by).lazyload(User.namespace),
        )
        .order_by(*SORTS[sort])
    ).all()
    total, is_estimate = total_of(work.session, query, page, len(rows))
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


def _may_read(actor: Actor) -> ColumnElement[bool]:
    return readable(
        actor,
        resource_type=Repository.resource_type,
        id=Repository.id,
        namespace_id=Repository.namespace_id,
        is_private=Repository.is_private,
    )
