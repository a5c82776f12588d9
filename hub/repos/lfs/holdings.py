"""Which objects a repository holds. An object without a link to it does not exist for the repository's readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from hub.accounts.policy import Actor
from hub.base.errors import Invalid, Unprocessable
from hub.db.insert import insert_new, insert_new_keys
from hub.db.uow import UnitOfWork
from hub.git.types import LFSPointer
from hub.repos.models import LFSLink, LFSObject, LFSProposal, Repository

_T = TypeVar("_T")

_OID = re.compile(r"[0-9a-f]{64}\Z")
# Well below what SQLite and PostgreSQL take as parameters of one statement.
_AT_ONCE = 1000


def is_oid(text: object) -> bool:
    """Whether this is the SHA-256 of something, in the one spelling that LFS knows."""
    return isinstance(text, str) and bool(_OID.match(text))


def validate_oid(oid: str) -> str:
    """The oid itself. Raises Invalid (``lfs_oid_invalid``)."""
    if not is_oid(oid):
        raise Invalid("An LFS object id is 64 lower-case hexadecimal digits.", code="lfs_oid_invalid")
    return oid


def object_key(oid: str) -> str:
    """Where the object store keeps the content."""
    return f"lfs/{oid[:2]}/{oid[2:4]}/{oid}"


class Stored(NamedTuple):
    """How large an object is, and who keeps its bytes (``sources``; "": they are whole in the object store)."""

    size_bytes: int
    source: str


def held_objects(
    work: UnitOfWork, repository_id: int, oids: Iterable[str], *, actor: Actor | None = None
) -> dict[str, Stored]:
    """Those of these objects that the repository has for its readers. One query for a thousand objects.

    That is what it holds and what its pull requests name; for the actor, also what they bring for one (``proposed``).
    """
    held: dict[str, Stored] = {}
    user_id = actor.user_id if actor is not None else None
    for batch in batches(dict.fromkeys(oids)):
        rows = work.rows(_HELD, {"repository_id": repository_id, "oids": batch, "user_id": user_id})
        held.update((oid, Stored(size_bytes, source)) for oid, size_bytes, source in rows)
    return held


def is_had() -> ColumnElement[bool]:
    """That a repository has an ``LFSObject`` for who asks. Parameters: ``repository_id``, ``user_id``."""
    repository_id = bindparam("repository_id", type_=Repository.id.type)
    is_mine = LFSProposal.user_id == bindparam("user_id", type_=LFSProposal.user_id.type)
    return or_(
        exists().where(LFSLink.repository_id == repository_id, LFSLink.oid == LFSObject.oid),
        exists().where(
            LFSProposal.repository_id == repository_id,
            LFSProposal.oid == LFSObject.oid,
            or_(LFSProposal.is_in_pull, is_mine),
        ),
    )


def is_unheld() -> ColumnElement[bool]:
    """That nothing at all leads to an ``LFSObject``."""
    return and_(
        ~exists().where(LFSLink.oid == LFSObject.oid),
        ~exists().where(LFSProposal.oid == LFSObject.oid),
    )


# Built once: each download of a file in LFS asks it.
_HELD = select(LFSObject.oid, LFSObject.size_bytes, LFSObject.source).where(
    LFSObject.oid.in_(bindparam("oids", expanding=True)), is_had()
)


def sizes_of_held(
    work: UnitOfWork, repository_id: int, oids: Iterable[str], *, actor: Actor | None = None
) -> dict[str, int]:
    """The size of each of these objects that ``held_objects`` gives."""
    return {oid: held.size_bytes for oid, held in held_objects(work, repository_id, oids, actor=actor).items()}


def known_here(work: UnitOfWork, repository_id: int, oids: Iterable[str]) -> set[str]:
    """Those of these objects that the repository holds, or that anybody brought for a pull request of it."""
    found: set[str] = set()
    for batch in batches(dict.fromkeys(oids)):
        for table in (LFSLink, LFSProposal):
            found.update(
                work.session.scalars(
                    select(table.oid).where(table.repository_id == repository_id, table.oid.in_(batch))
                )
            )
    return found


def holds_objects(work: UnitOfWork, repository_id: int) -> bool:
    """Whether the repository holds any object at all, those of pull requests included."""
    found = [exists().where(table.repository_id == repository_id) for table in (LFSLink, LFSProposal)]
    return bool(work.session.scalar(select(or_(*found))))


def batches(oids: Iterable[_T]) -> Iterator[list[_T]]:
    """A thousand at a time."""
    remaining = iter(oids)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield batch


def missing_objects(
    work: UnitOfWork, repository_id: int, pointers: Iterable[LFSPointer], *, actor: Actor | None = None
) -> list[LFSPointer]:
    """The pointers whose object the repository does not have for the actor, or has with another size."""
    pointers = list(pointers)
    held = sizes_of_held(work, repository_id, (pointer.oid for pointer in pointers), actor=actor)
    return [pointer for pointer in pointers if held.get(pointer.oid) != pointer.size_bytes]


def register_object(work: UnitOfWork, repository: Repository, oid: str, size_bytes: int) -> bool:
    """Record that a verified content is stored and that the repository holds it; return whether the latter is new.

    Raises Unprocessable (``size_mismatch``) when the object is known with another size.
    """
    return register_objects(work, repository, {oid: size_bytes}) == 1


def register_objects(
    work: UnitOfWork,
    repository: Repository | None,
    sizes: Mapping[str, int],
    *,
    source: str = "",
    user_id: int | None = None,
) -> int:
    """As ``register_object``, for many (oid to size) in a few statements; return how many were not held before.

    repository: None: somebody holds them otherwise, by a row that the caller adds in this transaction.
    source: who keeps the bytes of those that the hub did not know; a known one stays where it is. user_id: who brings
    them.
    """
    # In one order, so that two transactions that meet at the same objects do not wait for each other for ever.
    missing = dict(sorted(sizes.items()))
    while missing:
        rows = [
            {"oid": oid, "size_bytes": size_bytes, "source": source, "created_at": work.now()}
            for oid, size_bytes in missing.items()
        ]
        insert_new(work.session, LFSObject, rows)
        for batch in batches([*missing]):
            # On PostgreSQL the lock keeps the garbage collector off the rows until the links are committed; where the
            # collector was faster, there is no row any more. SQLite has one writer at a time and ignores the lock.
            known = work.session.execute(
                select(LFSObject.oid, LFSObject.size_bytes)
                .where(LFSObject.oid.in_(batch))
                .order_by(LFSObject.oid)
                .with_for_update(read=True, key_share=True)
            )
            for oid, known_bytes in known:
                if known_bytes != missing.pop(oid):
                    raise Unprocessable("The object has another size.", code="size_mismatch")
    return link_objects(work, repository, dict.fromkeys(sizes, user_id)) if repository is not None else 0


def link_objects(work: UnitOfWork, repository: Repository, pushers: Mapping[str, int | None]) -> int:
    """Let a repository hold objects that are already stored; return how many it did not hold before.

    pushers: oid to who brings it; None: the hub itself.

    It is for the caller to know that the actor may read the objects somewhere: an oid alone proves nothing.
    Raises Unprocessable (``lfs_object_missing``) when one of them is not stored.
    """
    oids = sorted(pushers)
    known = sizes_of_stored(work, oids)
    if len(known) < len(oids):
        raise Unprocessable("An LFS object is not stored on this hub.", code="lfs_object_missing")
    held: set[str] = set()
    for batch in batches(oids):
        linked = select(LFSLink.oid).where(LFSLink.repository_id == repository.id, LFSLink.oid.in_(batch))
        held.update(work.session.scalars(linked))
    rows = [
        {"repository_id": repository.id, "oid": oid, "pushed_by_id": pushers[oid], "created_at": work.now()}
        for oid in oids
        if oid not in held
    ]
    added = insert_new_keys(work.session, LFSLink, rows)
    if added:
        _forget_proposals(work, repository.id, [key.oid for key in added])
        _add_size(work, repository.id, sum(known[key.oid] for key in added))
    return len(added)


def stored_objects(work: UnitOfWork, oids: Iterable[str]) -> dict[str, Stored]:
    """Those of these objects that the hub stores, whoever holds them. Never to be told to a client."""
    stored: dict[str, Stored] = {}
    for batch in batches(dict.fromkeys(oids)):
        rows = work.session.execute(
            select(LFSObject.oid, LFSObject.size_bytes, LFSObject.source).where(LFSObject.oid.in_(batch))
        )
        stored.update((oid, Stored(size_bytes, source)) for oid, size_bytes, source in rows)
    return stored


def sizes_of_stored(work: UnitOfWork, oids: Iterable[str]) -> dict[str, int]:
    """The size of each of these objects that the hub stores, whoever holds it. Never to be told to a client."""
    return {oid: stored.size_bytes for oid, stored in stored_objects(work, oids).items()}


def unlink_object(work: UnitOfWork, repository_id: int, oid: str, size_bytes: int) -> None:
    """Let a repository no longer hold an object, proposed or not; one that it does not hold is no error."""
    _forget_proposals(work, repository_id, [oid])
    gone = work.session.scalar(
        delete(LFSLink).where(LFSLink.repository_id == repository_id, LFSLink.oid == oid).returning(LFSLink.oid)
    )
    if gone is not None:
        _add_size(work, repository_id, -size_bytes)


def unlink_objects(work: UnitOfWork, repository_id: int, oids: Sequence[str]) -> int:
    """As ``unlink_object``, for many; return how many the repository held."""
    sizes = sizes_of_stored(work, oids)
    gone: list[str] = []
    _forget_proposals(work, repository_id, sorted(sizes))
    for batch in batches(sorted(sizes)):
        gone += work.session.scalars(
            delete(LFSLink).where(LFSLink.repository_id == repository_id, LFSLink.oid.in_(batch)).returning(LFSLink.oid)
        )
    if gone:
        _add_size(work, repository_id, -sum(sizes[oid] for oid in gone))
    return len(gone)


def copy_links(work: UnitOfWork, source_id: int, target_id: int) -> None:
    """Let the target repository, a fork, hold all that the source holds. The target must hold nothing yet."""
    work.session.execute(
        insert(LFSLink).from_select(
            ["repository_id", "oid", "pushed_by_id", "created_at"],
            select(
                literal(target_id), LFSLink.oid, LFSLink.pushed_by_id, literal(work.now(), LFSLink.created_at.type)
            ).where(LFSLink.repository_id == source_id),
        )
    )
    total = (
        select(func.coalesce(func.sum(LFSObject.size_bytes), 0))
        .join(LFSLink, LFSLink.oid == LFSObject.oid)
        .where(LFSLink.repository_id == target_id)
    )
    work.session.execute(
        update(Repository).where(Repository.id == target_id).values(lfs_size_bytes=total.scalar_subquery())
    )


def _forget_proposals(work: UnitOfWork, repository_id: int, oids: Sequence[str]) -> None:
    for batch in batches(oids):
        statement = delete(LFSProposal).where(LFSProposal.repository_id == repository_id, LFSProposal.oid.in_(batch))
        work.session.execute(statement.execution_options(synchronize_session=False))


def _add_size(work: UnitOfWork, repository_id: int, size_bytes: int) -> None:
    work.session.execute(
        update(Repository)
        .where(Repository.id == repository_id)
        .values(lfs_size_bytes=Repository.lfs_size_bytes + size_bytes)
    )
