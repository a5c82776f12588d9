"""Two histories brought together, and one cut short. Everything here may be offloaded; no ref moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pygit2

from hub.git.reader import open_repository
from hub.git.types import Signature
from hub.git.write import conflicts_of, despite_upkeep, get_commit_object, merge, write_commit

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


@dataclass(frozen=True)
class Merged:
    """Where a branch goes to hold all of another history. is_forward: to that history's own tip, without a commit."""

    commit_id: str
    is_forward: bool


def bring_together(path: Path, base: str, head: str, *, author: Signature, message: str) -> Merged:
    """The commit that holds ``base`` and ``head`` (both full commit ids): ``head`` itself where it holds ``base``.

    Else a merge commit is written. Raises as ``hub.git.write.merge``.
    """
    if holds(path, head, base) and base != head:
        return Merged(head, is_forward=True)
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


def find_conflicts(path: Path, base: str, head: str) -> list[str]:
    """The paths, at most ``MAX_CONFLICTS``, by which ``head`` cannot be merged into ``base``; none: it can."""
    with open_repository(path) as repository:
        ours, theirs = get_commit_object(repository, base), get_commit_object(repository, head)
        if ours.id == theirs.id or repository.descendant_of(ours.id, theirs.id):
            return []
        return conflicts_of(repository.merge_commits(ours, theirs))[:MAX_CONFLICTS]


def cut_short(path: Path, tip: str, *, author: Signature, message: str) -> str:
    """Write the commit without parents that has the files of ``tip``; its id. Raises Invalid (``message_invalid``)."""

    def write() -> str:
        with open_repository(path) as repository:
            tree_id = get_commit_object(repository, tip).tree_id
            return write_commit(repository, tree_id, [], author, author, message)

    return despite_upkeep(write)
