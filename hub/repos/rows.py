"""Repositories as they are read for showing: plain values, which take a fraction of the time of rows of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select

from hub.accounts.models import Namespace, NamespaceKind, User
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository


class NamespaceRow(NamedTuple):
    """As much of a repository's owner as answers say; with the members of ``Namespace``."""

    path: str
    kind: NamespaceKind
    uuid: str


class CreatorRow(NamedTuple):
    """As much of who made a repository as answers say; with the members of ``User``."""

    uuid: str
    name: str
    nickname: str
    avatar: str


class RepositoryRow(NamedTuple):
    """A repository as answers tell it; with the members of ``Repository``."""

    id: int
    uuid: str
    kind: str
    namespace_id: int
    name: str
    nickname: str
    description: str
    license: str
    is_private: bool
    gate: str
    default_branch: str
    storage: str
    forked_from_id: int | None
    git_size_bytes: int
    lfs_size_bytes: int
    download_count: int
    like_count: int
    trending_score: float
    details: dict[str, Any]
    source: str
    sync_status: str
    hf_path: str
    ms_path: str
    csg_path: str
    archived_at: datetime | None
    pushed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    namespace: NamespaceRow
    created_by: CreatorRow | None
    # A value that a higher floor wanted with each row.
    also: Any = None
    has_also: bool = False

    @property
    def resource_type(self) -> str:
        return Repository.resource_type

    @property
    def path(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace.path}/{self.name}"

    @property
    def is_public(self) -> bool:
        return not self.is_private

    @property
    def is_frozen(self) -> bool:
        return self.archived_at is not None


# Either way of having one; views show both.
Shown = Repository | RepositoryRow

_OWN = RepositoryRow._fields[: RepositoryRow._fields.index("namespace")]
_NAMESPACE_FROM = len(_OWN)
_CREATOR_FROM = _NAMESPACE_FROM + len(NamespaceRow._fields)
_CREATOR_TO = _CREATOR_FROM + len(CreatorRow._fields)

# What ``read_rows`` reads; conditions and order are added to it.
ROWS: Select[Any] = (
    select(
        *(getattr(Repository, name) for name in _OWN),
        *(getattr(Namespace, name) for name in NamespaceRow._fields),
        *(getattr(User, name) for name in CreatorRow._fields),
    )
    .join(Namespace, Namespace.id == Repository.namespace_id)
    .outerjoin(User, User.id == Repository.created_by_id)
)


def read_rows(work: UnitOfWork, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[RepositoryRow]:
    """What a query made from ``ROWS`` finds, with at most one column more. One query."""
    return [_row_of(found) for found in work.rows(query, values)]


def _row_of(found: Row[Any] | Sequence[Any]) -> RepositoryRow:
    creator = found[_CREATOR_FROM:_CREATOR_TO]
    namespace = NamespaceRow._make(found[_NAMESPACE_FROM:_CREATOR_FROM])
    # Who is gone has left no name.
    created_by = CreatorRow._make(creator) if creator[0] is not None else None
    also = (found[_CREATOR_TO], True) if len(found) > _CREATOR_TO else (None, False)
    return RepositoryRow._make((*found[:_NAMESPACE_FROM], namespace, created_by, *also))
