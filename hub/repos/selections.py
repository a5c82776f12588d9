"""Chosen files and folders of a revision as one ZIP, content in LFS included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git import tree
from hub.git.types import EntryKind, TreeEntry
from hub.repos.comparison import read_last_commit
from hub.repos.gates import check_content
from hub.repos.lookup import repository_path
from hub.repos.packing import PACKED, pack
from hub.repos.rows import Shown

MAX_NAMES = 1000
# What is more is for Git, which goes on where it was cut off.
MAX_FILES = 10_000
MAX_BYTES = 100 * 1024**3
_PAGE = 2000


@dataclass(frozen=True)
class Selection:
    """Files that are about to be sent. name: what the archive is called, without its ending."""

    commit_id: str
    name: str
    chunks: Iterator[bytes]


def zip_selection(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    revision: str = "",
    folder: str = "",
    names: Sequence[str] = (),
) -> Selection:
    """A ZIP of entries of one folder, by their names; without names all of the folder. Nothing is compressed.

    Before the stream begins: raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid
    (``path_invalid``), TooLarge (``selection_too_large``: over 10,000 files or 100 GiB), NotSignedIn or Denied
    (``gated_repository``).
    """
    check_content(context, actor, repository)
    if len(names) > MAX_NAMES:
        raise Invalid(f"Choose at most {MAX_NAMES} files and folders, or the folder that holds them.", code="REQ-ERR-6")
    folder = normalise_path(folder, allow_root=True)
    path = repository_path(context.settings, repository)
    commit = read_last_commit(context, repository, revision)
    wanted = [normalise_path(f"{folder}/{name}" if folder else name) for name in dict.fromkeys(names)] or [folder]
    entries = offload(_list_files, path, commit.id, wanted)
    short = revision[:10] if revision == commit.id else (revision or repository.default_branch).replace("/", "-")
    above = len(folder) + 1 if folder else 0
    name = "-".join(part for part in (repository.name, folder.rpartition("/")[2], short) if part)
    chunks = pack(context, repository, entries, actor=actor, commit=commit, format="zip", above=above)
    return Selection(commit.id, name, chunks)


def _list_files(path: Path, commit_id: str, wanted: Sequence[str]) -> list[TreeEntry]:
    found: list[TreeEntry] = []
    size_bytes = 0

    def add(entry: TreeEntry) -> None:
        nonlocal size_bytes
        if entry.kind not in PACKED:
            return
        found.append(entry)
        size_bytes += entry.size_bytes or 0
        if len(found) > MAX_FILES or size_bytes > MAX_BYTES:
            raise TooLarge(
                f"A ZIP holds at most {MAX_FILES} files and {MAX_BYTES // 1024**3} GiB; choose fewer, or clone the "
                "repository with Git.",
                code="selection_too_large",
            )

    for place, entry in zip(wanted, tree.find_entries(path, commit_id, wanted)[1], strict=True):
        if entry is None:
            raise NotFound(f"There is no {place!r} in this revision.", code="entry_not_found")
        if entry.kind is not EntryKind.DIRECTORY:
            add(entry)
            continue
        cursor: str | None = None
        while True:
            page = tree.walk_tree(path, commit_id, place, limit=_PAGE, cursor=cursor)
            for below in page.entries:
                add(below)
            cursor = page.next_cursor
            if cursor is None:
                break
    return found
