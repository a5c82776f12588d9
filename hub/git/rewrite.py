"""A history without certain large files: every commit that named one is written anew, and so are those after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType, SortMode

from hub.base.errors import TooLarge
from hub.git.reader import RawEntry, open_repository, pointer_of, read_tree, size_of
from hub.git.types import EntryKind
from hub.git.write import despite_upkeep

# More is for `git filter-repo` and a push: each commit is written and synced by itself.
MAX_COMMITS = 10_000
_MAX_TREES = 200_000
_MAX_DEPTH = 200
_SIGNATURE = b"-----BEGIN "


def drop_pointers(path: Path, refs: Mapping[str, str], oids: Collection[str]) -> dict[str, str]:
    """What each of these refs (name to id) must point to so that no commit names the LFS objects any more.

    Refs that need not move are left out. Authors, dates and messages stay; signatures go, as they would be wrong.
    The refs themselves are for the caller to move. Raises TooLarge (``history_too_long``).
    """
    with open_repository(path) as repository:
        writer = _Writer(repository, frozenset(oids))
        moved = {}
        for ref, tip in refs.items():
            new = despite_upkeep(lambda tip=tip: writer.rewrite(tip))  # type: ignore[misc]  # bound at once
            if new != tip:
                moved[ref] = new
        return moved


class _Writer:
    """Remembers what became of every object, so that each is looked at once."""

    def __init__(self, repository: pygit2.Repository, oids: frozenset[str]) -> None:
        self._repository = repository
        self._oids = oids
        self._commits: dict[str, str] = {}
        self._trees: dict[bytes, bytes | None] = {}
        self._drops: dict[bytes, bool] = {}

    def rewrite(self, tip: str) -> str:
        """The new id of a commit or an annotated tag."""
        kind, raw = self._repository.odb.read(pygit2.Oid(hex=tip))
        if kind == ObjectType.TAG:
            return self._rewrite_tag(tip, raw)
        if kind != ObjectType.COMMIT:
            return tip
        order = SortMode.TOPOLOGICAL | SortMode.REVERSE
        for commit in self._repository.walk(pygit2.Oid(hex=tip), order):
            if str(commit.id) not in self._commits:
                self._commits[str(commit.id)] = self._rewrite_commit(str(commit.id))
            if len(self._commits) > MAX_COMMITS:
                raise _too_long()
        return self._commits[tip]

    def _rewrite_tag(self, tip: str, raw: bytes) -> str:
        head, separator, message = raw.partition(b"\n\n")
        lines = head.split(b"\n")
        old = lines[0].removeprefix(b"object ").decode()
        new = self.rewrite(old)
        if new == old:
            return tip
        lines[0] = b"object " + new.encode()
        return self._write(ObjectType.TAG, b"\n".join(lines) + separator + message.partition(_SIGNATURE)[0])

    def _rewrite_commit(self, oid: str) -> str:
        raw = self._repository.odb.read(pygit2.Oid(hex=oid))[1]
        head, separator, message = raw.partition(b"\n\n")
        lines: list[bytes] = []
        is_changed = is_signature = False
        for line in head.split(b"\n"):
            key, _, value = line.partition(b" ")
            # A line that goes on begins with a space.
            is_signature = is_signature if not key else key in (b"gpgsig", b"gpgsig-sha256", b"mergetag")
            if is_signature:
                continue
            new = value
            if key == b"tree":
                tree = self._rewrite_tree(bytes.fromhex(value.decode()), 0)
                new = (tree or self._write_tree([])).hex().encode()
            elif key == b"parent":
                # A shallow history's first commits name parents that are not there.
                new = self._commits.get(value.decode(), value.decode()).encode()
            is_changed = is_changed or new != value
            lines.append(b" ".join((key, new)) if key else line)
        return self._write(ObjectType.COMMIT, b"\n".join(lines) + separator + message) if is_changed else oid

    def _rewrite_tree(self, oid: bytes, depth: int) -> bytes | None:
        """The new id; None: nothing is left in it."""
        if oid in self._trees:
            return self._trees[oid]
        if len(self._trees) >= _MAX_TREES or depth > _MAX_DEPTH:
            raise _too_long()
        before = read_tree(self._repository, oid)
        after = []
        for entry in before:
            if entry.kind is EntryKind.DIRECTORY:
                child = self._rewrite_tree(entry.oid, depth + 1)
                if child is not None:
                    after.append(entry._replace(oid=child))
            elif entry.kind is not EntryKind.FILE or not self._is_dropped(entry.oid):
                after.append(entry)
        new: bytes | None = oid
        if after != before:
            new = self._write_tree(after) if after else None
        self._trees[oid] = new
        return new

    def _is_dropped(self, oid: bytes) -> bool:
        if oid not in self._drops:
            blob = pygit2.Oid(raw=oid)
            pointer = pointer_of(self._repository, blob, size_of(self._repository, blob) or 0)
            self._drops[oid] = pointer is not None and pointer.oid in self._oids
        return self._drops[oid]

    def _write_tree(self, entries: list[RawEntry]) -> bytes:
        raw = b"".join(b"%o %s\0%s" % (entry.mode, entry.name, entry.oid) for entry in entries)
        return bytes.fromhex(self._write(ObjectType.TREE, raw))

    def _write(self, kind: ObjectType, raw: bytes) -> str:
        return str(self._repository.odb.write(kind, raw))


def _too_long() -> TooLarge:
    return TooLarge(
        f"The history is too long to be rewritten here (over {MAX_COMMITS} commits, or too many folders); rewrite it "
        "with `git filter-repo` and push it.",
        code="history_too_long",
    )
