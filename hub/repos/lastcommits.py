"""The "last commit" column of a directory: worked out beside the request for the directory, then kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.base.context import Context
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git.history import has_at_most, last_commits
from hub.git.tree import list_names
from hub.git.types import Commit, Signature
from hub.repos import derived
from hub.repos.contents import resolve
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

# What is kept of a directory is cut into blocks of this many names, in the order of its listing, so that a page of
# a large directory reads one of them.
BLOCK = 500
MAX_QUICK_COMMITS = 1000
# A list shows the beginning of a message; the commit's own page shows the whole.
_MESSAGE_CHARS = 1000


@dataclass(frozen=True)
class LastCommit:
    """The name of an entry and the commit that touched it last; None: older than the walk went."""

    name: str
    commit: Commit | None


def find_last_commits(
    context: Context, repository: Shown, *, commit_id: str, path: str, offset: int, limit: int
) -> Mapping[str, Commit] | None:
    """What is kept of these entries' last commits, by name; None when nobody has asked for them yet. Quick."""
    found: dict[str, Commit] = {}
    for block in range(offset // BLOCK, (offset + max(limit, 1) - 1) // BLOCK + 1):
        kept = derived.find(context, *_key(repository, commit_id, path, block))
        if kept is None:
            return None
        found.update(_from_json(kept))
    return found


def quick_last_commits(
    context: Context, repository: Shown, *, commit_id: str, path: str, offset: int, limit: int
) -> Mapping[str, Commit] | None:
    """As ``find_last_commits``, but worked out at once where that is quick.

    It is where the history has at most ``MAX_QUICK_COMMITS``: some 100 ms, once for each directory of a commit.
    """
    found = find_last_commits(context, repository, commit_id=commit_id, path=path, offset=offset, limit=limit)
    if found is not None:
        return found
    if not offload(has_at_most, repository_path(context.settings, repository), commit_id, MAX_QUICK_COMMITS):
        return None
    read = read_last_commits(context, repository, revision=commit_id, path=path, offset=offset, limit=limit)
    return {last.name: last.commit for last in read if last.commit is not None}


def read_last_commits(
    context: Context, repository: Shown, *, revision: str = "", path: str = "", offset: int = 0, limit: int = 25
) -> Sequence[LastCommit]:
    """The last commits of some entries of a directory, in the order of its listing.

    The first to ask walks the history for the whole directory; what was found is kept for the others. The walk has
    limits (``hub.git.history.last_commits``), so a name may come without a commit.
    Raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid (``not_a_directory``).
    """
    disk_path = repository_path(context.settings, repository)
    commit_id = resolve(context, repository, revision)
    tree_path = normalise_path(path, allow_root=True)
    names = offload(list_names, disk_path, commit_id, tree_path)
    wanted = names[offset : offset + limit]
    commits = find_last_commits(
        context, repository, commit_id=commit_id, path=tree_path, offset=offset, limit=len(wanted)
    )
    if commits is None:
        commits = last_commits(disk_path, commit_id, tree_path).commits
        for start in range(0, max(len(names), 1), BLOCK):
            in_block = {name: commits[name] for name in names[start : start + BLOCK] if name in commits}
            derived.keep(context, *_key(repository, commit_id, tree_path, start // BLOCK), answer=_to_json(in_block))
    return [LastCommit(name, commits.get(name)) for name in wanted]


def _key(repository: Shown, commit_id: str, path: str, block: int) -> tuple[str, ...]:
    return ("last_commits", repository.uuid, commit_id, path, str(block))


def _to_json(commits: Mapping[str, Commit]) -> dict[str, Any]:
    """Each commit once, although many names may share it."""
    rows = {commit.id: _to_row(commit) for commit in commits.values()}
    return {"commits": list(rows.values()), "names": {name: commit.id for name, commit in commits.items()}}


def _from_json(answer: dict[str, Any]) -> dict[str, Commit]:
    commits = {row[0]: _from_row(row) for row in answer["commits"]}
    return {name: commits[commit_id] for name, commit_id in answer["names"].items()}


def _to_row(commit: Commit) -> list[Any]:
    people = [[who.name, who.email, who.when.isoformat()] for who in (commit.author, commit.committer)]
    return [commit.id, commit.tree_id, commit.parent_ids, commit.message[:_MESSAGE_CHARS], *people]


def _from_row(row: list[Any]) -> Commit:
    commit_id, tree_id, parent_ids, message, author, committer = row
    return Commit(commit_id, tree_id, tuple(parent_ids), _person(author), _person(committer), message)


def _person(row: list[str]) -> Signature:
    name, email, when = row
    return Signature(name, email, datetime.fromisoformat(when))
