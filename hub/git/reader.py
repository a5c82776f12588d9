"""The room's own floor: libgit2 opened, closed and turned into plain values. Only ``hub.git`` modules import this."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import ConfigLevel, ObjectType, RepositoryOpenFlag

from hub.base.errors import Invalid, NotFound
from hub.base.names import MAX_REF_BYTES
from hub.git.command import GitError
from hub.git.pointer import MAX_POINTER_SIZE_BYTES, parse_pointer
from hub.git.types import HIDDEN_REFS, Commit, EntryKind, LFSPointer, Signature, decode_text, kind_of_mode, moment

# libgit2 keeps these for the whole process. Loose objects are synced before their ids are given to anybody; the
# machine's git configuration has no say; repositories may belong to another user (see command.server_config); an
# object's hash is checked when it comes in, not each time it is read, as git does it.
pygit2.settings.enable_fsync_gitdir(True)
pygit2.settings.enable_strict_hash_verification(False)
pygit2.settings.owner_validation = False
for _level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
    pygit2.settings.search_path[_level] = ""

# Of ids cut short, as the clients of other hubs do. Source: Hugging Face contract, section 1.1.
_HEX = re.compile(r"[0-9a-f]{5,40}\Z")
_FULL_ID = re.compile(r"[0-9a-f]{40}\Z")
_NOT_IN_NAMES = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_TREE_ENTRY = re.compile(rb"[0-7]{5,6} [^\0]++\0.{20}", re.DOTALL)


@contextmanager
def open_repository(path: Path) -> Iterator[pygit2.Repository]:
    """The bare repository at exactly this path, freed at the end.

    Raises NotFound (code ``repository_missing``); libgit2's own failures inside the block become GitError.
    """
    try:
        repository = pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.BARE)
    except pygit2.GitError:
        raise NotFound("The repository's files are not there.", code="repository_missing") from None
    try:
        yield repository
    except pygit2.GitError as error:
        raise GitError("Git could not read the repository.", stderr=str(error)) from error
    finally:
        repository.free()


def find_commit(repository: pygit2.Repository, revision: str) -> pygit2.Commit | None:
    """The commit a revision names: a whole id, as git does it, then branch before tag before an id cut short; a ref is
    also taken in full, and HEAD.

    None also for what git itself would compute (``main~2``, ``@{1}``, ``a:b``) and for hidden refs.
    """
    if (
        not revision
        or revision.startswith(("-", HIDDEN_REFS))
        or len(revision) > MAX_REF_BYTES
        or _NOT_IN_NAMES.search(revision)
    ):
        return None
    if _FULL_ID.match(revision) and (found := _peel(repository, revision)) is not None:
        return found
    names = [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    if revision.startswith("refs/") or revision == "HEAD":
        names.insert(0, revision)
    for name in names:
        try:
            return repository.references[name].peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError):  # absent, no ref name, or leading to no commit
            continue
    return _peel(repository, revision) if _HEX.match(revision) else None


def _peel(repository: pygit2.Repository, digits: str) -> pygit2.Commit | None:
    try:
        oid = pygit2.Oid(hex=digits) if len(digits) == 40 else repository.expand_id(digits)
        found = repository.get(oid)
        return found.peel(pygit2.Commit) if found is not None else None
    except (KeyError, ValueError, pygit2.GitError):
        return None


def commit_of(repository: pygit2.Repository, revision: str) -> pygit2.Commit:
    """As ``find_commit``. Raises NotFound (code ``revision_not_found``)."""
    commit = find_commit(repository, revision)
    if commit is None:
        raise NotFound(f"There is no revision {revision[:80]!r}.", code="revision_not_found")
    return commit


def describe_commit(commit: pygit2.Commit) -> Commit:
    """The commit as a plain value."""
    encoding = commit.message_encoding
    return Commit(
        id=str(commit.id),
        tree_id=str(commit.tree_id),
        parent_ids=tuple(str(parent) for parent in commit.parent_ids),
        author=describe_signature(commit.author, encoding),
        committer=describe_signature(commit.committer, encoding),
        message=_decode(commit.raw_message, encoding),
    )


def describe_signature(signature: pygit2.Signature, encoding: str | None = None) -> Signature:
    """The signature as a plain value."""
    return Signature(
        name=_decode(signature.raw_name, encoding),
        email=_decode(signature.raw_email, encoding),
        when=moment(signature.time, signature.offset),
    )


def _decode(raw: bytes, encoding: str | None) -> str:
    if encoding:
        try:
            return raw.decode(encoding)
        except (LookupError, ValueError):  # an encoding that Python lacks, or bytes that it does not fit
            pass
    return decode_text(raw)


class RawEntry(NamedTuple):
    """One entry as a tree stores it. ``oid`` is 20 bytes."""

    mode: int
    name: bytes
    oid: bytes

    @property
    def kind(self) -> EntryKind:
        return kind_of_mode(self.mode)

    @property
    def sort_key(self) -> bytes:
        """Git's order: a directory compares as if its name ended with a slash."""
        return self.name + b"/" if self.kind is EntryKind.DIRECTORY else self.name


def split_tree(repository: pygit2.Repository, oid: pygit2.Oid | bytes) -> list[bytes]:
    """The entries of one tree in git's order, as they are stored; ``parse_entry`` makes values of those needed.

    The stored bytes are cut here rather than by libgit2: that is quicker when a few of many entries are wanted, and
    a name that is no UTF-8 stays what it is. Raises GitError when the object is absent or no tree.
    """
    try:
        kind, raw = repository.odb.read(pygit2.Oid(raw=oid) if isinstance(oid, bytes) else oid)
    except KeyError:
        raise GitError("An object of the repository is missing.") from None
    if kind != ObjectType.TREE:
        raise GitError("An object of the repository is not what its place says.")
    return _TREE_ENTRY.findall(raw)


def parse_entry(stored: bytes) -> RawEntry:
    """One entry that ``split_tree`` gave."""
    mode, _, name = stored[:-21].partition(b" ")
    return RawEntry(int(mode, 8), name, stored[-20:])


def read_tree(repository: pygit2.Repository, oid: pygit2.Oid | bytes) -> list[RawEntry]:
    """The entries of one tree in git's order. Raises GitError when the object is absent or no tree."""
    return [parse_entry(stored) for stored in split_tree(repository, oid)]


class Folders:
    """The trees of one repository by their names, for who looks up many: a tree that is asked often is cut up once."""

    def __init__(self, repository: pygit2.Repository) -> None:
        self._repository = repository
        self._entries: dict[bytes, list[bytes]] = {}
        self._names: dict[bytes, dict[bytes, bytes]] = {}

    def find(self, tree_id: pygit2.Oid | bytes, name: str) -> RawEntry | None:
        """The entry of a tree that is shown under this name."""
        oid = tree_id if isinstance(tree_id, bytes) else bytes(tree_id.raw)
        entries = self._entries.get(oid)
        if entries is None:
            entries = self._entries[oid] = split_tree(self._repository, oid)
            # Looking once is quicker than making a table.
            found = _find_stored(entries, name)
        else:
            names = self._names.get(oid)
            if names is None:
                names = self._names[oid] = {stored[stored.index(b" ") + 1 : -21]: stored for stored in entries}
            found = names.get(name.encode(errors="replace"))
        if found is not None:
            return parse_entry(found)
        if "\N{REPLACEMENT CHARACTER}" in name:
            return next((entry for entry in map(parse_entry, entries) if decode_text(entry.name) == name), None)
        return None


def _find_stored(entries: list[bytes], name: str) -> bytes | None:
    middle = b" %s\0" % name.encode(errors="replace")
    return next((stored for stored in entries if middle in stored and parse_entry(stored).name == middle[1:-1]), None)


def find_raw_entry(
    repository: pygit2.Repository, commit: pygit2.Commit, path: str, folders: Folders | None = None
) -> RawEntry | None:
    """The entry at a path that is not the root; None when there is none. folders: of who looks up several."""
    folders = folders or Folders(repository)
    oid: pygit2.Oid | bytes = commit.tree_id
    entry: RawEntry | None = None
    for part in path.split("/"):
        if entry is not None and entry.kind is not EntryKind.DIRECTORY:
            return None
        entry = folders.find(oid, part)
        if entry is None:
            return None
        oid = entry.oid
    return entry


def tree_at(repository: pygit2.Repository, commit: pygit2.Commit, path: str) -> pygit2.Oid:
    """The id of the directory at a path; "" is the root.

    Raises NotFound (code ``entry_not_found``), Invalid (code ``not_a_directory``).
    """
    if path == "":
        return commit.tree_id
    entry = find_raw_entry(repository, commit, path)
    if entry is None:
        raise NotFound(f"There is no {path!r} in this revision.", code="entry_not_found")
    if entry.kind is not EntryKind.DIRECTORY:
        raise Invalid(f"{path!r} is not a directory.", code="not_a_directory")
    return pygit2.Oid(raw=entry.oid)


def pointer_of(repository: pygit2.Repository, oid: pygit2.Oid, size_bytes: int) -> LFSPointer | None:
    """The LFS pointer that a blob of this size is; None for ordinary content."""
    if not 0 < size_bytes <= MAX_POINTER_SIZE_BYTES:
        return None
    return parse_pointer(repository.odb.read(oid)[1])


def size_of(repository: pygit2.Repository, oid: pygit2.Oid) -> int | None:
    """An object's size without reading it whole; None when the repository lacks it."""
    try:
        return int(repository.odb.read_header(oid)[1])
    except KeyError:
        return None
