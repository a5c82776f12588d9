"""Locks on files of a repository. Source: git-lfs, docs/api/locking.md; CSGHub contract, section 6.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hub.accounts.policy import Action, Actor, can, require
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.names import normalise_path
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_for
from hub.repos.models import LFSLock

MAX_LOCKS = 100


@dataclass(frozen=True)
class Lock:
    """A file that one user has locked."""

    id: int
    path: str
    owner_id: int
    owner_name: str
    locked_at: datetime

    @classmethod
    def of_row(cls, row: LFSLock) -> Lock:
        """The lock of a loaded row."""
        return cls(row.id, row.path, row.owner_id, row.owner.name, row.locked_at)


@dataclass(frozen=True)
class LockPage:
    """Some locks in the order they were made. next_cursor: what to ask the next ones with; None at the end."""

    locks: Sequence[Lock]
    next_cursor: str | None


class LockExists(Conflict):
    """Somebody, perhaps the caller, has locked the file already."""

    code = "lock_exists"

    def __init__(self, lock: Lock) -> None:
        super().__init__(f"{lock.path!r} is already locked by {lock.owner_name}.")
        self.lock = lock


def create_lock(work: UnitOfWork, *, actor: Actor, repository_id: int, path: str) -> Lock:
    """Lock a file, which need not exist, for the actor. Raises LockExists, Invalid, NotFound, Denied."""
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    path = normalise_path(path)
    if actor.user_id is None:
        raise Denied("A lock needs an owner.")
    row = {"repository_id": repository.id, "path": path, "owner_id": actor.user_id, "locked_at": work.now()}
    is_new = insert_new(work.session, LFSLock, [row]) == 1
    of_path = select(LFSLock).where(LFSLock.repository_id == repository.id, LFSLock.path == path)
    lock = Lock.of_row(work.session.scalars(of_path).one())
    if not is_new:
        raise LockExists(lock)
    return lock


def list_locks(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    path: str | None = None,
    lock_id: str | None = None,
    cursor: str | None = None,
    limit: int = MAX_LOCKS,
) -> LockPage:
    """The repository's locks, those on one path or of one id if asked.

    limit: 1 to 100; other values are brought into that range. Raises Invalid for a cursor that is none, NotFound.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    return _find_locks(work, repository_id, path, lock_id, cursor, limit)


def list_locks_for_push(
    work: UnitOfWork, *, actor: Actor, repository_id: int, cursor: str | None = None, limit: int = MAX_LOCKS
) -> LockPage:
    """As ``list_locks``, for one who may push: git-lfs asks before each push whose locks are in the way.

    Raises Invalid, NotFound, Denied.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    return _find_locks(work, repository_id, None, None, cursor, limit)


def _find_locks(
    work: UnitOfWork, repository_id: int, path: str | None, lock_id: str | None, cursor: str | None, limit: int
) -> LockPage:
    limit = min(max(limit, 1), MAX_LOCKS)
    query = select(LFSLock).where(LFSLock.repository_id == repository_id).order_by(LFSLock.id).limit(limit + 1)
    if path:
        query = query.where(LFSLock.path == normalise_path(path))
    if lock_id:
        wanted = _parse_id(lock_id)
        if wanted is None:
            return LockPage([], None)
        query = query.where(LFSLock.id == wanted)
    if cursor:
        after = _parse_id(cursor)
        if after is None:
            raise Invalid("The cursor is none of this hub's.", code="cursor_invalid")
        query = query.where(LFSLock.id > after)
    locks = [Lock.of_row(row) for row in work.session.scalars(query)]
    shown = locks[:limit]
    return LockPage(shown, str(shown[-1].id) if len(locks) > limit else None)


def remove_lock(work: UnitOfWork, *, actor: Actor, repository_id: int, lock_id: str, force: bool = False) -> Lock:
    """Unlock a file and return the lock that was.

    force: remove somebody else's lock, for which the actor must administer the repository.
    Raises NotFound (``lock_not_found``), Denied (``lock_not_owned``).
    """
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    wanted = _parse_id(lock_id)
    lock = work.session.get(LFSLock, wanted) if wanted is not None else None
    if lock is None or lock.repository_id != repository.id:
        raise NotFound("There is no such lock.", code="lock_not_found")
    if lock.owner_id != actor.user_id:
        if not force:
            hint = "; add --force to remove it" if can(work, actor, Action.REPOSITORY_ADMIN, repository) else ""
            raise Denied(f"The lock belongs to {lock.owner.name}{hint}.", code="lock_not_owned")
        require(work, actor, Action.REPOSITORY_ADMIN, repository)
    work.session.delete(lock)
    return Lock.of_row(lock)


def _parse_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
