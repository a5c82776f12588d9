"""Commits of one repository brought into another one, with the large files that they name."""

from __future__ import annotations

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.offload import offload
from hub.db.uow import reading, unit_of_work
from hub.git.repository import list_refs
from hub.git.transfer import copy_history
from hub.repos.checks import BRANCHES, TAGS, pointers_behind
from hub.repos.gates import check_content
from hub.repos.lfs.holdings import missing_objects
from hub.repos.lfs.housekeeping import copy_held
from hub.repos.lookup import repository_path
from hub.repos.models import Repository


def bring_commits(
    context: Context, *, actor: Actor, source: Repository, target: Repository, commit_id: str, max_bytes: int
) -> None:
    """Give the target what a commit of the source leads to. No ref moves, and no byte of a large file.

    The actor must get the source's content and may propose changes to the target: then its large files are the actor's
    proposals there, or the target's own where the actor may write to it (``repos.lfs.proposed``). What the source
    lacks is left to the push's own check.
    Raises NotSignedIn, Denied (``gated_repository``), NotFound, QuotaExceeded, and as ``copy_history``.
    """
    check_content(context, actor, source)
    path = repository_path(context.settings, target)
    copy_history(repository_path(context.settings, source), path, commit_id, max_bytes=max_bytes)
    had = [tip for ref, tip in offload(list_refs, path).items() if ref.startswith((BRANCHES, TAGS))]
    pointers = pointers_behind(path, [commit_id], had)
    if not pointers:
        return
    with reading(context) as work:
        missing = missing_objects(work, target.id, list(pointers), actor=actor)
    if missing:
        with unit_of_work(context) as work:
            copy_held(
                work,
                actor=actor,
                source_id=source.id,
                target_id=target.id,
                oids=[pointer.oid for pointer in missing],
            )
