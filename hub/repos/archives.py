"""A revision as one archive to download. For repositories that ``lookup.get_readable`` gave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.archive import ArchiveFormat, archive
from hub.git.repository import get_commit
from hub.git.tree import walk_tree
from hub.git.types import TreeEntry
from hub.repos.contents import resolve
from hub.repos.gates import check_content
from hub.repos.lfs.holdings import holds_objects
from hub.repos.lookup import repository_path
from hub.repos.packing import pack
from hub.repos.rows import Shown

_PAGE = 2000


def archive_revision(
    context: Context, repository: Shown, *, actor: Actor, revision: str, format: ArchiveFormat
) -> tuple[str, Iterator[bytes]]:
    """The commit and the stream of an archive whose files lie in a folder ``name-revision``.

    Before the stream begins: raises NotFound (``revision_not_found``), NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    commit_id = resolve(context, repository, revision)
    folder = f"{repository.name}-{(revision or repository.default_branch).replace('/', '-')}/"
    return commit_id, archive_commit(
        context, repository, actor=actor, commit_id=commit_id, format=format, prefix=folder
    )


def archive_commit(
    context: Context, repository: Shown, *, actor: Actor, commit_id: str, format: ArchiveFormat, prefix: str = ""
) -> Iterator[bytes]:
    """The files of a commit in pieces, content in LFS included; who may read it was judged.

    Git packs what is all its own, and compresses it. It runs the git program: not to be offloaded.
    """
    path = repository_path(context.settings, repository)
    with reading(context) as work:
        has_objects = holds_objects(work, repository.id)
    if not has_objects:
        return archive(path, commit_id, format, prefix)
    commit = offload(get_commit, path, commit_id)
    return pack(context, repository, _walk(path, commit_id), actor=actor, commit=commit, format=format, prefix=prefix)


def _walk(path: Path, commit_id: str) -> Iterator[TreeEntry]:
    cursor: str | None = None
    while True:
        page = offload(walk_tree, path, commit_id, limit=_PAGE, cursor=cursor)
        yield from page.entries
        cursor = page.next_cursor
        if cursor is None:
            return
