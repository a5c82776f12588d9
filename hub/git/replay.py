"""Commits made again on another base, and changes undone. Everything here may be offloaded; no ref moves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType, SortMode

from hub.base.errors import Conflict, Invalid
from hub.git.reader import describe_commit, describe_signature, open_repository
from hub.git.types import Signature
from hub.git.write import conflicts_of, despite_upkeep, get_commit_object, write_commit

# A longer history is merged, or squashed.
MAX_REPLAYED = 250
_MAX_CONFLICTS_SHOWN = 100
_MAX_CREDITED = 50
_TRAILER = re.compile(r"^co-authored-by:[ \t]*([^<>\r\n]{1,200}<[^<>\s]{1,254}>)[ \t]*$", re.IGNORECASE | re.MULTILINE)


def replay(path: Path, base: str, head: str, *, committer: Signature) -> str:
    """The tip of the commits of ``head`` that ``base`` lacks, made again one by one on ``base`` (full commit ids).

    Authors, times and messages stay; the committer is another. As with ``git rebase``: merges are left out, and so is
    what changes nothing there; a straight history that grew out of the base stays as it is.
    Raises Conflict (``rebase_too_long``: over 250 commits; ``merge_conflict``), Invalid (``nothing_to_commit``).
    """
    return despite_upkeep(lambda: _replay(path, base, head, committer))


def _replay(path: Path, base: str, head: str, committer: Signature) -> str:
    with open_repository(path) as repository:
        tip = get_commit_object(repository, base)
        commits = _commits_between(repository, base, head)
        if not commits:
            raise Invalid("There is nothing to merge: the base has it all.", code="nothing_to_commit")
        if _is_straight(commits, tip):
            return head
        for commit in commits:
            if len(commit.parent_ids) < 2:
                tip = _apply(repository, tip, commit, committer)
        if str(tip.id) == base:
            raise Invalid("There is nothing to merge: the base has it all.", code="nothing_to_commit")
        return str(tip.id)


def _commits_between(repository: pygit2.Repository, base: str, head: str) -> list[pygit2.Commit]:
    """Those of ``head`` that ``base`` lacks, parents first. Raises Conflict (``rebase_too_long``)."""
    walk = repository.walk(pygit2.Oid(hex=head), SortMode.TOPOLOGICAL | SortMode.REVERSE)
    walk.hide(pygit2.Oid(hex=base))
    commits: list[pygit2.Commit] = []
    for commit in walk:
        if len(commits) == MAX_REPLAYED:
            raise Conflict(
                f"These are over {MAX_REPLAYED} commits, too many to be made again; merge or squash them.",
                code="rebase_too_long",
            )
        commits.append(commit)
    return commits


def _is_straight(commits: list[pygit2.Commit], base: pygit2.Commit) -> bool:
    before = base.id
    for commit in commits:
        if list(commit.parent_ids) != [before]:
            return False
        before = commit.id
    return True


def _apply(
    repository: pygit2.Repository, onto: pygit2.Commit, commit: pygit2.Commit, committer: Signature
) -> pygit2.Commit:
    """The commit made again on another one; that one itself, where it changes nothing there."""
    index = repository.merge_trees(_tree_before(repository, commit), onto.tree, commit.tree)
    paths = conflicts_of(index)
    if paths:
        raise Conflict(
            f"The commit {str(commit.id)[:10]} cannot be made again on the base: both sides changed the same in "
            f"{len(paths)} files. Bring them together by hand, or merge instead.",
            code="merge_conflict",
            paths=paths[:_MAX_CONFLICTS_SHOWN],
        )
    tree_id = index.write_tree(repository)
    if tree_id == onto.tree_id:
        return onto
    author = describe_signature(commit.author)
    message = describe_commit(commit).message.strip() or "(no message)"
    made = write_commit(repository, tree_id, [onto.id], author, committer, message)
    return get_commit_object(repository, made)


def _tree_before(repository: pygit2.Repository, commit: pygit2.Commit) -> pygit2.Tree:
    if commit.parent_ids:
        return repository[commit.parent_ids[0]].peel(pygit2.Tree)
    return _empty_tree(repository)


def credits_of(path: Path, base: str, head: str, *, committer: Signature) -> tuple[Signature, str]:
    """Who wrote the first of the commits that ``base`` lacks, at the committer's time; and the trailer, beginning with
    an empty line, that names the other authors. "": there is one only. Of a long history the newest commits count.
    """
    with open_repository(path) as repository:
        walk = repository.walk(pygit2.Oid(hex=head), SortMode.TOPOLOGICAL)
        walk.hide(pygit2.Oid(hex=base))
        commits = [commit for _, commit in zip(range(MAX_REPLAYED), walk, strict=False)]
        commits = [commit for commit in reversed(commits) if len(commit.parent_ids) < 2] or commits
        names: dict[str, str] = {}
        for commit in commits:
            who = describe_signature(commit.author)
            names.setdefault(who.email.casefold(), f"{who.name} <{who.email}>")
            for line in _TRAILER.findall(describe_commit(commit).message):
                names.setdefault(line[line.index("<") + 1 : -1].casefold(), line.strip())
        if not commits:
            return committer, ""
        first = describe_signature(commits[0].author)
    others = [name for email, name in names.items() if email != first.email.casefold()][:_MAX_CREDITED]
    trailer = "".join(f"\nCo-authored-by: {name}" for name in others)
    return Signature(first.name, first.email, committer.when), f"\n{trailer}" if trailer else ""


def undo(path: Path, onto: str, *, before: str | None, after: str, author: Signature, message: str) -> str:
    """The commit on ``onto`` that takes back what led from ``before`` to ``after`` (full commit ids); its id.

    before: None: from nothing. Raises Conflict (``merge_conflict``): what came later stands against it; Invalid
    (``nothing_to_commit``).
    """
    faults = _Faults(
        "Later commits changed the same in {count} files; take the changes back by hand.",
        "There is nothing to take back: it is undone already.",
    )
    return despite_upkeep(lambda: _carry(path, onto, after, before, author, author, message, faults))


def pick(
    path: Path, onto: str, *, before: str | None, after: str, author: Signature, committer: Signature, message: str
) -> str:
    """The commit on ``onto`` that does there what led from ``before`` to ``after`` (full commit ids); its id.

    before: None: from nothing. Raises Conflict (``merge_conflict``), Invalid (``nothing_to_commit``).
    """
    faults = _Faults(
        "The branch has other content where the commit changed {count} files; bring them together by hand.",
        "There is nothing to bring: the branch has it already.",
    )
    return despite_upkeep(lambda: _carry(path, onto, before, after, author, committer, message, faults))


@dataclass(frozen=True)
class _Faults:
    conflict: str
    nothing: str


def _carry(
    path: Path,
    onto: str,
    before: str | None,
    after: str | None,
    author: Signature,
    committer: Signature,
    message: str,
    faults: _Faults,
) -> str:
    with open_repository(path) as repository:
        tip = get_commit_object(repository, onto)
        old, new = (_tree_of(repository, name) for name in (before, after))
        index = repository.merge_trees(old, tip.tree, new)
        paths = conflicts_of(index)
        if paths:
            raise Conflict(
                faults.conflict.format(count=len(paths)), code="merge_conflict", paths=paths[:_MAX_CONFLICTS_SHOWN]
            )
        tree_id = index.write_tree(repository)
        if tree_id == tip.tree_id:
            raise Invalid(faults.nothing, code="nothing_to_commit")
        return write_commit(repository, tree_id, [tip.id], author, committer, message)


def _tree_of(repository: pygit2.Repository, commit_id: str | None) -> pygit2.Tree:
    return _empty_tree(repository) if commit_id is None else get_commit_object(repository, commit_id).tree


def _empty_tree(repository: pygit2.Repository) -> pygit2.Tree:
    return repository[repository.write(ObjectType.TREE, b"")].peel(pygit2.Tree)
