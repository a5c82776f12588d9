"""Commits along time: the log, who touched what last, blame, and how two revisions relate.

``compare``, ``merge_base`` and ``has_at_most`` may be offloaded; the others run the git program and are called
directly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import IO

import pygit2
from pygit2.enums import SortMode

from hub.base.errors import Invalid, NotFound, TooLarge
from hub.git.command import run_git, stream_git
from hub.git.diff import diff_trees
from hub.git.reader import (
    commit_of,
    describe_commit,
    find_commit,
    find_raw_entry,
    open_repository,
    read_tree,
    size_of,
    tree_at,
)
from hub.git.types import (
    DEFAULT_DIFF_LIMITS,
    BlameHunk,
    Commit,
    Comparison,
    DiffLimits,
    EntryKind,
    LastCommits,
    decode_text,
)

MAX_LOG_LIMIT = 1000
MAX_BLAME_BYTES = 2 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_BLAME_HEADER = re.compile(rb"([0-9a-f]{40}) (\d+) (\d+) (\d+)\Z")


@dataclass(frozen=True)
class Wanted:
    """Which commits of a history are looked for. Empty: all.

    author: in the author's name or address. words: in the message; both in any case, wherever they stand. since, until:
    days of the commit, both included. is_following: also those that changed the file under the names it had before.
    """

    author: str = ""
    words: str = ""
    since: date | None = None
    until: date | None = None
    is_following: bool = False

    def arguments(self) -> list[str]:
        """What ``git log`` is to be told."""
        told = ["--fixed-strings", "--regexp-ignore-case"] if self.author or self.words else []
        told += [f"--author={self.author}"] if self.author else []
        told += [f"--grep={self.words}"] if self.words else []
        told += [f"--since={_in_reach(self.since)}T00:00:00Z"] if self.since else []
        told += [f"--until={_in_reach(self.until)}T23:59:59Z"] if self.until else []
        return [*told, "--follow"] if self.is_following else told


EVERYTHING = Wanted()


def _in_reach(day: date) -> date:
    """The day, or the nearest that git can read. Source: tm_to_time_t in git's date.c."""
    return min(max(day, date(1970, 1, 2)), date(2099, 12, 30))


def log(
    path: Path,
    revision: str,
    *,
    file_path: str = "",
    offset: int = 0,
    limit: int = 50,
    wanted: Wanted = EVERYTHING,
) -> tuple[list[Commit], bool]:
    """Some commits that lead to a revision, newest first, and whether there are more.

    file_path: only those that changed this file or directory ("" is everything); renames are not followed unless it is
    wanted, and then it must be a file.
    Raises NotFound (code ``revision_not_found``), Unavailable (code ``git_timeout``).
    """
    limit = max(1, min(limit, MAX_LOG_LIMIT))
    with open_repository(path) as repository:
        start = str(commit_of(repository, revision).id)
    bounds = (f"--skip={max(offset, 0)}", f"--max-count={limit + 1}")
    output = run_git(path, "log", "--format=%H", *bounds, *wanted.arguments(), start, *_only(file_path))
    ids = output.decode().split()
    return _describe(path, ids[:limit]), len(ids) > limit


def count_commits(path: Path, revision: str, *, file_path: str = "") -> int:
    """How many commits lead to a revision; as ``log``."""
    with open_repository(path) as repository:
        start = str(commit_of(repository, revision).id)
    return int(run_git(path, "rev-list", "--count", start, *_only(file_path)))


def count_authors(path: Path, revision: str) -> int:
    """How many addresses the authors of the commits have that lead to a revision; as ``log``."""
    with open_repository(path) as repository:
        start = str(commit_of(repository, revision).id)
    return len(set(run_git(path, "log", "--format=%aE", start, "--").splitlines()))


def refs_containing(path: Path, commit_id: str, *, limit: int) -> list[str]:
    """The branches and tags, by their full names, from which a commit is reached; at most so many.

    Raises Unavailable (code ``git_timeout``).
    """
    told = (f"--contains={commit_id}", f"--count={limit}", "--format=%(refname)", "refs/heads", "refs/tags")
    return decode_text(run_git(path, "for-each-ref", *told)).splitlines()


def has_at_most(path: Path, revision: str, count: int) -> bool:
    """Whether at most so many commits lead to a revision. No more than those are read: 10 ms for each thousand.

    Raises NotFound (code ``revision_not_found``).
    """
    with open_repository(path) as repository:
        walk = repository.walk(commit_of(repository, revision).id)
        return sum(1 for _ in islice(walk, count + 1)) <= count


def _only(file_path: str) -> list[str]:
    return ["--", file_path] if file_path else ["--"]


def _describe(path: Path, ids: Iterable[str]) -> list[Commit]:
    with open_repository(path) as repository:
        return [describe_commit(repository[pygit2.Oid(hex=oid)].peel(pygit2.Commit)) for oid in ids]


def last_commits(
    path: Path,
    revision: str,
    tree_path: str = "",
    names: Sequence[str] | None = None,
    *,
    max_commits: int = 20_000,
    time_budget_s: float = 10.0,
) -> LastCommits:
    """For each of these names in a directory the commit that changed it, or something below it, last.

    names: None is all of them. The history is read once, as far as needed and at most ``max_commits`` that touch
    the directory or ``time_budget_s``; what was not met by then is left out, and ``is_complete`` says so.
    Raises NotFound (codes ``revision_not_found``, ``entry_not_found``), Invalid (code ``not_a_directory``).
    """
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        present = {decode_text(entry.name) for entry in read_tree(repository, tree_at(repository, commit, tree_path))}
        start = str(commit.id)
    missing = present if names is None else present.intersection(names)
    prefix = tree_path.encode() + b"/" if tree_path else b""
    found: dict[str, str] = {}
    arguments = ["log", "--format=%H", "--raw", "-z", "-c", "--no-renames", f"--max-count={max_commits}"]
    with stream_git(path, *arguments, start, "--", tree_path or ".", limit_s=time_budget_s) as stream:
        for oid, changed in _read_changes(stream):
            if not missing:
                break
            if changed.startswith(prefix):
                name = decode_text(changed[len(prefix) :].partition(b"/")[0])
                if name in missing:
                    missing.remove(name)
                    found[name] = oid
    commits = {commit.id: commit for commit in _describe(path, set(found.values()))}
    return LastCommits({name: commits[oid] for name, oid in found.items()}, is_complete=not missing)


def _read_changes(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """(commit id, path) for every path that ``git log --format=%H --raw -z`` tells of.

    Between NULs stand commit ids, empty words, and pairs of modes (which begin with a colon) and path.
    """
    oid = ""
    is_path = False
    for word in _read_words(stream):
        if is_path:
            yield oid, word
            is_path = False
        elif word.lstrip(b"\n").startswith(b":"):
            is_path = True
        elif word:
            oid = word.decode()


def _read_words(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands between NULs, without what the end of the stream cut off."""
    rest = b""
    while piece := stream.read(_PIECE_BYTES):
        *words, rest = (rest + piece).split(b"\0")
        yield from words


def blame(
    path: Path, revision: str, file_path: str, *, first_line: int = 1, last_line: int | None = None
) -> list[BlameHunk]:
    """Which commit brought each line of a file, or of a part of it (both ends included, counted from 1).

    Raises NotFound (codes ``revision_not_found``, ``entry_not_found``), Invalid (code ``not_a_file``), TooLarge for
    a file over 2 MiB, Unavailable (code ``git_timeout``).
    """
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        entry = find_raw_entry(repository, commit, file_path) if file_path else None
        if entry is None:
            raise NotFound(f"There is no {file_path!r} in this revision.", code="entry_not_found")
        if entry.kind not in (EntryKind.FILE, EntryKind.LINK):
            raise Invalid(f"{file_path!r} is not a file.", code="not_a_file")
        oid = pygit2.Oid(raw=entry.oid)
        if (size_of(repository, oid) or 0) > MAX_BLAME_BYTES:
            raise TooLarge("The file is too large to say who wrote each line.", code="file_too_large")
        data = repository.odb.read(oid)[1]
        start = str(commit.id)
    line_count = data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    first, last = max(first_line, 1), min(last_line or line_count, line_count)
    if first > last:
        return []
    output = run_git(path, "blame", "--porcelain", "-L", f"{first},{last}", start, "--", file_path)
    return _parse_blame(path, output, file_path)


def _parse_blame(path: Path, output: bytes, file_path: str) -> list[BlameHunk]:
    """Source: git-blame(1), section "The Porcelain Format"."""
    groups: list[tuple[str, int, int, int]] = []  # commit, line then, line now, count
    names: dict[str, str] = {}  # a commit's own name of the file, told once for each commit and name
    paths: list[str] = []
    for line in output.split(b"\n"):
        if line.startswith(b"\t"):
            continue
        if header := _BLAME_HEADER.match(line):
            oid = header[1].decode()
            groups.append((oid, int(header[2]), int(header[3]), int(header[4])))
            paths.append(names.get(oid, file_path))
        elif line.startswith(b"filename ") and groups:
            names[groups[-1][0]] = paths[-1] = decode_text(line.removeprefix(b"filename "))
    commits = {commit.id: commit for commit in _describe(path, {group[0] for group in groups})}
    return [
        BlameHunk(now, count, commits[oid], original_path, then)
        for (oid, then, now, count), original_path in zip(groups, paths, strict=True)
    ]


def merge_base(path: Path, one: str, other: str) -> str | None:
    """The best common ancestor of two revisions; None when they share no history."""
    with open_repository(path) as repository:
        found = repository.merge_base(commit_of(repository, one).id, commit_of(repository, other).id)
        return str(found) if found is not None else None


@dataclass(frozen=True)
class Relation:
    """How far two commits are from each other: ``Comparison`` without the files."""

    base: str
    head: str
    merge_base: str | None
    ahead: int
    behind: int
    commits: Sequence[Commit]


def relate(path: Path, base: str, head: str, *, commit_limit: int) -> Relation:
    """What commits ``head`` has that ``base`` has not, and how many each way.

    Raises NotFound (code ``revision_not_found``).
    """
    with open_repository(path) as repository:
        return _relate(repository, commit_of(repository, base), commit_of(repository, head), commit_limit)


def count_apart(path: Path, base: str, heads: Sequence[str]) -> dict[str, tuple[int, int]]:
    """For each of some commits, by its full id: how many commits it has that ``base`` has not, and the other way round.

    Empty where there is no ``base``.
    """
    with open_repository(path) as repository:
        ours = find_commit(repository, base)
        if ours is None:
            return {}
        return {head: repository.ahead_behind(pygit2.Oid(hex=head), ours.id) for head in dict.fromkeys(heads)}


def _relate(repository: pygit2.Repository, ours: pygit2.Commit, theirs: pygit2.Commit, limit: int) -> Relation:
    ancestor = repository.merge_base(ours.id, theirs.id)
    ahead, behind = repository.ahead_behind(theirs.id, ours.id)
    walk = repository.walk(theirs.id, SortMode.TOPOLOGICAL | SortMode.TIME)
    walk.hide(ours.id)
    commits = [describe_commit(commit) for commit in islice(walk, limit)]
    merged = str(ancestor) if ancestor is not None else None
    return Relation(str(ours.id), str(theirs.id), merged, ahead, behind, commits)


def compare(
    path: Path, base: str, head: str, *, commit_limit: int = 250, limits: DiffLimits = DEFAULT_DIFF_LIMITS
) -> Comparison:
    """What ``head`` would bring into ``base``: the commits, and the changes since the two parted.

    Raises NotFound (code ``revision_not_found``).
    """
    with open_repository(path) as repository:
        ours, theirs = commit_of(repository, base), commit_of(repository, head)
        found = _relate(repository, ours, theirs, commit_limit)
        old = repository[pygit2.Oid(hex=found.merge_base)].peel(pygit2.Tree) if found.merge_base else None
        return Comparison(
            base=found.base,
            head=found.head,
            merge_base=found.merge_base,
            ahead=found.ahead,
            behind=found.behind,
            commits=found.commits,
            diff=diff_trees(repository, old, theirs.tree, limits),
        )
