"""Which large files a history names: looked up in all of it, each tree once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pygit2
from pygit2.enums import SortMode

from hub.git.pointer import MAX_POINTER_SIZE_BYTES
from hub.git.reader import open_repository, pointer_of, read_tree, size_of
from hub.git.types import EntryKind, decode_text

# Of branches and tags as many are counted; more are seen as part of the history.
MAX_COUNTED_REFS = 1000
_MAX_DEPTH = 512
_TELL_EVERY = 200


@dataclass
class Named:
    """What commits say of one LFS object.

    path: where the newest commit has it. used_at: the time of that commit. refs: how many of the refs that count have
    it where they are now.
    """

    path: str
    used_at: datetime
    refs: int = 0


def survey(
    path: Path, *, counted: Mapping[str, str], others: Mapping[str, str], tell: Callable[[int], None]
) -> dict[str, Named]:
    """Every LFS object that a commit of these refs (name to id) names, by its oid.

    counted: of these it is counted how many have an object. tell: called now and then with how many commits were
    looked at; what it raises ends the look. Takes seconds for ten thousand commits. Raises NotFound, GitError.
    """
    with open_repository(path) as repository:
        reader = _Reader(repository)
        for number, tip in enumerate(_commits(repository, [*counted.values(), *others.values()])):
            reader.read_commit(tip)
            if number % _TELL_EVERY == 0:
                tell(number)
        for tip in list(counted.values())[:MAX_COUNTED_REFS]:
            commit = _commit_at(repository, tip)
            for oid in reader.oids_below(commit.tree_id.raw) if commit is not None else ():
                reader.named[oid].refs += 1
        return reader.named


def _commits(repository: pygit2.Repository, tips: list[str]):  # type: ignore[no-untyped-def]  # of pygit2
    """From the newest to the oldest."""
    walker = repository.walk(None, SortMode.TIME)
    for tip in tips:
        commit = _commit_at(repository, tip)
        if commit is not None:
            walker.push(commit.id)
    return walker


def _commit_at(repository: pygit2.Repository, tip: str) -> pygit2.Commit | None:
    found = repository.get(pygit2.Oid(hex=tip))
    try:
        return found.peel(pygit2.Commit) if found is not None else None
    except (pygit2.GitError, pygit2.InvalidSpecError):
        return None  # a tag may lead to a tree or a file


class _Reader:
    """Remembers each tree and each file that it has looked into."""

    def __init__(self, repository: pygit2.Repository) -> None:
        self.named: dict[str, Named] = {}
        self._repository = repository
        self._seen: set[bytes] = set()
        self._pointers: dict[bytes, str | None] = {}
        self._below: dict[bytes, frozenset[str]] = {}

    def read_commit(self, commit: pygit2.Commit) -> None:
        """Note what is named for the first time, which is the newest."""
        moment = datetime.fromtimestamp(commit.commit_time, UTC)
        waiting = [(commit.tree_id.raw, b"")]
        while waiting:
            tree, place = waiting.pop()
            if tree in self._seen:
                continue
            self._seen.add(tree)
            for entry in read_tree(self._repository, tree):
                if entry.kind is EntryKind.DIRECTORY:
                    if place.count(b"/") < _MAX_DEPTH:
                        waiting.append((entry.oid, place + entry.name + b"/"))
                elif entry.kind is EntryKind.FILE and (oid := self._pointer(entry.oid)) and oid not in self.named:
                    self.named[oid] = Named(decode_text(place + entry.name), moment)

    def oids_below(self, tree: bytes) -> frozenset[str]:
        """Of a tree that was read."""
        order, waiting = [tree], [tree]
        while waiting:
            for entry in read_tree(self._repository, waiting.pop()):
                if entry.kind is EntryKind.DIRECTORY and entry.oid not in self._below:
                    order.append(entry.oid)
                    waiting.append(entry.oid)
        for each in reversed(order):
            if each not in self._below:
                self._below[each] = self._collect(each)
        return self._below[tree]

    def _collect(self, tree: bytes) -> frozenset[str]:
        found: set[str] = set()
        for entry in read_tree(self._repository, tree):
            if entry.kind is EntryKind.DIRECTORY:
                found |= self._below.get(entry.oid, frozenset())
            elif oid := self._pointers.get(entry.oid):
                found.add(oid)
        return frozenset(found)

    def _pointer(self, blob: bytes) -> str | None:
        if blob not in self._pointers:
            oid = pygit2.Oid(raw=blob)
            size = size_of(self._repository, oid) or 0
            pointer = pointer_of(self._repository, oid, size) if size <= MAX_POINTER_SIZE_BYTES else None
            self._pointers[blob] = pointer.oid if pointer else None
        return self._pointers[blob]
