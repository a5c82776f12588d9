"""A tree being changed: directories are read when a change reaches into them and written when all are applied."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

import pygit2
from pygit2.enums import ObjectType

from hub.base.errors import Invalid, NotFound, Unprocessable
from hub.base.names import normalise_path
from hub.git.reader import RawEntry, read_tree
from hub.git.types import DIRECTORY_MODE, EXECUTABLE_MODE, FILE_MODE, FileChange, decode_text


@dataclass
class _Directory:
    """A directory that was opened. children: name -> a stored entry, or an opened directory."""

    children: dict[bytes, RawEntry | _Directory]
    added: set[bytes] = field(default_factory=set)


_Child = RawEntry | _Directory


class TreeEditor:
    """Applies file changes to a tree of a repository. Blobs are written at once, trees by ``write``."""

    def __init__(self, repository: pygit2.Repository, tree_id: pygit2.Oid | None) -> None:
        self._repository = repository
        self._root = _Directory({}) if tree_id is None else self._open(tree_id)

    def _open(self, oid: pygit2.Oid | bytes) -> _Directory:
        return _Directory({entry.name: entry for entry in read_tree(self._repository, oid)})

    def apply(self, change: FileChange) -> None:
        """Apply one change. Raises as ``write.build_commit`` says."""
        path = normalise_path(change.path)
        if change.action == "put":
            self._put(path, change)
        elif change.action == "delete":
            self._remove(path, directory=False)
        elif change.action == "delete_dir":
            self._remove(path, directory=True)
        elif change.action in ("copy", "move"):
            if change.source_path is None:
                raise Invalid(f"{path!r}: there is no path to take it from.", code="change_invalid")
            self._transfer(normalise_path(change.source_path), path, is_move=change.action == "move")
        else:
            raise Invalid(f"{str(change.action)[:20]!r} is no kind of change.", code="change_invalid")

    def _put(self, path: str, change: FileChange) -> None:
        if change.mode not in (None, FILE_MODE, EXECUTABLE_MODE):
            raise Invalid(f"{path!r}: a file's mode is 100644 or 100755.", code="mode_invalid")
        parent, name = self._reach(path)
        present = _find_child(parent, name)
        if _is_directory(present):
            raise Invalid(f"{path!r} is a directory, so no file can be written there.", code="path_conflict")
        was_executable = isinstance(present, RawEntry) and present.mode == EXECUTABLE_MODE
        mode = change.mode or (EXECUTABLE_MODE if was_executable else FILE_MODE)
        self._place(parent, name, RawEntry(mode, name, self._write_blob(path, change).raw))

    def _write_blob(self, path: str, change: FileChange) -> pygit2.Oid:
        given = [source for source in (change.content, change.blob_oid, change.source_file) if source is not None]
        if len(given) != 1:
            raise Invalid(f"{path!r}: a file needs one content.", code="change_invalid")
        if change.content is not None:
            return self._repository.create_blob(change.content)
        if change.source_file is not None:
            return self._repository.create_blob_fromdisk(str(change.source_file))
        try:
            oid = pygit2.Oid(hex=str(change.blob_oid))
            is_blob = self._repository.odb.read_header(oid)[0] == ObjectType.BLOB
        except (KeyError, ValueError):
            is_blob = False
        if not is_blob:
            raise Unprocessable(f"{path!r}: the repository does not hold its content.", code="object_missing")
        return oid

    def _remove(self, path: str, *, directory: bool) -> _Child:
        parent, name, child = self._find(path)
        if _is_directory(child) != directory:
            raise Invalid(f"{path!r} is {'no' if directory else 'a'} directory.", code="path_conflict")
        del parent.children[name]
        parent.added.discard(name)
        return child

    def _transfer(self, source: str, target: str, *, is_move: bool) -> None:
        if target == source or target.startswith(f"{source}/"):
            raise Invalid(f"{source!r} cannot go to {target!r}, which is itself or below it.", code="path_conflict")
        _, _, child = self._find(source)
        if isinstance(child, _Directory):
            # Written first, so that the two places do not share what a later change edits.
            child = RawEntry(DIRECTORY_MODE, b"", self._write(child, source).raw)
        if is_move:
            self._remove(source, directory=child.mode == DIRECTORY_MODE)
        parent, name = self._reach(target)
        present = _find_child(parent, name)
        if present is not None and (_is_directory(present) or _is_directory(child)):
            raise Invalid(f"{target!r} is there already.", code="path_conflict")
        self._place(parent, name, child._replace(name=name))

    def _place(self, parent: _Directory, name: bytes, entry: RawEntry) -> None:
        if name not in parent.children:
            parent.added.add(name)
        parent.children[name] = entry

    def _reach(self, path: str) -> tuple[_Directory, bytes]:
        """The directory that a new entry goes into, opened or made, and the entry's stored name."""
        *parts, last = path.split("/")
        directory = self._root
        for depth, part in enumerate(parts):
            name = _stored_name(directory, part)
            child = directory.children.get(name)
            if child is None:
                directory.added.add(name)
                child = directory.children[name] = _Directory({})
            elif isinstance(child, RawEntry):
                if child.mode != DIRECTORY_MODE:
                    blocker = "/".join(parts[: depth + 1])
                    raise Invalid(f"{blocker!r} is a file, so {path!r} cannot be below it.", code="path_conflict")
                child = directory.children[name] = self._open(child.oid)
            directory = child
        return directory, _stored_name(directory, last)

    def _find(self, path: str) -> tuple[_Directory, bytes, _Child]:
        """An entry that is there, its name and directory. Raises NotFound (code ``entry_not_found``)."""
        *parts, last = path.split("/")
        directory = self._root
        for part in parts:
            name = _stored_name(directory, part)
            child = directory.children.get(name)
            if isinstance(child, RawEntry) and child.mode == DIRECTORY_MODE:
                child = directory.children[name] = self._open(child.oid)
            if not isinstance(child, _Directory):
                raise NotFound(f"There is no {path!r} in this revision.", code="entry_not_found")
            directory = child
        name = _stored_name(directory, last)
        found = _find_child(directory, name)
        if found is None:
            raise NotFound(f"There is no {path!r} in this revision.", code="entry_not_found")
        return directory, name, found

    def write(self) -> pygit2.Oid:
        """Write the trees that changed; the root's id. Directories left empty vanish, as git knows none."""
        return self._write(self._root, "")

    def _write(self, directory: _Directory, path: str) -> pygit2.Oid:
        entries: list[RawEntry] = []
        for name, child in directory.children.items():
            if isinstance(child, RawEntry):
                entries.append(child)
            elif _has_files(child):
                below = f"{path}/{decode_text(name)}".removeprefix("/")
                entries.append(RawEntry(DIRECTORY_MODE, name, self._write(child, below).raw))
        _check_clashes(entries, directory.added, path)
        entries.sort(key=lambda entry: entry.sort_key)
        raw = b"".join(b"%o %s\0%s" % (entry.mode, entry.name, entry.oid) for entry in entries)
        return self._repository.write(ObjectType.TREE, raw)


def _stored_name(directory: _Directory, name: str) -> bytes:
    """The bytes under which a shown name is stored, or would be."""
    encoded = name.encode()
    if encoded not in directory.children and "\N{REPLACEMENT CHARACTER}" in name:
        return next((stored for stored in directory.children if decode_text(stored) == name), encoded)
    return encoded


def _find_child(directory: _Directory, name: bytes) -> _Child | None:
    """The child of that name; a directory that was emptied or never filled is none."""
    child = directory.children.get(name)
    return None if isinstance(child, _Directory) and not _has_files(child) else child


def _is_directory(child: _Child | None) -> bool:
    return isinstance(child, _Directory) or (child is not None and child.mode == DIRECTORY_MODE)


def _has_files(directory: _Directory) -> bool:
    waiting = [directory]
    while waiting:
        for child in waiting.pop().children.values():
            if isinstance(child, RawEntry):
                return True
            waiting.append(child)
    return False


def _check_clashes(entries: list[RawEntry], added: set[bytes], path: str) -> None:
    """Refuse a new name that macOS or Windows would put in the place of another one of the directory."""
    if not added:
        return
    seen: dict[str, bytes] = {}
    for entry in sorted(entries, key=lambda entry: entry.name in added):
        folded = unicodedata.normalize("NFC", decode_text(entry.name)).casefold()
        other = seen.setdefault(folded, entry.name)
        if other != entry.name and entry.name in added:
            where = f" in {path!r}" if path else ""
            raise Invalid(
                f"{decode_text(entry.name)!r} and {decode_text(other)!r}{where} are the same name on some systems.",
                code="path_case_clash",
            )
