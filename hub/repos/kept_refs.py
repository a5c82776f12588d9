"""What a deleted branch leaves: a hidden ref, by which its commits stay, and a row that says whose it was.

``refs.settle`` writes both, whoever deleted the branch and by whatever way. The ref is there before the row, and both
before the push counts as settled: so what a crash cuts off between them is done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hub.base.errors import HubError
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.git.repository import list_refs
from hub.git.types import HIDDEN_REFS, ZERO_OID, RefChange
from hub.git.write import update_refs
from hub.repos.models import DeletedBranch, Push

log = get_logger(__name__)

KEPT_REFS = f"{HIDDEN_REFS}deleted/"
# Of one push; who deletes more at once has them in the clone from which they were deleted.
MAX_KEPT = 200
_BRANCHES = "refs/heads/"


def deleted_in(changes: Sequence[RefChange]) -> list[RefChange]:
    """Those of a push's changes by which branches went; one that was renamed did not."""
    renamed = {change.new for change in changes if change.is_creation and change.ref.startswith(_BRANCHES)}
    return [
        change
        for change in changes
        if change.is_deletion and change.ref.startswith(_BRANCHES) and change.old not in (ZERO_OID, *renamed)
    ][:MAX_KEPT]


def keep_commits(path: Path, push_uuid: str, changes: Sequence[RefChange]) -> None:
    """Let hidden refs lead to the commits of the branches that a push deleted. May be repeated."""
    if not (gone := deleted_in(changes)):
        return
    there = offload(list_refs, path, prefix=f"{KEPT_REFS}{push_uuid}/")
    kept = {_ref_of(push_uuid, place): change.old for place, change in enumerate(gone)}
    try:
        update_refs(path, [RefChange(ref, ZERO_OID, oid) for ref, oid in kept.items() if ref not in there])
    except HubError as error:
        # A branch that was deleted by hand long ago may have lost its commits; the others' push still counts.
        log.warning("deleted_branches_not_kept", repository=path.name, push=push_uuid, reason=error.code)


def note_deleted(work: UnitOfWork, push: Push, changes: Sequence[RefChange]) -> None:
    """Write down the branches that a push deleted. May be repeated."""
    rows = [
        {
            "repository_id": push.repository_id,
            "name": change.ref.removeprefix(_BRANCHES),
            "commit_id": change.old,
            "kept_ref": _ref_of(push.uuid, place),
            "deleted_by_id": push.actor_id,
            "deleted_at": work.now(),
        }
        for place, change in enumerate(deleted_in(changes))
    ]
    if rows:
        insert_new(work.session, DeletedBranch, rows)


def _ref_of(push_uuid: str, place: int) -> str:
    return f"{KEPT_REFS}{push_uuid}/{place}"
