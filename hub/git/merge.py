"""Two histories brought together, and one cut short. Everything here may be offloaded; no ref moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pygit2

from hub.base.errors import Conflict
from hub.git.reader import open_repository
from hub.git.replay import credits_of, replay
from hub.git.types import SUBMODULE_MODE, Signature
from hub.git.write import despite_upkeep, get_commit_object, merge, write_commit

MAX_CONFLICTS = 1000


class MergeMethod(StrEnum):
    """How one history is brought into another.

    auto: forward where the base has nothing else, else a merge commit. merge: always a merge commit. squash: one
    commit on the base. rebase: each commit again on the base. fast_forward: forward, or not at all.
    """

    AUTO = "auto"
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"
    FAST_FORWARD = "fast_forward"


_WHOLE = re.compile(r"[0-9a-f]{40}")


class ConflictKind(StrEnum):
    """What stands against bringing a file of two histories together. "Base" and "head" are those of the merge."""

    BOTH_MODIFIED = "both_modified"
    BOTH_ADDED = "both_added"
    DELETED_BY_BASE = "deleted_by_base"
    DELETED_BY_HEAD = "deleted_by_head"
    BINARY = "binary"
    SUBMODULE = "submodule"
    FILE_AND_FOLDER = "file_and_folder"


@dataclass(frozen=True)
class MergeConflict:
    """A path that somebody has to bring together by hand, and why."""

    path: str
    kind: ConflictKind


@dataclass(frozen=True)
class Merged:
    """Where a branch goes to hold all of another history. is_forward: to that history's own tip, without a commit."""

    commit_id: str
    is_forward: bool


def bring_together(
    path: Path,
    base: str,
    head: str,
    *,
    author: Signature,
    message: str,
    method: MergeMethod = MergeMethod.AUTO,
) -> Merged:
    """The commit that holds what ``base`` and ``head`` (both full commit ids) have, by one of the methods.

    author: who merges. message: of the merge or squashed commit; a squashed one is by the author of the first commit,
    and names the others. Raises Conflict: ``not_forward`` (the method was ``fast_forward``, and the base has commits
    of its own), ``rebase_too_long``, and as ``hub.git.write.merge``; Invalid (``nothing_to_commit``) where the base has
    all of it.
    """
    is_forward = holds(path, head, base) and base != head
    if method == MergeMethod.FAST_FORWARD and not is_forward:
        raise Conflict("The base has commits that are not in the pull request; update it first.", code="not_forward")
    if is_forward and method in (MergeMethod.AUTO, MergeMethod.FAST_FORWARD):
        return Merged(head, is_forward=True)
    if method == MergeMethod.REBASE:
        commit_id = replay(path, base, head, committer=author)
        return Merged(commit_id, is_forward=commit_id == head)
    if method == MergeMethod.SQUASH:
        first, trailer = credits_of(path, base, head, committer=author)
        commit_id = merge(path, base, head, author=first, committer=author, message=f"{message}{trailer}", squash=True)
        return Merged(commit_id, is_forward=False)
    return Merged(merge(path, base, head, author=author, committer=author, message=message), is_forward=False)


def holds(path: Path, tip: str, commit_id: str) -> bool:
    """Whether a commit is another one, or lies in its history."""
    return commit_id in held_by(path, tip, [commit_id])


def held_by(path: Path, tip: str, commit_ids: Sequence[str]) -> set[str]:
    """Those of the commits, by full id, that are the tip or lie in its history."""
    with open_repository(path) as repository:
        top = get_commit_object(repository, tip).id
        found = set()
        for commit_id in commit_ids:
            if not _WHOLE.fullmatch(commit_id):
                continue
            commit = pygit2.Oid(hex=commit_id)
            if commit in repository and (commit == top or repository.descendant_of(top, commit)):
                found.add(commit_id)
        return found


def find_conflicts(path: Path, base: str, head: str) -> list[MergeConflict]:
    """What stands against a merge of ``head`` into ``base``, by path, at most ``MAX_CONFLICTS``; nothing: it can be."""
    with open_repository(path) as repository:
        ours, theirs = get_commit_object(repository, base), get_commit_object(repository, head)
        if ours.id == theirs.id or repository.descendant_of(ours.id, theirs.id):
            return []
        index = repository.merge_commits(ours, theirs)
        conflicts: list[Any] = list(index.conflicts or ())
        found: dict[str, ConflictKind] = {}
        for sides in conflicts:
            for side in sides:
                if side is not None and side.path not in found:
                    found[side.path] = _kind_of(repository, ours, theirs, side.path, *sides)
        return [MergeConflict(name, kind) for name, kind in sorted(found.items())[:MAX_CONFLICTS]]


def _kind_of(
    repository: pygit2.Repository,
    ours: pygit2.Commit,
    theirs: pygit2.Commit,
    path: str,
    ancestor: Any,
    our: Any,
    their: Any,
) -> ConflictKind:
    if any(side is not None and int(side.mode) == SUBMODULE_MODE for side in (ancestor, our, their)):
        return ConflictKind.SUBMODULE
    if _is_folder(ours, path) or _is_folder(theirs, path):
        return ConflictKind.FILE_AND_FOLDER
    if our is None:
        return ConflictKind.DELETED_BY_BASE
    if their is None:
        return ConflictKind.DELETED_BY_HEAD
    if any(_is_binary(repository, side.id) for side in (our, their)):
        return ConflictKind.BINARY
    return ConflictKind.BOTH_ADDED if ancestor is None else ConflictKind.BOTH_MODIFIED


def _is_folder(commit: pygit2.Commit, path: str) -> bool:
    try:
        return isinstance(commit.tree[path], pygit2.Tree)
    except KeyError:
        return False


def _is_binary(repository: pygit2.Repository, oid: pygit2.Oid) -> bool:
    found: Any = repository.get(oid)
    return isinstance(found, pygit2.Blob) and bool(found.is_binary)


def cut_short(path: Path, tip: str, *, author: Signature, message: str) -> str:
    """Write the commit without parents that has the files of ``tip``; its id. Raises Invalid (``message_invalid``)."""

    def write() -> str:
        with open_repository(path) as repository:
            tree_id = get_commit_object(repository, tip).tree_id
            return write_commit(repository, tree_id, [], author, author, message)

    return despite_upkeep(write)
