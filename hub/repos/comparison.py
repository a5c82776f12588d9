"""What commits changed: one commit, two revisions, a file line by line.

For repositories that ``lookup.get_readable`` gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git import history
from hub.git.diff import diff, diff_commit
from hub.git.history import Relation
from hub.git.repository import get_commit, resolve_revision
from hub.git.types import BlameHunk, Commit, Comparison, Diff, DiffLimits, DiffStatus, FileDiff
from hub.repos.contents import resolve
from hub.repos.gates import check_content
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

# Enough for the list of changed paths; no line is needed for it.
_PATHS_ONLY = DiffLimits(files=3000, lines_per_file=0, bytes_per_file=0, lines=0)
MAX_BLAME_LINES = 2000
MAX_CONTAINING = 30


@dataclass(frozen=True)
class CommitView:
    """A commit and what it changed against its first parent."""

    commit: Commit
    diff: Diff


@dataclass(frozen=True)
class ChangedPaths:
    """The paths that differ between two commits. is_truncated: there are more."""

    added: Sequence[str]
    removed: Sequence[str]
    modified: Sequence[str]
    is_truncated: bool


def read_commit(context: Context, repository: Shown, revision: str, *, actor: Actor) -> CommitView:
    """One commit with its changes.

    Raises NotFound (``revision_not_found``); NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    path = repository_path(context.settings, repository)

    def read() -> CommitView:
        commit = get_commit(path, revision or repository.default_branch)
        return CommitView(commit, diff_commit(path, commit.id))

    return offload(read)


def read_last_commit(context: Context, repository: Shown, revision: str = "") -> Commit:
    """The commit that a revision names; "" is the default branch. Raises NotFound (``revision_not_found``)."""
    return offload(get_commit, repository_path(context.settings, repository), revision or repository.default_branch)


def read_changed_paths(context: Context, repository: Shown, *, left: str, right: str = "") -> ChangedPaths:
    """What to do to ``left`` to get ``right`` ("": the default branch). Raises NotFound (``revision_not_found``)."""
    path = repository_path(context.settings, repository)

    def read() -> Diff:
        old = resolve_revision(path, left)
        return diff(path, old, resolve_revision(path, right or repository.default_branch), limits=_PATHS_ONLY)

    found = offload(read)
    added, removed, modified = [], [], []
    for file in found.files:
        if file.status in (DiffStatus.ADDED, DiffStatus.COPIED):
            added.append(file.new_path)
        elif file.status == DiffStatus.DELETED:
            removed.append(file.old_path)
        elif file.status == DiffStatus.RENAMED:
            removed.append(file.old_path)
            added.append(file.new_path)
        else:
            modified.append(file.new_path)
    return ChangedPaths(added, removed, modified, found.is_truncated)


def list_containing(context: Context, repository: Shown, commit_id: str) -> tuple[Sequence[str], Sequence[str], bool]:
    """The branches and the tags from which a commit is reached, and whether there are more than these.

    Raises Unavailable (``git_timeout``).
    """
    path = repository_path(context.settings, repository)
    found = history.refs_containing(path, commit_id, limit=MAX_CONTAINING + 1)
    shown = found[:MAX_CONTAINING]
    named = [
        [ref.removeprefix(prefix) for ref in shown if ref.startswith(prefix)]
        for prefix in ("refs/heads/", "refs/tags/")
    ]
    return named[0], named[1], len(found) > MAX_CONTAINING


def relate(context: Context, repository: Shown, *, base: str, head: str, limit: int) -> Relation:
    """What commits ``head`` has that ``base`` has not, ``limit`` of them, and how many each way; no files.

    Raises NotFound (``revision_not_found``).
    """
    path = repository_path(context.settings, repository)
    ends = (base or repository.default_branch, head or repository.default_branch)
    return offload(history.relate, path, *ends, commit_limit=limit)


def count_apart(context: Context, repository: Shown, heads: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many commits each of these commits has that the default branch has not, and the other way round."""
    path = repository_path(context.settings, repository)
    return offload(history.count_apart, path, repository.default_branch, heads)


def compare(context: Context, repository: Shown, *, actor: Actor, base: str, head: str) -> Comparison:
    """What ``head`` holds that ``base`` does not.

    Raises NotFound (``revision_not_found``); NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    path = repository_path(context.settings, repository)
    return offload(history.compare, path, base or repository.default_branch, head or repository.default_branch)


def blame_file(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    path: str,
    revision: str = "",
    first_line: int = 1,
    last_line: int | None = None,
) -> Sequence[BlameHunk]:
    """Who wrote which lines of a file, at most 2,000 lines from ``first_line`` on (1 is the first).

    Raises NotFound (``revision_not_found``, ``entry_not_found``), NotSignedIn or Denied (``gated_repository``), and
    what ``hub.git.history.blame`` raises.
    """
    check_content(context, actor, repository)
    last = min(last_line or first_line + MAX_BLAME_LINES - 1, first_line + MAX_BLAME_LINES - 1)
    return history.blame(
        repository_path(context.settings, repository),
        resolve(context, repository, revision),
        normalise_path(path),
        first_line=first_line,
        last_line=last,
    )


def unified_text(files: Sequence[FileDiff]) -> str:
    """The changes as a patch, as `git diff` prints it; files without lines have their header only."""
    lines: list[str] = []
    for file in files:
        lines += _header(file)
        for hunk in file.hunks:
            lines.append(hunk.header)
            for line in hunk.lines:
                lines.append(f"{line.origin}{line.text}")
                if not line.has_newline:
                    lines.append("\\ No newline at end of file")
    return "".join(f"{line}\n" for line in lines)


def _header(file: FileDiff) -> list[str]:
    old = "/dev/null" if file.status == DiffStatus.ADDED else f"a/{file.old_path}"
    new = "/dev/null" if file.status == DiffStatus.DELETED else f"b/{file.new_path}"
    lines = [f"diff --git a/{file.old_path} b/{file.new_path}"]
    if file.status == DiffStatus.ADDED:
        lines.append(f"new file mode {file.new_mode:06o}")
    elif file.status == DiffStatus.DELETED:
        lines.append(f"deleted file mode {file.old_mode:06o}")
    elif file.old_mode != file.new_mode:
        lines += [f"old mode {file.old_mode:06o}", f"new mode {file.new_mode:06o}"]
    if file.status == DiffStatus.RENAMED:
        lines += [f"rename from {file.old_path}", f"rename to {file.new_path}"]
    if file.is_binary:
        return [*lines, f"Binary files {old} and {new} differ"]
    return [*lines, f"--- {old}", f"+++ {new}"] if file.hunks else lines
