"""Which files differ between two trees, however many, and the lines of some of them. Everything here may be offloaded.

``hub.git.diff`` gives a small diff whole. Here the list comes first and costs little; the lines are made for the files
that are looked at, from the two contents alone, so that a page of a large diff costs what a page of a small one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pygit2
from pygit2.enums import DiffOption

from hub.git.diff import CONTEXT_LINES, describe_hunks, find_renames
from hub.git.reader import commit_of, open_repository, pointer_of, size_of
from hub.git.types import SUBMODULE_MODE, ZERO_OID, DiffHunk, DiffStatus, LFSPointer, decode_text

# Of more, these are listed and the rest is counted.
MAX_LISTED = 10_000
# Of so many at most, with contents of so many bytes, the lines of all are counted at once.
MAX_COUNTED = 10_000
MAX_COUNTED_BYTES = 64 * 1024 * 1024
# A content over this is not compared line by line at all.
MAX_COMPARED_BYTES = 2 * 1024 * 1024
_STATUSES = {
    "A": DiffStatus.ADDED,
    "D": DiffStatus.DELETED,
    "M": DiffStatus.MODIFIED,
    "R": DiffStatus.RENAMED,
    "C": DiffStatus.COPIED,
    "T": DiffStatus.TYPE_CHANGED,
}
# Equal contents under another name are found among so many files that come and go; of more, none are.
MAX_PAIRED = 50_000


@dataclass(frozen=True, slots=True)
class Measure:
    """What one look at a changed file's two contents tells.

    additions, deletions: of lines; None: it is no text, or too large. Sizes in bytes, 0 where the side lacks the file.
    """

    additions: int | None
    deletions: int | None
    is_binary: bool
    old_size: int
    new_size: int
    old_lfs: LFSPointer | None = None
    new_lfs: LFSPointer | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs. Oids and modes are ``ZERO_OID`` and 0 on the side that lacks it."""

    status: DiffStatus
    old_path: str
    new_path: str
    old_oid: str
    new_oid: str
    old_mode: int
    new_mode: int
    similarity: int = 0

    @property
    def path(self) -> str:
        """The name that it is found by: the new one, of a deleted file the old one."""
        return self.new_path or self.old_path


@dataclass(frozen=True)
class Changes:
    """The files that differ, by path. total: all of them; those over ``MAX_LISTED`` are not among ``files``.

    additions, deletions: of all files together, as git counts them, so with the lines of LFS pointers; None: there are
    too many to count them.
    """

    files: Sequence[Change]
    total: int
    additions: int | None = None
    deletions: int | None = None

    @property
    def is_truncated(self) -> bool:
        return self.total > len(self.files)


@dataclass(frozen=True)
class ChangedLines:
    """The lines of one changed file. is_truncated: there are more."""

    hunks: Sequence[DiffHunk] = field(default_factory=tuple)
    is_truncated: bool = False


def find_changes(path: Path, old: str | None, new: str, *, ignore_whitespace: bool = False) -> Changes:
    """What leads from one commit's files to another's. old: None is nothing at all.

    Raises NotFound (``revision_not_found``).
    """
    flags = DiffOption.INCLUDE_TYPECHANGE
    if ignore_whitespace:
        flags |= DiffOption.IGNORE_WHITESPACE
    with open_repository(path) as repository:
        tree = commit_of(repository, new).tree
        if old is None:
            found = tree.diff_to_tree(flags=flags, context_lines=0, swap=True)
        else:
            found = commit_of(repository, old).tree.diff_to_tree(tree, flags=flags, context_lines=0)
        files, total = _list(repository, found)
        files.sort(key=lambda change: change.path)
        if not _is_countable(repository, files):
            return Changes(files[:MAX_LISTED], total)
        counted = found.stats
        return Changes(files[:MAX_LISTED], total, counted.insertions, counted.deletions)


def _list(repository: pygit2.Repository, found: pygit2.Diff) -> tuple[list[Change], int]:
    """The changes, with renames as one, and how many they are."""
    if len(found) <= MAX_PAIRED and find_renames(repository, found):
        return [_describe(delta) for delta in found.deltas], len(found)
    total = len(found)
    if total > MAX_PAIRED:
        # In the order of the trees, which is nearly that of the paths.
        return [_describe(delta) for delta, _ in zip(found.deltas, range(MAX_LISTED), strict=False)], total
    changes = _pair([_describe(delta) for delta in found.deltas])
    return changes, len(changes)


def _describe(delta: pygit2.DiffDelta) -> Change:
    status, old, new = delta.status_char(), delta.old_file, delta.new_file
    is_new, is_gone = status == "A", status == "D"
    return Change(
        status=_STATUSES.get(status, DiffStatus.MODIFIED),
        old_path="" if is_new else decode_text(old.raw_path),
        new_path="" if is_gone else decode_text(new.raw_path),
        old_oid=ZERO_OID if is_new else str(old.id),
        new_oid=ZERO_OID if is_gone else str(new.id),
        old_mode=0 if is_new else int(old.mode),
        new_mode=0 if is_gone else int(new.mode),
        similarity=int(delta.similarity) if status in "RC" else 0,
    )


def _pair(changes: list[Change]) -> list[Change]:
    """Those that come and go with one content made one, by a table: libgit2 compares each with each."""
    gone: dict[str, list[Change]] = {}
    for change in reversed(changes):
        if change.status == DiffStatus.DELETED:
            gone.setdefault(change.old_oid, []).append(change)
    paired: set[str] = set()
    result: list[Change] = []
    for change in changes:
        same = gone.get(change.new_oid) if change.status == DiffStatus.ADDED else None
        if same:
            was = same.pop()
            paired.add(was.old_path)
            change = replace(
                change,
                status=DiffStatus.RENAMED,
                old_path=was.old_path,
                old_oid=was.old_oid,
                old_mode=was.old_mode,
                similarity=100,
            )
        result.append(change)
    return [change for change in result if change.status != DiffStatus.DELETED or change.old_path not in paired]


def _is_countable(repository: pygit2.Repository, files: Sequence[Change]) -> bool:
    """Whether the lines of all of them can be counted in little time."""
    if len(files) > MAX_COUNTED:
        return False
    left = MAX_COUNTED_BYTES
    for change in files:
        for oid, mode in ((change.old_oid, change.old_mode), (change.new_oid, change.new_mode)):
            if mode not in (0, SUBMODULE_MODE):
                left -= size_of(repository, pygit2.Oid(hex=oid)) or 0
        if left < 0:
            return False
    return True


def measure_files(path: Path, files: Sequence[Change], *, ignore_whitespace: bool = False) -> list[Measure]:
    """What each of the files is at."""
    with open_repository(path) as repository:
        return [_measure(repository, change, ignore_whitespace) for change in files]


def read_lines(
    path: Path, files: Sequence[Change], *, ignore_whitespace: bool = False, max_lines: int
) -> Mapping[str, ChangedLines]:
    """The lines of some files, by their path, at most ``max_lines`` together; those left out are not among them."""
    left = max_lines
    found: dict[str, ChangedLines] = {}
    with open_repository(path) as repository:
        for change in files:
            if left <= 0:
                break
            measure = _measure(repository, change, ignore_whitespace)
            if measure.additions is None or measure.old_lfs or measure.new_lfs:
                continue
            patch = _patch(repository, change, ignore_whitespace, CONTEXT_LINES)
            hunks, is_cut = describe_hunks(patch, left, keep_cut=True) if patch is not None else ([], False)
            left -= sum(len(hunk.lines) for hunk in hunks)
            found[change.path] = ChangedLines(hunks, is_cut)
    return found


def _measure(repository: pygit2.Repository, change: Change, ignore_whitespace: bool) -> Measure:
    old_size, old_lfs = _look_at(repository, change.old_oid, change.old_mode)
    new_size, new_lfs = _look_at(repository, change.new_oid, change.new_mode)
    sides = (old_size, new_size, old_lfs, new_lfs)
    if old_lfs or new_lfs or change.old_oid == change.new_oid:
        return Measure(0, 0, False, *sides)
    if max(old_size, new_size) > MAX_COMPARED_BYTES:
        return Measure(None, None, False, *sides)
    patch = _patch(repository, change, ignore_whitespace, 0)
    if patch is None:
        return Measure(0, 0, False, *sides)
    if patch.delta.is_binary:
        return Measure(None, None, True, *sides)
    _, additions, deletions = patch.line_stats
    return Measure(additions, deletions, False, *sides)


def _look_at(repository: pygit2.Repository, oid: str, mode: int) -> tuple[int, LFSPointer | None]:
    if mode in (0, SUBMODULE_MODE):
        return 0, None
    found = pygit2.Oid(hex=oid)
    size_bytes = size_of(repository, found) or 0
    return size_bytes, pointer_of(repository, found, size_bytes)


def _patch(
    repository: pygit2.Repository, change: Change, ignore_whitespace: bool, context_lines: int
) -> pygit2.Patch | None:
    """What leads from one content to the other; None: neither side has one, as of submodules."""
    old = _blob(repository, change.old_oid, change.old_mode)
    new = _blob(repository, change.new_oid, change.new_mode)
    if old is None and new is None:
        return None
    flags = DiffOption.INDENT_HEURISTIC
    if ignore_whitespace:
        flags |= DiffOption.IGNORE_WHITESPACE
    if old is None:
        # pygit2 keeps a blob's memory for the patch's lines where the first side is one; else it is freed under them.
        old, new, flags = new, None, flags | DiffOption.REVERSE
    return pygit2.Patch.create_from(old, new, flag=flags, context_lines=context_lines)


def _blob(repository: pygit2.Repository, oid: str, mode: int) -> pygit2.Blob | None:
    found = repository.get(pygit2.Oid(hex=oid)) if mode not in (0, SUBMODULE_MODE) else None
    return found if isinstance(found, pygit2.Blob) else None
