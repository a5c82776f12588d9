"""What those who keep contents in a way of their own ask of the core: who holds a content, and that somebody may.

Everything here runs inside the caller's unit of work, so that a content and its holding come or go together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Select, func, select, update

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Invalid, TooLarge
from hub.db.uow import UnitOfWork, reading
from hub.objects.store import STORE
from hub.repos.lfs.holdings import object_key, register_objects, sizes_of_held, stored_objects, validate_oid
from hub.repos.lfs.proposed import check_room, register_for
from hub.repos.lookup import get_for, is_live, may_read
from hub.repos.models import LFSLink, LFSObject, Repository

_AT_ONCE = 1000


def action_to_send(*, for_proposal: bool) -> Action:
    """What one must be allowed to bring contents into a repository: to write to it, or to propose changes to it."""
    return Action.REPOSITORY_PROPOSE if for_proposal else Action.REPOSITORY_WRITE


def hold_contents(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    contents: Mapping[str, int],
    source: str,
    for_proposal: bool = False,
) -> None:
    """Let a repository hold contents (oid to size in bytes) that a source has whole and whose SHA-256 was checked.

    One that the hub knew already stays with who keeps it. for_proposal: the right to propose changes is enough.
    A few statements, however many contents. Repeating it changes nothing. The caller keeps the source's own rows of
    these contents locked until the transaction ends, or ``ContentSource.forget`` could take them meanwhile.
    Raises NotFound, NotSignedIn, Denied, Invalid (``lfs_oid_invalid``, ``lfs_size_invalid``), TooLarge,
    QuotaExceeded, Unprocessable (``size_mismatch``).
    """
    action = action_to_send(for_proposal=for_proposal)
    repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
    limit = work.settings.max_lfs_object_size_bytes
    for oid, size_bytes in contents.items():
        validate_oid(oid)
        if size_bytes < 0:
            raise Invalid("The size is negative.", code="lfs_size_invalid")
        if size_bytes > limit:
            raise TooLarge(f"An object has at most {limit} bytes.")
    held = sizes_of_held(work, repository_id, contents, actor=actor)
    new = {oid: size for oid, size in contents.items() if oid not in held}
    # With their rows locked, the collector of garbage leaves also those alone that are held already.
    register_objects(work, None, contents, source=source)
    if new:
        register_for(work, actor, repository, new, source=source)


def holds_contents(
    work: UnitOfWork, repository_id: int, oids: Iterable[str], *, actor: Actor | None = None
) -> set[str]:
    """Those of these contents that the repository has for its readers, and for the actor what they bring for a pull
    request. One query for a thousand of them.
    """
    return {*sizes_of_held(work, repository_id, oids, actor=actor)}


def check_room_for(work: UnitOfWork, *, actor: Actor, repository: Repository, contents: Mapping[str, int]) -> None:
    """Return when ``hold_contents`` would find room for these contents, oid to size. Raises QuotaExceeded.

    The sizes may be what somebody only claims: who has a content has it in its own size.
    """
    held = sizes_of_held(work, repository.id, contents, actor=actor)
    extra_bytes = sum(size for oid, size in contents.items() if held.get(oid) != size)
    check_room(work, actor, repository, extra_bytes, are_stored=True)


def known_contents(work: UnitOfWork, oids: Iterable[str]) -> set[str]:
    """Those of these contents that the hub still knows, whoever holds or keeps them. Never to be told to a client.

    A source that is told to forget contents asks it once more, inside the transaction in which it lets them go.
    """
    return {*stored_objects(work, oids)}


def readable_contents(work: UnitOfWork, actor: Actor, oids: Iterable[str]) -> set[str]:
    """Those of these contents that some repository holds which the actor may read. One query for a thousand.

    Gated repositories give nothing away here, not even to those who were let in.
    """
    found: set[str] = set()
    remaining = iter(dict.fromkeys(oids))
    while batch := list(islice(remaining, _AT_ONCE)):
        found.update(
            work.session.scalars(
                select(LFSLink.oid)
                .distinct()
                .join(Repository, Repository.id == LFSLink.repository_id)
                .where(LFSLink.oid.in_(batch), is_live(), may_read(actor), Repository.gate == "")
            )
        )
    return found


@dataclass(frozen=True)
class PlainContent:
    """A content that lies whole in the object store, under ``key``; ``oid`` is its SHA-256.

    repository_id: one of the repositories that hold it.
    """

    oid: str
    size_bytes: int
    key: str
    repository_id: int


def plain_contents(
    context: Context,
    *,
    after: str = "",
    min_size_bytes: int = 1,
    limit: int = _AT_ONCE,
    except_for: Select[str] | None = None,
) -> Iterator[PlainContent]:
    """The held contents that lie whole in the object store, by oid, after that one: what a source may take over.

    except_for: gives the oids of those that are left out. One query. It asks nobody's leave: for jobs.
    """
    holder = (
        select(func.min(LFSLink.repository_id))
        .join(Repository, Repository.id == LFSLink.repository_id)
        .where(LFSLink.oid == LFSObject.oid, is_live())
        .scalar_subquery()
    )
    query = select(LFSObject.oid, LFSObject.size_bytes, holder).where(
        LFSObject.oid > after,
        LFSObject.source == "",
        LFSObject.size_bytes >= min_size_bytes,
        holder.is_not(None),
    )
    if except_for is not None:
        query = query.where(LFSObject.oid.not_in(except_for))
    with reading(context) as work:
        rows = work.session.execute(query.order_by(LFSObject.oid).limit(limit)).all()
    return (PlainContent(oid, size_bytes, object_key(oid), repository_id) for oid, size_bytes, repository_id in rows)


def take_over(work: UnitOfWork, oid: str, *, source: str) -> bool:
    """Note that a source keeps a content from now on, which it has whole; whether it lay in the object store before.

    Its plain copy stays where it is for who reads it at this moment: see ``drop_plain_copy``.
    """
    taken = update(LFSObject).where(LFSObject.oid == oid, LFSObject.source == "").values(source=source)
    return work.session.scalar(taken.returning(LFSObject.oid)) is not None


def drop_plain_copy(work: UnitOfWork, oid: str) -> None:
    """Remove what the object store has of a content that a source keeps; nothing where the store keeps it itself.

    The row is locked to the end of the transaction: nobody gives the content back to the store meanwhile.
    """
    kept_by = work.session.scalar(select(LFSObject.source).where(LFSObject.oid == oid).with_for_update())
    if kept_by:
        work.context[STORE].delete(object_key(oid))
