"""Finding a repository by the path that it has on the hub it is a mirror of. Source: CSGHub contract, section 1.1."""

from __future__ import annotations

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import aliased

from hub.accounts.policy import Action, Actor, can, require
from hub.db.uow import UnitOfWork
from hub.repos.lookup import find_shown, get_readable, is_live, may_read
from hub.repos.models import Repository
from hub.repos.rows import ROWS, Shown, read_rows

# What a client asks for that names no branch.
_USUAL_BRANCHES = frozenset({"main", "master"})
_PATHS = {"hf": Repository.hf_path, "ms": Repository.ms_path}
# Built once: to build them takes longer than to run them. The first is a column beside a repository's own.
_Mirror = aliased(Repository)
_HAS_MIRROR = {
    hub: exists().where(_Mirror.kind == bindparam("kind"), getattr(_Mirror, column.key) == bindparam("mirrored"))
    for hub, column in _PATHS.items()
}
_OLDEST_MIRROR = {
    hub: ROWS.where(Repository.kind == bindparam("kind"), column == bindparam("mirrored"), is_live())
    .order_by(Repository.id)
    .limit(1)
    for hub, column in _PATHS.items()
}


def get_mirror_or_local(work: UnitOfWork, *, actor: Actor, kind: str, path: str, hub: str) -> Repository:
    """The repository that mirrors this path of another hub, else the one whose own path it is.

    hub: "hf" or "ms"; for any other word local paths alone count. Of several mirrors the oldest that the actor may
    read is taken. Raises NotFound (``repository_not_found``).
    """
    column = _PATHS.get(hub)
    found = None
    if column is not None:
        query = select(Repository).where(Repository.kind == kind, column == path, is_live(), may_read(actor))
        found = work.session.scalar(query.order_by(Repository.id).limit(1))
    return found or get_readable(work, actor=actor, kind=kind, path=path)


def show_mirror_or_local(work: UnitOfWork, *, actor: Actor, kind: str, path: str, hub: str) -> Shown:
    """As ``get_mirror_or_local``, for reading only: a tenth of the time, as a snapshot asks this for each file."""
    values = {"kind": kind, "mirrored": path}
    found = find_shown(work, kind=kind, path=path, also=_HAS_MIRROR.get(hub), values=values)
    if found is not None and not found.also:
        require(work, actor, Action.REPOSITORY_READ, found)
        return found
    # Mostly there is one, which everybody in question may read.
    for row in read_rows(work, _OLDEST_MIRROR[hub], values) if hub in _OLDEST_MIRROR else ():
        if can(work, actor, Action.REPOSITORY_READ, row):
            return row
    return get_mirror_or_local(work, actor=actor, kind=kind, path=path, hub=hub)


def stand_ins(repository: Shown) -> dict[str, str]:
    """What is meant by revisions that stand for another: the usual names of a branch for a mirror's default one."""
    is_mirror = bool(repository.source not in ("", "local") or repository.hf_path or repository.ms_path)
    return dict.fromkeys(_USUAL_BRANCHES, repository.default_branch) if is_mirror else {}


def branch_meant(repository: Shown, revision: str) -> str:
    """The revision itself, or a mirror's default branch where the usual name of one stands for it."""
    return stand_ins(repository).get(revision, revision)
