"""Repositories of all kinds as site administrators look through them: also those that were deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from hub.accounts.policy import Actor, require_site_admin
from hub.base.errors import Invalid
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.models import Repository, RepositoryState
from hub.repos.rows import ROWS, RepositoryRow, read_rows
from hub.repos.searching import matches
from hub.repos.service.listing import SORTS, list_repositories


@dataclass(frozen=True)
class RepositoryFilter:
    """Which repositories are asked for; empty members ask for all.

    kind: a name in the registry of kinds. is_deleted: those that can still be brought back, and no others.
    """

    search: str = ""
    kind: str = ""
    is_private: bool | None = None
    is_archived: bool | None = None
    is_deleted: bool = False


@dataclass(frozen=True)
class ListedRepository:
    """A repository in the list. deleted_at, purged_at: when it was deleted and when it goes for good; None: neither."""

    row: RepositoryRow
    deleted_at: datetime | None = None
    purged_at: datetime | None = None


def list_all_repositories(
    work: UnitOfWork, *, actor: Actor, wanted: RepositoryFilter, sort: str = "", page: PageArgs | None = None
) -> Page[ListedRepository]:
    """Repositories of all kinds, by ``sort``: one of ``SORTS``; empty: recently_update.

    Deleted ones come with the last deleted first unless sorted by size. Four queries at most.
    Raises NotSignedIn, Denied; Invalid (``REQ-ERR-6``).
    """
    require_site_admin(work, actor)
    allowed = [*SORTS]
    if sort and sort not in allowed:
        raise Invalid(f"'sort' must be one of {', '.join(allowed)}.", code="REQ-ERR-6", query="sort", allowed=allowed)
    page = page or PageArgs()
    if not wanted.is_deleted:
        found = list_repositories(
            work,
            actor=actor,
            kind=wanted.kind or None,
            search=wanted.search,
            sort=sort or "recently_update",
            where=_states(wanted),
            page=page,
        )
        return Page([ListedRepository(row) for row in found.items], found.total, found.is_estimate)
    return _list_deleted(work, wanted, sort, page)


def _states(wanted: RepositoryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.is_private is not None:
        conditions.append(Repository.is_private.is_(wanted.is_private))
    if wanted.is_archived is not None:
        archived = Repository.archived_at
        conditions.append(archived.is_not(None) if wanted.is_archived else archived.is_(None))
    return conditions


def _list_deleted(work: UnitOfWork, wanted: RepositoryFilter, sort: str, page: PageArgs) -> Page[ListedRepository]:
    kinds = [wanted.kind] if wanted.kind else [kind.name for kind in work.context[KINDS].values()]
    conditions = [Repository.kind.in_(kinds), *matches(wanted.search), *_states(wanted)]
    kept = timedelta(seconds=work.settings.undelete_ttl_s)
    conditions += [Repository.state == RepositoryState.READY, Repository.deleted_at > work.now() - kept]
    order = SORTS["size"] if sort == "size" else (Repository.deleted_at.desc(), Repository.id.desc())
    [(total,)] = work.rows(select(func.count()).select_from(Repository).where(*conditions))
    query = ROWS.add_columns(Repository.deleted_at).where(*conditions).order_by(*order)
    rows = read_rows(work, query.offset(page.offset).limit(page.per))
    return Page([ListedRepository(row, row.also, row.also and row.also + kept) for row in rows], total)
