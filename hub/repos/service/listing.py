"""Lists of repositories, each showing what its viewer may see, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    UnaryExpression,
    bindparam,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can_each
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.shapes import Shape, shape_of
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.rows import ROWS, RepositoryRow, Shown, read_rows
from hub.repos.searching import matches


def _order(*columns: InstrumentedAttribute[Any]) -> tuple[UnaryExpression[Any], ...]:
    """The order of an index of ``Repository`` read backwards, so that a page is read from it and not sorted."""
    return tuple(column.desc() for column in (*columns, Repository.updated_at, Repository.id))


# Each the order of an index, backwards or forwards. Source of the names: CSGHub contract, section 5.2, and after them
# the web UI contract, section 6.1.
SORTS: dict[str, tuple[UnaryExpression[Any], ...]] = {
    "recently_update": _order(),
    "trending": _order(Repository.trending_score),
    "most_download": _order(Repository.download_count),
    "most_favorite": _order(Repository.like_count),
    "most_star": _order(Repository.like_count),
    # Ids are given in the order of making.
    "recently_create": (Repository.id.desc(),),
    "created": (Repository.id.desc(),),
    "most_likes7d": _order(Repository.recent_like_count),
    "size": _order(Repository.size_bytes),
    "name": (Repository.name_key.asc(), Repository.id.asc()),
}
# The others are read backwards, the greatest first.
FORWARDS = frozenset({"name"})


# Of lists that differ in the values only, the statements are built once.
_MAX_SHAPES = 500


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
    also: ColumnElement[Any] | None = None,
    page: PageArgs | None = None,
    with_total: bool = True,
) -> Page[RepositoryRow]:
    """The repositories that the actor may see, with their namespaces and creators.

    kind, namespace, source: None for all. search: words that must all be in the path, nickname or description, in
    any case. where: further conditions on ``Repository`` from higher floors, such as labels.
    also: what a higher floor wants with each row, a constant that names columns of ``Repository`` only.
    with_total: else the total is that of the page, and costs nothing.
    Three queries at most. Raises Invalid (``REQ-ERR-6``) for an unknown sort.
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    # A kind whose plugin does not run is as if it did not exist: its repositories have no address.
    kinds = tuple(known.name for known in work.context[KINDS].values()) if kind is None else (kind,)
    shape, values = shape_of([may_read(actor), *matches(search), *where])
    values |= {"kind": kinds[0], "source": source}
    values |= {"offset": page.offset, "per": page.per, "last": page.offset + page.per}
    if namespace is not None:
        # By its id the database knows how many it has.
        key = {"path_key": fold_name(namespace)}
        values["namespace_id"] = work.session.scalar(_NAMESPACE_ID, key)
    # One kind is a value: all lists of one share a statement.
    several = kinds if kind is None and len(kinds) > 1 else ()
    statements = _statements_of(shape, several, sort, namespace is not None, source is not None, also)
    rows = read_rows(work, statements.page, values)
    if not with_total:
        return Page(rows, len(rows))
    total, is_estimate = total_of(work, statements.all, page, len(rows), values=values)
    return Page(rows, total, is_estimate)


@dataclass(frozen=True)
class _Statements:
    """What one list asks. page: the rows of a page. all: the ids, to count them."""

    page: Select[Any]
    all: Select[Any]


_NAMESPACE_ID = select(Namespace.id).where(Namespace.path_key == bindparam("path_key"))


@lru_cache(maxsize=_MAX_SHAPES)
def _statements_of(
    shape: Shape,
    kinds: tuple[str, ...],
    sort: str,
    has_namespace: bool,
    has_source: bool,
    also: ColumnElement[Any] | None,
) -> _Statements:
    query = select(Repository.id).where(is_live(), shape.condition())
    if has_namespace:
        query = query.where(Repository.namespace_id == bindparam("namespace_id"))
    if has_source:
        query = query.where(Repository.source == bindparam("source"))
    # Their ids first: what belongs to them is joined to those on the page only.
    ids = _ids_of_page(query, kinds, sort)
    rows = ROWS if also is None else ROWS.add_columns(also)
    rows = rows.join(ids, ids.c.id == Repository.id).order_by(*SORTS[sort])
    return _Statements(
        page=rows.execution_options(**{PLANNED_EACH_TIME: True}),
        all=query.where(_is_of(kinds)),
    )


def readable_among(work: UnitOfWork, *, actor: Actor, ids: Collection[int]) -> set[int]:
    """Those of the repositories that the actor may see now, by their ids. One query at most."""
    return {id for (id,) in work.rows(_readable(actor), {"ids": [*ids]})} if ids else set()


@lru_cache(maxsize=_MAX_SHAPES)
def _readable(actor: Actor) -> Select[Any]:
    is_asked = Repository.id.in_(bindparam("ids", expanding=True))
    return select(Repository.id).where(is_asked, is_live(), may_read(actor))


def access_of(work: UnitOfWork, *, actor: Actor, repositories: Sequence[Shown]) -> dict[int, Access]:
    """For each repository, by its id, what the actor may do to it. Two queries, however many there are."""
    allowed = can_each(work, actor, (Action.REPOSITORY_WRITE, Action.REPOSITORY_ADMIN), repositories)
    return {
        repository.id: Access(
            can_write=repository.id in allowed[Action.REPOSITORY_WRITE],
            can_manage=repository.id in allowed[Action.REPOSITORY_ADMIN],
        )
        for repository in repositories
    }


def _is_of(kinds: tuple[str, ...]) -> ColumnElement[bool]:
    return Repository.kind.in_(kinds) if kinds else Repository.kind == bindparam("kind")


def _ids_of_page(query: Select[Any], kinds: tuple[str, ...], sort: str) -> Subquery:
    order = SORTS[sort]
    offset, per = bindparam("offset", type_=Integer), bindparam("per", type_=Integer)
    if not kinds:
        return query.where(_is_of(kinds)).order_by(*order).offset(offset).limit(per).subquery()
    # The index has each kind in order, not all of them: the page is among the first ones of each.
    columns = [Repository.id, *(expression.element.label(f"by_{at}") for at, expression in enumerate(order))]
    first = query.with_only_columns(*columns).order_by(*order).limit(bindparam("last", type_=Integer))
    all_first = union_all(*(select(first.where(Repository.kind == kind).subquery()) for kind in kinds)).subquery()
    by = [column.asc() if sort in FORWARDS else column.desc() for name, column in all_first.c.items() if name != "id"]
    merged = select(all_first.c.id).order_by(*by)
    return merged.offset(offset).limit(per).subquery()
