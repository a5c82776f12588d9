"""Lists of repositories, each showing what its viewer may see, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, UnaryExpression, func, or_, select
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can_each, readable
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.lookup import is_live
from hub.repos.models import Repository

MAX_SEARCH_CHARS = 200

# Source of the names: CSGHub contract, section 5.2. Until likes exist all repositories have equally few, so the two
# orders by them are the order of those that are equal.
_NEWEST = (Repository.updated_at.desc(), Repository.id.desc())
SORTS: dict[str, tuple[UnaryExpression[Any], ...]] = {
    "recently_update": _NEWEST,
    "trending": (Repository.download_count.desc(), *_NEWEST),
    "most_download": (Repository.download_count.desc(), *_NEWEST),
    "most_favorite": _NEWEST,
    "most_star": _NEWEST,
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
    page: PageArgs | None = None,
) -> Page[Repository]:
    """The repositories that the actor may see; their namespaces and creators are loaded with them.

    kind, namespace: None for all. search: words in the path, nickname or description, in any case.
    Raises Invalid (``REQ-ERR-6``) for an unknown sort.
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    query = _visible(actor).join(Repository.namespace)
    # A kind whose plugin does not run is as if it did not exist: its repositories have no address.
    query = query.where(Repository.kind == kind if kind is not None else Repository.kind.in_(work.context[KINDS]))
    if namespace is not None:
        query = query.where(Namespace.path_key == fold_name(namespace))
    if search.strip():
        query = query.where(_matches(search.strip()[:MAX_SEARCH_CHARS]))
    total = work.session.scalar(query.with_only_columns(func.count(Repository.id))) or 0
    rows = work.session.scalars(
        query.options(contains_eager(Repository.namespace), joinedload(Repository.created_by))
        .order_by(*SORTS[sort])
        .offset(page.offset)
        .limit(page.per)
    )
    return Page(rows.all(), total)


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


def _visible(actor: Actor) -> Select[Repository]:
    return select(Repository).where(
        is_live(),
        readable(
            actor,
            resource_type=Repository.resource_type,
            id=Repository.id,
            namespace_id=Repository.namespace_id,
            is_private=Repository.is_private,
        ),
    )


def _matches(search: str) -> ColumnElement[bool]:
    pattern = "%" + search.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    columns = (
        Namespace.path_key + "/" + Repository.name_key,
        func.lower(Repository.nickname),
        func.lower(Repository.description),
    )
    return or_(*(column.like(pattern, escape="\\") for column in columns))
