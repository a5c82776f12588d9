"""Where a large file is in its repository besides, and who brought it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.repository import list_refs
from hub.git.tree import find_entry, find_same
from hub.git.types import TreeEntry
from hub.repos.gates import check_content
from hub.repos.lookup import repository_path
from hub.repos.models import LFSLink
from hub.repos.rows import Shown

MAX_FILES = 20
MAX_REFS = 20
_MAX_WALKED = 100_000
_MAX_REFS_ASKED = 300
_PREFIXES = ("refs/heads/", "refs/tags/")


@dataclass(frozen=True)
class Uses:
    """An object in its repository.

    pushed_by: "": not known, or nobody any more. pushed_at: None: only proposed so far. files: other paths of the same
    commit that have it; refs: branches and tags that have it at its path. is_all: whether there can be no more of
    either.
    """

    pushed_by: str
    pushed_at: datetime | None
    files: Sequence[str]
    refs: Sequence[str]
    is_all: bool


def find_uses(context: Context, repository: Shown, *, actor: Actor, commit_id: str, entry: TreeEntry) -> Uses:
    """Where the object of a file in LFS is used, within bounds. Raises NotFound (``lfs_object_not_found``: the file is
    not in LFS), NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    if entry.lfs is None:
        raise NotFound("This file is not in LFS.", code="lfs_object_not_found")
    with reading(context) as work:
        found = work.session.execute(
            select(LFSLink.created_at, User.name)
            .outerjoin(User, User.id == LFSLink.pushed_by_id)
            .where(LFSLink.repository_id == repository.id, LFSLink.oid == entry.lfs.oid)
        ).first()
    pushed_at, pushed_by = found if found is not None else (None, None)
    files, refs, is_all = offload(_look, repository_path(context.settings, repository), commit_id, entry)
    return Uses(pushed_by or "", pushed_at, files, refs, is_all)


def _look(path: Path, commit_id: str, entry: TreeEntry) -> tuple[list[str], list[str], bool]:
    same, has_all_files = find_same(path, commit_id, entry.oid, limit=MAX_FILES + 1, max_walked=_MAX_WALKED)
    files = [name for name in same if name != entry.path][:MAX_FILES]
    named = [ref for ref in list_refs(path) if ref.startswith(_PREFIXES)]
    refs: list[str] = []
    for ref in named[:_MAX_REFS_ASKED]:
        try:
            there = find_entry(path, ref, entry.path)
        except NotFound:  # a tag of no commit
            continue
        if there is not None and there.oid == entry.oid:
            refs.append(ref.split("/", 2)[2])
        if len(refs) > MAX_REFS:
            break
    return files, refs[:MAX_REFS], has_all_files and len(refs) <= MAX_REFS and len(named) <= _MAX_REFS_ASKED
