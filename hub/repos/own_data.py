"""The repositories of somebody, for the copy of their own data; the files themselves are fetched by Git."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from hub.accounts.models import User
from hub.accounts.service.own_data import OWN_DATA, iterate_rows
from hub.base.context import Context
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live
from hub.repos.models import Repository

_NAMES = ("kind", "name", "nickname", "description", "is_private", "license", "default_branch", "like_count")
_SIZES = ("git_size_bytes", "lfs_size_bytes", "created_at", "updated_at")


def install(context: Context) -> None:
    """Add them; done once, by ``build_context``."""
    context[OWN_DATA].add("repositories", _repositories)


def _repositories(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    columns = (getattr(Repository, name) for name in (*_NAMES, *_SIZES))
    query = select(*columns).where(Repository.namespace_id == user.namespace_id, is_live())
    return iterate_rows(work, query.order_by(Repository.kind, Repository.name_key))
