"""Which repositories have files that nobody should load unlooked at, for site administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from hub.accounts.policy import Actor, require_site_admin
from hub.assets.models_security import ScanState, SecurityFile, SecurityReport
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, list_by_ids
from hub.repos.models import Repository

_TOLD = (ScanState.UNSAFE, ScanState.SUSPICIOUS, ScanState.ERROR)


@dataclass(frozen=True)
class Endangered:
    """A repository whose last report names files: how many are unsafe, suspicious, or could not be looked through."""

    repository: Repository
    unsafe: int
    suspicious: int
    errors: int
    scanned_at: datetime | None


def list_endangered(work: UnitOfWork, *, actor: Actor, page: PageArgs | None = None) -> Page[Endangered]:
    """Those repositories, the worst first, as their newest finished reports have them. Three queries.

    Raises NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    page = page or PageArgs()
    newest = (
        select(func.max(SecurityReport.id).label("id"))
        .join(Repository, Repository.id == SecurityReport.repository_id)
        .where(SecurityReport.finished_at.is_not(None), is_live())
        .group_by(SecurityReport.repository_id)
        .subquery()
    )
    unsafe, suspicious, errors = (func.sum(case((SecurityFile.state == state, 1), else_=0)) for state in _TOLD)
    found = (
        select(
            SecurityReport.repository_id,
            unsafe.label("unsafe"),
            suspicious.label("suspicious"),
            errors.label("errors"),
            func.max(SecurityReport.finished_at).label("scanned_at"),
        )
        .join(newest, newest.c.id == SecurityReport.id)
        .join(SecurityFile, SecurityFile.report_id == SecurityReport.id)
        .where(SecurityFile.state.in_(_TOLD))
        .group_by(SecurityReport.repository_id)
    ).subquery()
    [(total,)] = work.rows(select(func.count()).select_from(found))
    order = (found.c.unsafe.desc(), found.c.suspicious.desc(), found.c.repository_id)
    rows = work.rows(select(found).order_by(*order).offset(page.offset).limit(page.per))
    ids = [row.repository_id for row in rows]
    repositories = {one.id: one for one in list_by_ids(work, actor=actor, ids=ids)} if ids else {}
    return Page([Endangered(repositories[id], *rest) for id, *rest in rows if id in repositories], total)
