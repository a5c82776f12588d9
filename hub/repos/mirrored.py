"""Finding a repository by the path that it has on the hub it is a mirror of. Source: CSGHub contract, section 1.1."""

from __future__ import annotations

from sqlalchemy import select

from hub.accounts.policy import Actor, readable
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_readable, is_live
from hub.repos.models import Repository

# What a client asks for that names no branch.
_USUAL_BRANCHES = frozenset({"main", "master"})
_PATHS = {"hf": Repository.hf_path, "ms": Repository.ms_path}


def get_mirror_or_local(work: UnitOfWork, *, actor: Actor, kind: str, path: str, hub: str) -> Repository:
    """The repository that mirrors this path of another hub, else the one whose own path it is.

    hub: "hf" or "ms"; for any other word local paths alone count. Of several mirrors the oldest that the actor may
    read is taken. Raises NotFound (``repository_not_found``).
    """
    column = _PATHS.get(hub)
    found = None
    if column is not None:
        may_read = readable(
            actor,
            resource_type=Repository.resource_type,
            id=Repository.id,
            namespace_id=Repository.namespace_id,
            is_private=Repository.is_private,
        )
        query = select(Repository).where(Repository.kind == kind, column == path, is_live(), may_read)
        found = work.session.scalar(query.order_by(Repository.id).limit(1))
    return found or get_readable(work, actor=actor, kind=kind, path=path)


def branch_meant(repository: Repository, revision: str) -> str:
    """The revision itself, or a mirror's default branch where the usual name of one stands for it."""
    is_mirror = bool(repository.source not in ("", "local") or repository.hf_path or repository.ms_path)
    return repository.default_branch if is_mirror and revision in _USUAL_BRANCHES else revision
