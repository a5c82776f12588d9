"""What a repository holds of LFS, for its keepers: listed, copied to another repository, removed for good.

Source: Hugging Face contract, section 7.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hub.accounts.policy import SYSTEM, Action, Actor
from hub.base.context import Context
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import list_refs
from hub.git.rewrite import drop_pointers
from hub.git.types import RefChange
from hub.repos import refs
from hub.repos.checks import BRANCHES, TAGS
from hub.repos.gates import require_content
from hub.repos.lfs.holding import action_to_send
from hub.repos.lfs.holdings import is_oid, known_here, sizes_of_held, unlink_objects
from hub.repos.lfs.proposed import register_for
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import LFSLink, LFSObject

log = get_logger(__name__)


@dataclass(frozen=True)
class HeldObject:
    """An object of a repository. held_at: since when the repository holds it."""

    oid: str
    size_bytes: int
    held_at: datetime


def list_held(
    work: UnitOfWork, *, actor: Actor, repository_id: int, after: str = "", limit: int
) -> tuple[list[HeldObject], bool]:
    """A page of the repository's objects, by oid, and whether there are more. For those who may write to it.

    Raises NotFound, NotSignedIn, Denied.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    rows = work.session.execute(
        select(LFSLink.oid, LFSObject.size_bytes, LFSLink.created_at)
        .join(LFSObject, LFSObject.oid == LFSLink.oid)
        .where(LFSLink.repository_id == repository_id, LFSLink.oid > after)
        .order_by(LFSLink.oid)
        .limit(limit + 1)
    ).all()
    return [HeldObject(*row) for row in rows[:limit]], len(rows) > limit


def copy_held(work: UnitOfWork, *, actor: Actor, source_id: int, target_id: int, oids: Sequence[str]) -> set[str]:
    """Let the target hold those of these objects that the source holds; return the oids that it does not.

    No byte moves. The actor must get the source's content, and may write to the target; who may only propose changes
    to it has them there for a pull request (``proposed``).
    Raises NotFound, NotSignedIn, Denied, QuotaExceeded.
    """
    source = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=source_id)
    require_content(work, actor, source)
    target = get_for(work, actor=actor, action=action_to_send(for_proposal=True), repository_id=target_id)
    wanted = {oid for oid in oids if is_oid(oid)}
    sizes = sizes_of_held(work, source_id, wanted, actor=actor)
    there = sizes_of_held(work, target_id, sizes, actor=actor)
    new = {oid: size for oid, size in sizes.items() if oid not in there}
    if new:
        register_for(work, actor, target, new)
    return {*oids} - {*sizes}


def remove_held(
    context: Context, *, actor: Actor, repository_id: int, oids: Sequence[str], rewrites_history: bool
) -> int:
    """Let the repository no longer hold these objects; return how many it held. It cannot be undone.

    rewrites_history: the files go from every commit of the branches and tags first, by a forced push, which protected
    branches refuse, then from those of pull requests, open and closed, and of the hub's own refs. Without it, commits
    go on naming contents that are no longer there. For those who administer the repository. May be repeated: after a
    crash in between, no commit names the objects, and they are still held.
    Raises NotFound, NotSignedIn, Denied, Conflict (``ref_changed``), TooLarge (``history_too_long``), and what a push
    may raise.
    """
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
        held = known_here(work, repository_id, {oid for oid in oids if is_oid(oid)})
    if rewrites_history and held:
        path = repository_path(context.settings, repository)
        # All in one go, so that a pull request goes on from the base's new commits.
        found = offload(list_refs, path)
        moved = offload(drop_pointers, path, found, [*held])
        changes = [RefChange(ref, found[ref], new) for ref, new in moved.items()]
        own = [change for change in changes if change.ref.startswith((BRANCHES, TAGS))]
        others = [change for change in changes if change not in own]
        if own:
            refs.receive(context, actor=actor, repository=repository, changes=own, via="api")
        if others:
            # Nobody may write to these by themselves; to have the files gone is for who administers the repository.
            refs.receive(context, actor=SYSTEM, repository=repository, changes=others, via="api")
    with unit_of_work(context) as work:
        get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
        count = unlink_objects(work, repository_id, [*held])
    log.info("lfs_objects_removed", repository_id=repository_id, actor_id=actor.user_id, count=count)
    return count
