"""How many repositories there are, how many are new, and what they take, for site administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import func, select

from hub.accounts.models import Namespace, NamespaceKind
from hub.accounts.policy import Actor, require_site_admin
from hub.base.paging import Page, PageArgs
from hub.db.days import count_by_day
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live
from hub.repos.models import LFSObject, Repository


@dataclass(frozen=True)
class RepositoryFigures:
    """by_kind: how many live ones there are of each kind that has any. new: how many were made on each day."""

    by_kind: dict[str, int]
    new: dict[date, int]


@dataclass(frozen=True)
class StorageFigures:
    """What all repositories take, in bytes, those included that were deleted and can come back.

    git: as their quotas count it. lfs: the contents that are kept, each once, however many repositories link it;
    lfs_linked: as quotas count them, once for each repository. lfs_objects: how many contents there are.
    """

    git: int
    lfs: int
    lfs_linked: int
    lfs_objects: int


class NamespaceUse(NamedTuple):
    """What a user's or an organisation's repositories take. quota_bytes: its own; None: the hub's setting."""

    path: str
    kind: NamespaceKind
    quota_bytes: int | None
    repositories: int
    git_bytes: int
    lfs_bytes: int

    @property
    def used_bytes(self) -> int:
        return self.git_bytes + self.lfs_bytes


def count_repositories(work: UnitOfWork, *, first: date) -> RepositoryFigures:
    """What there is now, and what is new since the first day. Two queries. The caller has judged who asks."""
    by_kind = select(Repository.kind, func.count()).where(is_live()).group_by(Repository.kind)
    counts = dict(work.rows(by_kind))
    return RepositoryFigures(counts, count_by_day(work, Repository.created_at, first=first, where=is_live()))


def sum_storage(work: UnitOfWork, *, actor: Actor) -> StorageFigures:
    """What is stored in all. Two queries. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    [(git, linked)] = work.rows(select(func.sum(Repository.git_size_bytes), func.sum(Repository.lfs_size_bytes)))
    [(kept, objects)] = work.rows(select(func.sum(LFSObject.size_bytes), func.count()).select_from(LFSObject))
    return StorageFigures(int(git or 0), int(kept or 0), int(linked or 0), int(objects))


def list_uses(work: UnitOfWork, *, actor: Actor, page: PageArgs | None = None) -> Page[NamespaceUse]:
    """Who stores how much, the most first; those without any repository are left out. Two queries.

    Raises NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    page = page or PageArgs()
    size = Repository.git_size_bytes + Repository.lfs_size_bytes
    used = (
        select(
            Repository.namespace_id,
            func.count().label("repositories"),
            func.sum(Repository.git_size_bytes).label("git"),
            func.sum(Repository.lfs_size_bytes).label("lfs"),
            func.sum(size).label("size"),
        )
        .group_by(Repository.namespace_id)
        .subquery()
    )
    rows = work.rows(
        select(Namespace.path, Namespace.kind, Namespace.quota_bytes, used.c.repositories, used.c.git, used.c.lfs)
        .join(used, used.c.namespace_id == Namespace.id)
        .order_by(used.c.size.desc(), Namespace.id)
        .offset(page.offset)
        .limit(page.per)
    )
    [(total,)] = work.rows(select(func.count(Repository.namespace_id.distinct())))
    uses = [
        NamespaceUse(path, kind, quota, count, int(git or 0), int(lfs or 0))
        for path, kind, quota, count, git, lfs in rows
    ]
    return Page(uses, total)
