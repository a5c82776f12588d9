"""What is in a repository: directories, files, history. For repositories that ``lookup.get_readable`` gave.

Reading asks the policy once, where the repository is looked up; LFS content asks it again, because it lies elsewhere.
What gives bytes of files away is told who asks, for gated repositories; names, sizes and history are everybody's.
Nothing here holds the database while Git works.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.base.texts import is_storable
from hub.git import tree
from hub.git.history import Wanted, count_authors, count_commits, log
from hub.git.repository import resolve_revision
from hub.git.types import Blob, Commit, EntryKind, TreeEntry, TreePage
from hub.repos import derived
from hub.repos.gates import check_content
from hub.repos.lfs.contents import LFSContent, get_content
from hub.repos.lookup import repository_path
from hub.repos.revisions import find_at
from hub.repos.rows import Shown

# Source: CSGHub contract, section 5.4.
MAX_TREE_PAGE = 500
# A walk over more entries than these is not done inside a request.
_MAX_WALKED = 200_000
_WALK_PAGE = 10_000
MAX_SOUGHT_CHARS = 200
_FILES = (EntryKind.FILE, EntryKind.LINK)


@dataclass(frozen=True)
class Directory:
    """A page of a directory and the commit that it was read from."""

    commit_id: str
    page: TreePage


@dataclass(frozen=True)
class OpenedFile:
    """A file ready to be sent, its content in Git or in LFS.

    size_bytes and etag are the content's: the blob's id, or the SHA-256 of LFS content. lfs: set for LFS content.
    """

    commit_id: str
    entry: TreeEntry
    path: Path
    lfs: LFSContent | None = None

    @property
    def size_bytes(self) -> int:
        return self.lfs.size_bytes if self.lfs else self.entry.size_bytes or 0

    @property
    def etag(self) -> str:
        return self.lfs.oid if self.lfs else self.entry.oid

    @property
    def local_path(self) -> Path | None:
        """The plain file that holds the content, where there is one."""
        return self.lfs.local_path if self.lfs else None

    @property
    def modified_at(self) -> datetime | None:
        return self.lfs.created_at if self.lfs else None

    def open_range(self, start: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes, in chunks."""
        if self.lfs:
            return self.lfs.open_range(start, length)
        return tree.open_blob_range(self.path, self.entry.oid, start, length)


@dataclass(frozen=True)
class ReadFile:
    """The beginning of a file's content as Git holds it (an LFS pointer stays one)."""

    commit_id: str
    entry: TreeEntry
    blob: Blob


@dataclass(frozen=True)
class History:
    """A page of a history, newest first, and how many commits it has in all."""

    commits: Sequence[Commit]
    total: int


def resolve(context: Context, repository: Shown, revision: str = "") -> str:
    """The commit that a revision names; "" is the default branch. Raises NotFound (``revision_not_found``)."""
    path = repository_path(context.settings, repository)
    return offload(resolve_revision, path, revision or repository.default_branch)


def read_directory(
    context: Context,
    repository: Shown,
    *,
    revision: str = "",
    path: str = "",
    limit: int = MAX_TREE_PAGE,
    cursor: str | None = None,
) -> Directory:
    """A page of one directory; ``cursor`` is the page's ``next_cursor`` before it.

    Raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid (``not_a_directory``, ``cursor_invalid``).
    """
    return offload(
        _read_directory,
        repository_path(context.settings, repository),
        revision or repository.default_branch,
        normalise_path(path, allow_root=True),
        limit,
        cursor,
    )


def _read_directory(path: Path, revision: str, tree_path: str, limit: int, cursor: str | None) -> Directory:
    commit_id = resolve_revision(path, revision)
    return Directory(commit_id, tree.list_tree(path, commit_id, tree_path, limit=limit, cursor=cursor))


def read_all_files(
    context: Context, repository: Shown, *, revision: str = "", limit: int = 100, cursor: str | None = None
) -> Directory:
    """A page of everything below the root, directories included, each before what it holds."""
    path = repository_path(context.settings, repository)
    commit_id = resolve(context, repository, revision)
    return Directory(commit_id, offload(tree.walk_tree, path, commit_id, limit=limit, cursor=cursor))


def read_file(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    path: str,
    revision: str = "",
    limit_bytes: int | None = None,
) -> ReadFile:
    """A file's content as Git holds it, at most ``limit_bytes`` of it (None: ``max_blob_size_bytes``).

    Raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid (``not_a_file``); NotSignedIn or Denied
    (``gated_repository``).
    """
    check_content(context, actor, repository)
    return offload(
        _read_file,
        repository_path(context.settings, repository),
        revision or repository.default_branch,
        normalise_path(path),
        context.settings.max_blob_size_bytes if limit_bytes is None else limit_bytes,
    )


def _read_file(path: Path, revision: str, file_path: str, limit_bytes: int) -> ReadFile:
    commit_id = resolve_revision(path, revision)
    entry = _get_file(path, commit_id, file_path)
    return ReadFile(commit_id, entry, tree.read_blob(path, entry.oid, limit_bytes=limit_bytes))


def read_text(context: Context, repository: Shown, *, actor: Actor, path: str, revision: str = "") -> str:
    """A file's whole content as text; bytes that are no UTF-8 become U+FFFD. Raises also TooLarge."""
    read = read_file(context, repository, actor=actor, path=path, revision=revision)
    if not read.blob.is_whole:
        raise TooLarge(
            f"{path!r} has {read.blob.size_bytes} bytes, too many to be sent as text; download it instead.",
            size_bytes=read.blob.size_bytes,
        )
    return read.blob.data.decode("utf-8", "replace")


def open_file(context: Context, repository: Shown, *, actor: Actor, path: str, revision: str = "") -> OpenedFile:
    """A file's real content, LFS content included. Nothing of it is read yet.

    Raises NotFound (``revision_not_found``, ``entry_not_found``, ``lfs_object_not_found``), Invalid (``not_a_file``);
    NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    disk_path = repository_path(context.settings, repository)
    commit_id, entry = offload(_find_file, disk_path, revision or repository.default_branch, normalise_path(path))
    lfs = None
    if entry.lfs is not None:
        lfs = get_content(context, actor=actor, repository_id=repository.id, oid=entry.lfs.oid)
    return OpenedFile(commit_id, entry, disk_path, lfs)


def open_at(
    context: Context, repository: Shown, *, actor: Actor, words: Sequence[str], as_stored: bool = False
) -> OpenedFile:
    """As ``open_file``, for an address as ``revisions.find_at`` takes it, and in half of the time.

    as_stored: as Git holds it, an LFS pointer for content in LFS.
    Raises NotFound (``revision_not_found``; ``entry_not_found`` for all that is no file that can be read, with the
    ``commit_id``), Invalid (``path_invalid``); NotSignedIn or Denied (``gated_repository``).
    """
    # Who gets no content is told so before what there is.
    check_content(context, actor, repository)
    commit_id, path, entry = find_at(context, repository, words)
    if entry is None or entry.kind not in _FILES:
        raise NotFound(f"There is no file {path!r} in this revision.", code="entry_not_found", commit_id=commit_id)
    disk_path = repository_path(context.settings, repository)
    if entry.lfs is not None and as_stored:
        entry = replace(entry, size_bytes=entry.lfs.pointer_size_bytes, lfs=None)
    if entry.lfs is None:
        return OpenedFile(commit_id, entry, disk_path)
    try:
        lfs = get_content(context, actor=actor, repository_id=repository.id, oid=entry.lfs.oid)
    except NotFound as error:
        if error.code != "lfs_object_not_found":
            raise
        raise NotFound(str(error), code="entry_not_found", commit_id=commit_id) from None
    return OpenedFile(commit_id, entry, disk_path, lfs)


def _find_file(path: Path, revision: str, file_path: str) -> tuple[str, TreeEntry]:
    commit_id = resolve_revision(path, revision)
    return commit_id, _get_file(path, commit_id, file_path)


def _get_file(path: Path, commit_id: str, file_path: str) -> TreeEntry:
    entry = tree.get_entry(path, commit_id, file_path)
    if entry.kind not in _FILES:
        raise Invalid(f"{file_path!r} is no file.", code="not_a_file")
    return entry


def read_history(
    context: Context, repository: Shown, *, revision: str = "", path: str = "", offset: int = 0, limit: int = 50
) -> History:
    """A page of a revision's commits, or of those that touched a path. Raises NotFound (``revision_not_found``)."""
    disk_path = repository_path(context.settings, repository)
    commit_id = resolve(context, repository, revision)
    file_path = normalise_path(path, allow_root=True)
    commits, has_more = log(disk_path, commit_id, file_path=file_path, offset=offset, limit=limit)
    if not has_more and (commits or not offset):
        return History(commits, offset + len(commits))
    return History(commits, count_commits(disk_path, commit_id, file_path=file_path))


def search_history(
    context: Context, repository: Shown, *, commit_id: str, path: str = "", wanted: Wanted, offset: int, limit: int
) -> tuple[Sequence[Commit], bool]:
    """Some of those commits that are wanted, newest first, and whether there are more; they are not counted.

    Raises Invalid (``path_invalid``, ``REQ-ERR-4``: words that cannot be looked for), Unavailable (``git_timeout``).
    """
    if not all(is_storable(words) and len(words) <= MAX_SOUGHT_CHARS for words in (wanted.author, wanted.words)):
        raise Invalid(f"What is looked for has at most {MAX_SOUGHT_CHARS} characters.", code="REQ-ERR-4")
    disk_path = repository_path(context.settings, repository)
    file_path = normalise_path(path, allow_root=True)
    return log(disk_path, commit_id, file_path=file_path, offset=offset, limit=limit, wanted=wanted)


@dataclass(frozen=True)
class HistoryCounts:
    """How many commits lead to a revision, and how many addresses their authors have."""

    commits: int
    authors: int


def count_history(context: Context, repository: Shown, commit_id: str) -> HistoryCounts:
    """Worked out once for a commit and kept. Raises Unavailable (``git_timeout``)."""
    key = ("history_counts", repository.uuid, commit_id)
    kept = derived.find(context, *key)
    if kept is None:
        path = repository_path(context.settings, repository)
        kept = [count_commits(path, commit_id), count_authors(path, commit_id)]
        derived.keep(context, *key, answer=kept)
    return HistoryCounts(*kept)


def measure_files(context: Context, repository: Shown, *, revision: str = "") -> int:
    """The bytes of all files of a revision, LFS content counted with its real size.

    Raises NotFound (``revision_not_found``), TooLarge for a revision of more than 200,000 entries.
    """
    path = repository_path(context.settings, repository)
    return offload(_measure_files, path, revision or repository.default_branch)


def _measure_files(path: Path, revision: str) -> int:
    commit_id = resolve_revision(path, revision)
    size_bytes = walked = 0
    cursor: str | None = None
    while True:
        page = tree.walk_tree(path, commit_id, limit=_WALK_PAGE, cursor=cursor)
        size_bytes += sum(entry.size_bytes or 0 for entry in page.entries)
        walked += len(page.entries)
        cursor = page.next_cursor
        if cursor is None:
            return size_bytes
        if walked >= _MAX_WALKED:
            raise TooLarge("The revision has too many files to be measured.")
