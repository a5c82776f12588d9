"""What differs between two trees, file by file, within limits. Everything here may be offloaded."""

from __future__ import annotations

from pathlib import Path

import pygit2
from pygit2.enums import DeltaStatus, DiffFind, DiffOption

from hub.git.reader import commit_of, open_repository, pointer_of, size_of
from hub.git.types import (
    DEFAULT_DIFF_LIMITS,
    SUBMODULE_MODE,
    Diff,
    DiffHunk,
    DiffLimits,
    DiffLine,
    DiffStat,
    DiffStatus,
    FileDiff,
    LFSPointer,
    decode_text,
)

_STATUSES = {
    DeltaStatus.ADDED: DiffStatus.ADDED,
    DeltaStatus.DELETED: DiffStatus.DELETED,
    DeltaStatus.MODIFIED: DiffStatus.MODIFIED,
    DeltaStatus.RENAMED: DiffStatus.RENAMED,
    DeltaStatus.COPIED: DiffStatus.COPIED,
    DeltaStatus.TYPECHANGE: DiffStatus.TYPE_CHANGED,
}
# Finding renames compares contents with each other: over these bounds only equal contents count as renamed.
_MAX_RENAME_FILES = 400
_MAX_RENAME_BYTES = 32 * 1024 * 1024
# Each is compared with each: over this none are looked for.
_MAX_EXACT_FILES = 2000
CONTEXT_LINES = 3


def diff(path: Path, old: str | None, new: str, *, limits: DiffLimits = DEFAULT_DIFF_LIMITS) -> Diff:
    """The changes that lead from one revision's tree to another's. old: None is the empty tree.

    Renames are found. Raises NotFound (code ``revision_not_found``).
    """
    with open_repository(path) as repository:
        return diff_trees(
            repository,
            commit_of(repository, old).tree if old is not None else None,
            commit_of(repository, new).tree,
            limits,
        )


def diff_commit(path: Path, revision: str, *, limits: DiffLimits = DEFAULT_DIFF_LIMITS) -> Diff:
    """What a commit changed: against its first parent, or against nothing when it is the first."""
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        parent_ids = commit.parent_ids
        parent = repository[parent_ids[0]].peel(pygit2.Tree) if parent_ids else None
        return diff_trees(repository, parent, commit.tree, limits)


def diff_trees(repository: pygit2.Repository, old: pygit2.Tree | None, new: pygit2.Tree, limits: DiffLimits) -> Diff:
    """The changes between two trees of an open repository; for the modules of this room."""
    flags = DiffOption.INCLUDE_TYPECHANGE | DiffOption.INDENT_HEURISTIC
    if old is None:
        found = new.diff_to_tree(flags=flags, context_lines=CONTEXT_LINES, swap=True)
    else:
        found = old.diff_to_tree(new, flags=flags, context_lines=CONTEXT_LINES)
    find_renames(repository, found)
    files: list[FileDiff] = []
    lines_left = limits.lines
    for at, delta in enumerate(found.deltas):
        if at == limits.files:
            break
        file = _describe_file(repository, found, at, delta, limits, lines_left)
        lines_left -= sum(len(hunk.lines) for hunk in file.hunks)
        files.append(file)
    stat = DiffStat(len(found), sum(file.additions for file in files), sum(file.deletions for file in files))
    return Diff(files, stat, is_truncated=len(found) > len(files))


def find_renames(repository: pygit2.Repository, found: pygit2.Diff) -> bool:
    """Make files that go and come one, where they are alike; whether that was tried, or there are too many of them.

    For the modules of this room.
    """
    count = size_bytes = 0
    for delta in found.deltas:
        status = delta.status_char()
        if status not in "AD":
            continue
        count += 1
        if count > _MAX_RENAME_FILES or size_bytes > _MAX_RENAME_BYTES:
            continue
        side = delta.new_file if status == "A" else delta.old_file
        size_bytes += size_of(repository, side.id) or 0
    if count > _MAX_EXACT_FILES:
        return False
    flags = DiffFind.FIND_RENAMES
    if count > _MAX_RENAME_FILES or size_bytes > _MAX_RENAME_BYTES:
        flags |= DiffFind.FIND_EXACT_MATCH_ONLY
    found.find_similar(flags)
    return True


def _describe_file(
    repository: pygit2.Repository,
    found: pygit2.Diff,
    at: int,
    delta: pygit2.DiffDelta,
    limits: DiffLimits,
    lines_left: int,
) -> FileDiff:
    old_size, old_lfs = _look_at(repository, delta.old_file)
    new_size, new_lfs = _look_at(repository, delta.new_file)
    additions = deletions = 0
    hunks: list[DiffHunk] = []
    is_binary = is_truncated = False
    if old_lfs is None and new_lfs is None:
        if max(old_size, new_size) > limits.bytes_per_file or lines_left <= 0:
            is_truncated = True
        elif (patch := found[at]) is not None:
            is_binary = bool(patch.delta.is_binary)
            if not is_binary:
                _, additions, deletions = patch.line_stats
                hunks, is_truncated = describe_hunks(patch, min(limits.lines_per_file, lines_left))
    return FileDiff(
        status=_STATUSES.get(delta.status, DiffStatus.MODIFIED),
        old_path=decode_text(delta.old_file.raw_path),
        new_path=decode_text(delta.new_file.raw_path),
        old_oid=str(delta.old_file.id),
        new_oid=str(delta.new_file.id),
        old_mode=int(delta.old_file.mode),
        new_mode=int(delta.new_file.mode),
        additions=additions,
        deletions=deletions,
        is_binary=is_binary,
        is_truncated=is_truncated,
        hunks=hunks,
        old_lfs=old_lfs,
        new_lfs=new_lfs,
        similarity=int(delta.similarity) if delta.status in (DeltaStatus.RENAMED, DeltaStatus.COPIED) else 0,
    )


def _look_at(repository: pygit2.Repository, side: pygit2.DiffFile) -> tuple[int, LFSPointer | None]:
    """A side's size and the pointer that it is; nothing for a side that lacks the file, and for a submodule."""
    if side.mode in (0, SUBMODULE_MODE):
        return 0, None
    size_bytes = size_of(repository, side.id) or 0
    return size_bytes, pointer_of(repository, side.id, size_bytes)


def describe_hunks(patch: pygit2.Patch, most_lines: int, *, keep_cut: bool = False) -> tuple[list[DiffHunk], bool]:
    """The patch's hunks, and whether they were cut because they hold more lines than are wanted.

    keep_cut: with the beginning of the hunk that was cut.
    """
    hunks: list[DiffHunk] = []
    left = most_lines
    for hunk in patch.hunks:
        lines: list[DiffLine] = []
        described = DiffHunk(
            hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines, hunk.header.rstrip("\n"), lines
        )
        for line in hunk.lines:
            if line.origin not in (" ", "+", "-"):
                continue  # "there is no newline at the end", which has_newline tells
            if left == 0:
                return ([*hunks, described] if keep_cut and lines else hunks), True
            left -= 1
            raw = line.raw_content
            lines.append(
                DiffLine(
                    line.origin,
                    line.old_lineno if line.old_lineno > 0 else None,
                    line.new_lineno if line.new_lineno > 0 else None,
                    decode_text(raw.removesuffix(b"\n")),
                    raw.endswith(b"\n"),
                )
            )
        hunks.append(described)
    return hunks, False
