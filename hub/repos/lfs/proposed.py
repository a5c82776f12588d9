"""Contents that somebody brings for a pull request who may not write to the repository.

The rule: such a content is not the repository's. It counts against its proposer, up to ``proposal_quota_bytes`` in all
repositories together, and not against the owner. Only its proposer gets it, until commits of a pull request name it:
then everybody does who reads the repository. A branch or tag that names it makes it the repository's for good, within
the owner's quota. What no open pull request names goes ``TTL`` after it came, and with nobody holding it, its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select, update

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can
from hub.base.context import Context
from hub.base.errors import QuotaExceeded
from hub.base.offload import offload
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import list_refs
from hub.repos import quotas
from hub.repos.checks import BRANCHES, TAGS, pointers_behind, readable_size
from hub.repos.lfs.holdings import batches, link_objects, register_objects, sizes_of_stored
from hub.repos.lookup import repository_path
from hub.repos.models import LFSLink, LFSObject, LFSProposal, Repository

TTL = timedelta(days=14)


def check_room(
    work: UnitOfWork, actor: Actor, repository: Repository, extra_bytes: int, *, are_stored: bool = False
) -> None:
    """Return when the actor may bring so many bytes more: in the owner's quota, or as a proposal.

    are_stored: the object store need have no room for them. Raises QuotaExceeded; Unavailable (``disk_full``).
    """
    if can(work, actor, Action.REPOSITORY_WRITE, repository):
        quotas.check_quota(work, repository, extra_bytes)
    elif extra_bytes > 0:
        _check_proposer(work, actor, extra_bytes)
    if not are_stored:
        quotas.require_free_store(work.context, extra_bytes)


def _check_proposer(work: UnitOfWork, actor: Actor, extra_bytes: int) -> None:
    limit = work.settings.proposal_quota_bytes
    used = (
        select(func.coalesce(func.sum(LFSObject.size_bytes), 0))
        .join(LFSProposal, LFSProposal.oid == LFSObject.oid)
        .where(LFSProposal.user_id == actor.user_id)
    )
    if int(work.session.scalar(used) or 0) + extra_bytes > limit:
        raise QuotaExceeded(
            f"Large files for pull requests may take {readable_size(limit)} of one account together, until they are "
            "merged or go.",
            quota_bytes=limit,
        )


def register_for(
    work: UnitOfWork, actor: Actor, repository: Repository, sizes: Mapping[str, int], *, source: str = ""
) -> None:
    """Record verified contents (oid to size) that are stored: the repository's, where the actor may write to it.

    Else they are the actor's proposals. The room is checked. Raises QuotaExceeded, Unprocessable (``size_mismatch``).
    """
    if can(work, actor, Action.REPOSITORY_WRITE, repository):
        quotas.check_quota(work, repository, sum(sizes.values()))
        register_objects(work, repository, sizes, source=source, user_id=actor.user_id)
        return
    register_objects(work, None, sizes, source=source)
    propose_objects(work, actor, repository.id, sizes)


def propose_objects(work: UnitOfWork, actor: Actor, repository_id: int, sizes: Mapping[str, int]) -> None:
    """Note stored contents as the actor's proposals. The actor may get them somewhere. Raises QuotaExceeded."""
    if actor.user_id is not None:
        # One after the other, so that two at once do not both find the last room.
        work.session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
    mine: set[str] = set()
    for batch in batches(sizes):
        known = select(LFSProposal.oid).where(
            LFSProposal.repository_id == repository_id,
            LFSProposal.user_id == actor.user_id,
            LFSProposal.oid.in_(batch),
        )
        mine.update(work.session.scalars(known))
    _check_proposer(work, actor, sum(size for oid, size in sizes.items() if oid not in mine))
    rows = [
        {
            "repository_id": repository_id,
            "oid": oid,
            "user_id": actor.user_id,
            "is_in_pull": False,
            "created_at": work.now(),
        }
        for oid in sorted(sizes)
    ]
    insert_new(work.session, LFSProposal, rows)


def note_in_pull(work: UnitOfWork, repository_id: int, oids: Iterable[str]) -> None:
    """Commits of a pull request name these contents: whoever reads the repository may have them."""
    for batch in batches(oids):
        named = update(LFSProposal).where(LFSProposal.repository_id == repository_id, LFSProposal.oid.in_(batch))
        work.session.execute(named.values(is_in_pull=True).execution_options(synchronize_session=False))


def keep_for_good(work: UnitOfWork, repository: Repository, oids: Iterable[str]) -> None:
    """Those of these contents that were only proposed become the repository's. Raises QuotaExceeded."""
    for batch in batches(oids):
        is_linked = exists().where(LFSLink.repository_id == LFSProposal.repository_id, LFSLink.oid == LFSProposal.oid)
        proposed = select(LFSProposal.oid, LFSProposal.user_id).where(
            LFSProposal.repository_id == repository.id, LFSProposal.oid.in_(batch), ~is_linked
        )
        rows = work.session.execute(proposed.order_by(LFSProposal.id.desc()))
        found: dict[str, int | None] = {row.oid: row.user_id for row in rows}
        if found:
            quotas.check_quota(work, repository, sum(sizes_of_stored(work, found).values()))
            link_objects(work, repository, found)


def was_proposed_to(before: datetime) -> ColumnElement[bool]:
    """Of a repository: contents were proposed for it before that time."""
    return exists().where(LFSProposal.repository_id == Repository.id, LFSProposal.created_at < before)


def release(context: Context, repository: Repository, *, before: datetime, open_refs: Iterable[str]) -> int:
    """Let go of what was proposed before that time and none of these refs names; how many there were.

    open_refs: those of the repository's open pull requests. It opens its own units of work.
    """
    path = repository_path(context.settings, repository)
    found = offload(list_refs, path)
    had = [tip for ref, tip in found.items() if ref.startswith((BRANCHES, TAGS))]
    named = pointers_behind(path, [found[ref] for ref in open_refs if ref in found], had)
    kept = {pointer.oid for pointer in named}
    with reading(context) as work:
        old = select(LFSProposal.id, LFSProposal.oid).where(
            LFSProposal.repository_id == repository.id, LFSProposal.created_at < before
        )
        gone = [row.id for row in work.session.execute(old) if row.oid not in kept]
    for batch in batches(gone):
        with unit_of_work(context) as work:
            statement = delete(LFSProposal).where(LFSProposal.id.in_(batch))
            work.session.execute(statement.execution_options(synchronize_session=False))
    return len(gone)
