"""The one path of every write to a repository's refs: push, web, API, mirror.

A write has three steps. ``prepare`` asks the checks and writes the intent, a pending push row. Then the refs move:
git's receive-pack moves them in a push, ``receive`` for everybody else; of two at once git's compare-and-swap lets
one win. ``settle`` turns the row into the push record, tells the listeners and queues the jobs.

So objects come first, then refs, then the record, then jobs. What a crash leaves between two steps ``reconcile``
finishes: refs are the truth, and the rows follow them.

These functions span Git and the database. They take the context and open short units of work of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from hub.accounts.policy import SYSTEM, Action, Actor
from hub.base.context import Context
from hub.base.errors import HubError, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.base import new_uuid
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.incoming import is_ancestor
from hub.git.repository import clear_ref_locks, list_refs
from hub.git.types import ZERO_OID, RefChange
from hub.git.write import sync_refs, update_refs
from hub.jobs.service import enqueue
from hub.repos.checks import BRANCHES, CHECKS, IncomingPush, Purpose
from hub.repos.events import RefsUpdated
from hub.repos.kept_refs import KEPT_REFS, keep_commits, note_deleted
from hub.repos.lfs.proposed import keep_for_good, note_in_pull
from hub.repos.lookup import get_for, is_live, repository_path
from hub.repos.models import Push, PushState, Repository
from hub.repos.proposals import PROPOSALS, number_of

log = get_logger(__name__)

# Records of pushes that are read at once.
_PUSHES_AT_ONCE = 500

# Between its checks and its refs a push needs moments; after this long it will not come any more.
GRACE_S = 60.0
_REPOSITORIES_PAGE = 500


def prepare(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    changes: Sequence[RefChange],
    via: str,
    object_env: Mapping[str, str] | None = None,
    new_bytes: int | None = None,
    push_uuid: str | None = None,
    action: Action = Action.REPOSITORY_WRITE,
    purpose: Purpose = Purpose.NONE,
) -> str:
    """Ask whether the refs may move so, and write down that they are about to; the uuid of the pending push.

    via: "http", "ssh", "web", "api" or "mirror". object_env, new_bytes: as in ``IncomingPush``. push_uuid: a uuid
    that the caller chose beforehand; asking twice with one is asking once. action: REPOSITORY_PROPOSE moves the refs
    of pull requests, and no others. purpose: as in ``IncomingPush``.
    Raises NotFound, NotSignedIn, Denied, and whatever a check refuses with.
    """
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        path = repository_path(context.settings, repository)
    push = IncomingPush(
        context, actor, repository, path, tuple(changes), via, object_env or {}, new_bytes, action, purpose
    )
    for check in context[CHECKS].values():
        check(push)
    named = {pointer.oid for pointer in push.pointers}
    push_uuid = push_uuid or new_uuid()
    with unit_of_work(context) as work:
        # The walk may have taken minutes, in which the repository was archived or the right withdrawn.
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        if all(change.ref.startswith(PROPOSALS) for change in changes):
            note_in_pull(work, repository_id, named)
        else:
            keep_for_good(work, repository, named)
        if _find_push(work, push_uuid) is None:
            work.session.add(
                Push(
                    uuid=push_uuid,
                    repository_id=repository_id,
                    actor_id=actor.user_id,
                    via=via,
                    state=PushState.PENDING,
                    changes=_as_json(changes),
                    created_at=work.now(),
                )
            )
    return push_uuid


def settle(context: Context, push_uuid: str, applied: Sequence[RefChange]) -> Push | None:
    """Make the push record say which refs moved; tell the listeners and queue what follows a push.

    applied: those of the push's changes that git made; none of them: the push is abandoned. A push that was given
    up and moved its refs all the same is recorded, too. Settling a recorded push changes nothing, so it may be
    repeated. None: there is no such push.
    """
    if applied:
        _sync(context, push_uuid, applied)
    with unit_of_work(context) as work:
        push = _find_push(work, push_uuid, lock=True)
        if push is None or push.state == PushState.APPLIED:
            return push
        if applied:
            push.changes = _as_json(applied)
            _record(work, push, applied)
        else:
            push.state, push.settled_at = PushState.ABANDONED, work.now()
    log.info("push_settled", push_id=push.id, repository_id=push.repository_id, state=push.state, refs=len(applied))
    return push


def finish(context: Context, push_uuid: str) -> None:
    """Settle a push whose git process has ended, by looking at the refs.

    Most often the push is settled already, or was refused and has no row; then nothing happens.
    """
    with reading(context) as work:
        push = _find_push(work, push_uuid)
    if push is not None and push.state != PushState.APPLIED:
        settle(context, push_uuid, _find_applied(context, push))


def receive(
    context: Context,
    *,
    actor: Actor,
    repository: Repository,
    changes: Sequence[RefChange],
    via: str,
    action: Action = Action.REPOSITORY_WRITE,
    purpose: Purpose = Purpose.NONE,
) -> Push:
    """Move refs to objects that are already in the repository: all of the changes or none. The settled push.

    Raises Conflict (``ref_changed``) when a ref is no longer at the change's ``old``, and what ``prepare`` raises.
    """
    push_uuid = prepare(
        context,
        actor=actor,
        repository_id=repository.id,
        changes=changes,
        via=via,
        action=action,
        purpose=purpose,
    )
    try:
        update_refs(repository_path(context.settings, repository), changes)
    except HubError:
        # Refused, or cut off half way by a time limit: what stands now is what counts.
        finish(context, push_uuid)
        raise
    push = settle(context, push_uuid, changes)
    if push is None:
        raise NotFound("The repository was deleted while it was written to.", code="repository_not_found")
    return push


@dataclass(frozen=True)
class Reconciled:
    """What ``reconcile`` did: pushes recorded late, pushes given up, repositories with ref changes nobody recorded."""

    settled: int = 0
    abandoned: int = 0
    recorded: int = 0


def reconcile(context: Context, *, grace_s: float = GRACE_S, look_for_drift: bool = True) -> Reconciled:
    """Bring the push records in line with the refs. May be repeated, and run beside itself and beside pushes.

    A pending push whose refs have all moved is recorded at once; one whose refs have not is given up when it is
    older than ``grace_s``. look_for_drift: compare every repository's refs with its records, too, and record what
    moved without one (via "reconcile"): slow on a large hub, and needed only after a restore or meddling by hand.
    """
    settled = abandoned = recorded = 0
    for push in _list_pending(context):
        is_late = context.clock.now() - push.created_at >= timedelta(seconds=grace_s)
        try:
            applied = _find_applied(context, push)
            if len(applied) < len(push.changes):
                if not is_late:
                    continue
                # What cut the push off may have left its locks, which would refuse every later push.
                clear_ref_locks(_path_of(context, push), older_than_s=grace_s)
            settle(context, push.uuid, applied)
        except HubError as error:
            log.warning("push_not_reconciled", push_id=push.id, reason=error.code)
            continue
        settled, abandoned = settled + bool(applied), abandoned + (not applied)
    if look_for_drift:
        for repository in _list_repositories(context):
            try:
                recorded += _record_drift(context, repository)
            except HubError as error:
                log.warning("repository_not_reconciled", repository_id=repository.id, reason=error.code)
    return Reconciled(settled, abandoned, recorded)


def start_reconciling(context: Context) -> None:
    """Bring the pending pushes to their end in a thread of its own; for a web server that starts, maybe after a crash.

    A failure is logged: the scheduler's turn comes in a few minutes.
    """

    def run() -> None:
        try:
            reconcile(context, look_for_drift=False)
        except Exception:
            log.exception("reconcile_failed")

    threading.Thread(target=run, name="reconcile", daemon=True).start()


def changes_of(push: Push) -> tuple[RefChange, ...]:
    """The ref changes of a push row."""
    return tuple(RefChange(change["ref"], change["old"], change["new"]) for change in push.changes)


def _as_json(changes: Sequence[RefChange]) -> list[dict[str, str]]:
    return [{"ref": change.ref, "old": change.old, "new": change.new} for change in changes]


def _find_push(work: UnitOfWork, push_uuid: str, *, lock: bool = False) -> Push | None:
    query = select(Push).where(Push.uuid == push_uuid)
    found: Push | None = work.session.scalar(query.with_for_update() if lock else query)
    return found


def _record(work: UnitOfWork, push: Push, applied: Sequence[RefChange]) -> None:
    """Make a push row the record of these changes, with all that follows from it."""
    push.state, push.settled_at = PushState.APPLIED, work.now()
    repository = work.session.get_one(Repository, push.repository_id)
    # What is only proposed is no change of the repository, so nobody brings another's to the top of the lists.
    if any(number_of(change.ref) is None for change in applied):
        repository.pushed_at = repository.updated_at = push.settled_at
    note_deleted(work, push, applied)
    work.session.flush()
    publish(work, RefsUpdated(push.repository_id, push.id, tuple(applied), push.actor_id))
    enqueue(
        work,
        "repos.after_push",
        args={"repository_id": push.repository_id},
        unique_key=f"repos.after_push:{push.repository_id}",
        subject=("repository", push.repository_id),
        actor_id=push.actor_id,
    )


def _sync(context: Context, push_uuid: str, applied: Sequence[RefChange]) -> None:
    """Make the moved refs outlive a power cut before anybody is told that they moved, and deleted branches theirs."""
    with reading(context) as work:
        push = _find_push(work, push_uuid)
        repository = work.session.get(Repository, push.repository_id) if push is not None else None
    if repository is not None:
        path = repository_path(context.settings, repository)
        keep_commits(path, push_uuid, applied)
        offload(sync_refs, path, [change.ref for change in applied])


def _list_pending(context: Context) -> Sequence[Push]:
    with reading(context) as work:
        return work.session.scalars(select(Push).where(Push.state == PushState.PENDING).order_by(Push.id)).all()


def _list_repositories(context: Context) -> Iterator[Repository]:
    last_id = 0
    while True:
        with reading(context) as work:
            query = select(Repository).where(is_live(), Repository.id > last_id).order_by(Repository.id)
            page = work.session.scalars(query.limit(_REPOSITORIES_PAGE)).all()
        if not page:
            return
        yield from page
        last_id = page[-1].id


def _path_of(context: Context, push: Push) -> Path:
    with reading(context) as work:
        return repository_path(context.settings, work.session.get_one(Repository, push.repository_id))


def _find_applied(context: Context, push: Push) -> list[RefChange]:
    """Those of a push's changes that git made, as far as the refs and the later records tell."""
    with reading(context) as work:
        repository = work.session.get_one(Repository, push.repository_id)
        later = work.session.scalars(
            select(Push).where(
                Push.repository_id == push.repository_id, Push.id > push.id, Push.state == PushState.APPLIED
            )
        ).all()
    path = repository_path(context.settings, repository)
    refs = offload(list_refs, path)
    left_from = {(change.ref, change.old) for other in later for change in changes_of(other)}

    def was_made(change: RefChange) -> bool:
        now = refs.get(change.ref, ZERO_OID)
        if now == change.new or (change.ref, change.new) in left_from:
            return True
        if now in (change.old, ZERO_OID) or change.is_deletion or not change.ref.startswith((BRANCHES, PROPOSALS)):
            return False
        # A later push, not recorded either, has moved the branch on: ours lies in its history if it was made.
        return is_ancestor(path, change.new, now)

    return [change for change in changes_of(push) if was_made(change)]


def _record_drift(context: Context, repository: Repository) -> bool:
    """Record how a repository's refs differ from what its push records say; whether they did.

    A repository to which somebody pushes at this moment is left for the next time.
    """
    with reading(context) as work:
        last_id, recorded = _recorded_refs(work, repository.id)
    path = repository_path(context.settings, repository)
    refs = offload(list_refs, path)
    # What deleted branches leave has rows of its own.
    changes = [
        RefChange(ref, recorded.get(ref, ZERO_OID), refs.get(ref, ZERO_OID))
        for ref in sorted(refs.keys() | recorded.keys())
        if recorded.get(ref) != refs.get(ref) and not ref.startswith(KEPT_REFS)
    ]
    if not changes:
        return False
    with unit_of_work(context) as work:
        newest = work.session.scalar(
            select(Push.id).where(Push.repository_id == repository.id).order_by(Push.id.desc()).limit(1)
        )
        is_busy = work.session.scalar(
            select(Push.id).where(Push.repository_id == repository.id, Push.state == PushState.PENDING).limit(1)
        )
        if newest != last_id or is_busy is not None or work.session.get(Repository, repository.id) is None:
            return False
        push = Push(
            repository_id=repository.id,
            actor_id=SYSTEM.user_id,
            via="reconcile",
            changes=_as_json(changes),
            created_at=work.now(),
        )
        work.session.add(push)
        _record(work, push, changes)
    keep_commits(path, push.uuid, changes)
    log.warning("refs_moved_without_record", repository_id=repository.id, push_id=push.id, refs=len(changes))
    return True


def _recorded_refs(work: UnitOfWork, repository_id: int) -> tuple[int | None, dict[str, str]]:
    """The id of a repository's newest push row, and the refs as its records add up to."""
    last_id: int | None = None
    refs: dict[str, str] = {}
    query = select(Push.id, Push.state, Push.changes).where(Push.repository_id == repository_id).order_by(Push.id)
    while rows := work.session.execute(query.where(Push.id > (last_id or 0)).limit(_PUSHES_AT_ONCE)).all():
        last_id = rows[-1].id
        for change in (change for row in rows if row.state == PushState.APPLIED for change in row.changes):
            if change["new"] == ZERO_OID:
                refs.pop(change["ref"], None)
            else:
                refs[change["ref"]] = change["new"]
    return last_id, refs
