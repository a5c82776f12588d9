"""How many repositories a namespace has, and how much room they take."""

from __future__ import annotations

from sqlalchemy import func, select

from hub.accounts.policy import Actor
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository


def count_by_kind(work: UnitOfWork, *, actor: Actor, namespace_id: int) -> dict[str, int]:
    """How many repositories of each kind are in a namespace, of those that the actor may read. One query."""
    in_namespace = Repository.namespace_id == namespace_id
    query = (
        select(Repository.kind, func.count()).where(in_namespace, is_live(), may_read(actor)).group_by(Repository.kind)
    )
    return dict(work.session.execute(query).all())


def stored_bytes(work: UnitOfWork, *, namespace_id: int) -> int:
    """The bytes of Git and LFS of all of a namespace's repositories. One query."""
    size = func.sum(Repository.git_size_bytes + Repository.lfs_size_bytes)
    return int(work.session.scalar(select(size).where(Repository.namespace_id == namespace_id, is_live())) or 0)
