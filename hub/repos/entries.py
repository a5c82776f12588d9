"""What other hubs' clients ask of a revision: every file's name, some entries, a page of a whole tree, its commits.

For repositories that ``lookup.get_readable`` gave, as in ``hub.repos.contents``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git import tree
from hub.git.history import log
from hub.git.repository import (
    find_revision,
    get_commit,
    list_branches,
    list_ref_names,
    list_refs,
    list_tags,
    resolve_revision,
)
from hub.git.types import Branch, Commit, EntryKind, Tag, TreeEntry, TreePage
from hub.repos.contents import Directory
from hub.repos.gates import check_content
from hub.repos.lastcommits import read_last_commits
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

# A list of more files than these is for pages of the tree, or for git.
MAX_FILES = 100_000
MAX_REFS = 5000
_WALK_PAGE = 10_000


@dataclass(frozen=True)
class Snapshot:
    """A revision's commit and its files. paths: all of them; entries: the same with sizes, when those were asked for.

    Both are None when there are more than were asked for.
    """

    commit: Commit
    paths: Sequence[str] | None
    entries: Sequence[TreeEntry] | None = None


def read_snapshot(
    context: Context, repository: Shown, *, revision: str, with_sizes: bool = False, max_files: int | None = None
) -> Snapshot:
    """Every file of a revision. max_files: of how many; None: ``MAX_FILES``. Raises NotFound (``revision_not_found``).

    With none asked for it is the commit alone.
    """
    path = repository_path(context.settings, repository)
    most = MAX_FILES if max_files is None else max_files
    return offload(_read_snapshot, path, revision or repository.default_branch, with_sizes, most)


def _read_snapshot(path: Path, revision: str, with_sizes: bool, max_files: int) -> Snapshot:
    commit = get_commit(path, revision)
    paths = tree.list_files(path, commit.id, limit=max_files) if max_files else None
    if paths is None or not with_sizes:
        return Snapshot(commit, paths)
    entries: list[TreeEntry] = []
    cursor: str | None = None
    while True:
        page = tree.walk_tree(path, commit.id, limit=_WALK_PAGE, cursor=cursor)
        entries += [entry for entry in page.entries if entry.kind in (EntryKind.FILE, EntryKind.LINK)]
        cursor = page.next_cursor
        if cursor is None:
            return Snapshot(commit, paths, entries)


def read_entries(
    context: Context, repository: Shown, *, revision: str, paths: Iterable[str]
) -> tuple[str, list[TreeEntry]]:
    """The commit that a revision names, and what is there at these paths; those with nothing at them are left out.

    Raises NotFound (``revision_not_found``), Invalid (``path_invalid``).
    """
    wanted = list(dict.fromkeys(normalise_path(path, allow_root=True) for path in paths))
    return offload(_read_entries, repository_path(context.settings, repository), revision, wanted)


def _read_entries(path: Path, revision: str, wanted: Sequence[str]) -> tuple[str, list[TreeEntry]]:
    commit_id, found = tree.find_entries(path, revision, wanted)
    return commit_id, [entry for entry in found if entry is not None]


def read_small_files(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    suffix: str,
    revision: str = "",
    max_files: int,
    max_file_bytes: int,
    max_bytes: int,
) -> dict[str, bytes]:
    """The files of the root whose names end so, name to content, read in one go; "": the default branch.

    The first ``max_files`` of them are looked at. Those in LFS, those over ``max_file_bytes``, and those that together
    with the ones before are more than ``max_bytes``, are left out. No such revision, no files.
    Raises NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    path = repository_path(context.settings, repository)
    asked = revision or repository.default_branch
    return offload(_read_small_files, path, asked, suffix, max_files, max_file_bytes, max_bytes)


def _read_small_files(
    path: Path, revision: str, suffix: str, max_files: int, max_file_bytes: int, max_bytes: int
) -> dict[str, bytes]:
    commit_id = find_revision(path, revision)
    if commit_id is None:
        return {}
    names = [name for name in tree.list_names(path, commit_id) if name.endswith(suffix)][:max_files]
    found: dict[str, bytes] = {}
    left = max_bytes
    for name in names:
        entry = tree.find_entry(path, commit_id, name)
        if entry is None or entry.kind is not EntryKind.FILE or entry.lfs is not None:
            continue
        if (entry.size_bytes or 0) <= min(max_file_bytes, left):
            found[name] = tree.read_blob(path, entry.oid, limit_bytes=max_file_bytes).data
            left -= len(found[name])
    return found


def read_tree(
    context: Context,
    repository: Shown,
    *,
    revision: str,
    path: str = "",
    is_recursive: bool = False,
    limit: int,
    cursor: str | None = None,
) -> Directory:
    """A page of a directory or of all that is below it; a file's path gives the file alone.

    Raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid (``cursor_invalid``, ``path_invalid``).
    """
    disk_path = repository_path(context.settings, repository)
    wanted = normalise_path(path, allow_root=True)
    return offload(_read_tree, disk_path, revision, wanted, is_recursive, limit, cursor)


def _read_tree(path: Path, revision: str, wanted: str, is_recursive: bool, limit: int, cursor: str | None) -> Directory:
    commit_id = resolve_revision(path, revision)
    try:
        entry = tree.get_entry(path, commit_id, wanted)
    except NotFound as error:
        # With the commit, a client remembers that there is nothing at this path.
        raise NotFound(str(error), code=error.code, commit_id=commit_id) from None
    if entry.kind is not EntryKind.DIRECTORY:
        return Directory(commit_id, TreePage([entry], None, 1))
    read = tree.walk_tree if is_recursive else tree.list_tree
    return Directory(commit_id, read(path, commit_id, wanted, limit=limit, cursor=cursor))


def last_commits_of(
    context: Context, repository: Shown, *, commit_id: str, entries: Sequence[TreeEntry]
) -> dict[str, Commit]:
    """The commit that touched each of these entries last, by the entry's path.

    One that only a walk longer than ``hub.git.history.last_commits`` allows would find is left out.
    """
    found: dict[str, Commit] = {}
    for folder in {entry.path.rpartition("/")[0] for entry in entries}:
        in_folder = read_last_commits(
            context, repository, revision=commit_id, path=folder, offset=0, limit=tree.MAX_LIMIT
        )
        head = f"{folder}/" if folder else ""
        found.update((f"{head}{last.name}", last.commit) for last in in_folder if last.commit is not None)
    return found


def read_refs(context: Context, repository: Shown) -> tuple[Sequence[Branch], Sequence[Tag]]:
    """The branches and the tags, at most ``MAX_REFS`` of each."""
    return offload(_read_refs, repository_path(context.settings, repository))


def _read_refs(path: Path) -> tuple[Sequence[Branch], Sequence[Tag]]:
    return list_branches(path, limit=MAX_REFS).items, list_tags(path, limit=MAX_REFS).items


def read_ref_names(context: Context, repository: Shown, *, limit: int) -> list[str]:
    """The names of so many branches, the default one first, and of so many tags: what a page lets one choose from."""
    return offload(list_ref_names, repository_path(context.settings, repository), limit=limit)


def read_other_refs(context: Context, repository: Shown, *, prefix: str) -> list[tuple[str, str]]:
    """Refs that are neither branches nor tags, such as ``refs/pr/7``, and their commits; the last ``MAX_REFS``."""
    found = offload(list_refs, repository_path(context.settings, repository), prefix=prefix)
    in_order = sorted(found.items(), key=lambda item: (len(item[0]), item[0]))
    return in_order[-MAX_REFS:]


def read_commits(
    context: Context, repository: Shown, *, revision: str, offset: int, limit: int
) -> tuple[Sequence[Commit], bool]:
    """Some commits that lead to a revision, newest first, and whether there are more.

    Raises NotFound (``revision_not_found``).
    """
    return log(repository_path(context.settings, repository), revision, offset=offset, limit=limit)
