"""Directories and files of a revision. Everything but ``open_blob_range`` may be offloaded."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType

from hub.base.errors import Invalid, NotFound
from hub.base.names import MAX_PATH_BYTES
from hub.git.command import GitError, open_git, terminate
from hub.git.pointer import MAX_POINTER_SIZE_BYTES, format_pointer, parse_pointer
from hub.git.reader import (
    Folders,
    RawEntry,
    commit_of,
    find_raw_entry,
    open_repository,
    parse_entry,
    pointer_of,
    read_tree,
    size_of,
    split_tree,
    tree_at,
)
from hub.git.types import Blob, EntryKind, TreeEntry, TreePage, decode_text

DEFAULT_LIMIT = 500
MAX_LIMIT = 10_000
# Deeper trees exist only to harm: each level costs two bytes of path at least, and paths end at 1,024 bytes.
MAX_DEPTH = MAX_PATH_BYTES // 2
# libgit2 holds a content whole; larger ones are for ``open_blob_range``.
_MAX_WHOLE_BYTES = 64 * 1024 * 1024
_SMALL_BLOB_BYTES = 1024 * 1024
_CHUNK_BYTES = 256 * 1024
# Source: git's own guess in buffer_is_binary (xdiff-interface.c): a NUL in the first 8,000 bytes.
_BINARY_LOOK_BYTES = 8000


def list_tree(
    path: Path, revision: str, tree_path: str = "", *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
) -> TreePage:
    """A page of one directory: directories first, then the others, each in git's order.

    cursor: the ``next_cursor`` of the page before, of the same directory; entries that came or went since are
    no trouble. Costs grow with the page, not with the directory (10,000 entries, a page of 500: 15 ms).
    Raises NotFound (codes ``revision_not_found``, ``entry_not_found``), Invalid (``not_a_directory``,
    ``cursor_invalid``).
    """
    limit = max(1, min(limit, MAX_LIMIT))
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        entries = _directories_first(split_tree(repository, tree_at(repository, commit, tree_path)))
        start = 0 if cursor is None else bisect_right(entries, _parse_cursor(cursor), key=_page_order)
        page = [parse_entry(entry) for entry in entries[start : start + limit]]
        is_last = start + limit >= len(entries)
        return TreePage(
            [_describe_entry(repository, entry, tree_path) for entry in page],
            None if is_last else _make_cursor(_page_order(entries[start + limit - 1])),
            len(entries),
            start,
        )


def list_names(path: Path, revision: str, tree_path: str = "") -> list[str]:
    """The names of one directory, all of them, in the order of ``list_tree``. Raises as ``list_tree``."""
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        stored = split_tree(repository, tree_at(repository, commit, tree_path))
        return [decode_text(parse_entry(entry).name) for entry in _directories_first(stored)]


def _directories_first(stored: list[bytes]) -> list[bytes]:
    # Modes of directories, and of nothing else, begin with 4, or with 0 in trees of old tools.
    return [entry for entry in stored if entry[0] in b"40"] + [entry for entry in stored if entry[0] not in b"40"]


def _page_order(stored: bytes) -> tuple[bool, bytes]:
    entry = parse_entry(stored)
    return entry.kind is not EntryKind.DIRECTORY, entry.sort_key


def _make_cursor(order: tuple[bool, bytes]) -> str:
    return base64.urlsafe_b64encode(b"%d%s" % order).decode().rstrip("=")


def _parse_cursor(cursor: str) -> tuple[bool, bytes]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if raw[:1] not in (b"0", b"1"):
        raise Invalid("The cursor is none that this list gave.", code="cursor_invalid")
    return raw[:1] == b"1", raw[1:]


def walk_tree(
    path: Path, revision: str, tree_path: str = "", *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
) -> TreePage:
    """A page of everything below a directory, directories included, each before what it holds.

    ``total`` counts this page only: to know more, the whole tree would have to be read. Otherwise as ``list_tree``.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    after = _parse_cursor(cursor)[1] if cursor is not None else b""
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        entries: list[TreeEntry] = []
        last = b""
        for parent, entry in _walk(repository, tree_at(repository, commit, tree_path), after):
            if len(entries) == limit:
                return TreePage(entries, _make_cursor((True, last)), limit)
            directory = "/".join(part for part in (tree_path, decode_text(parent).rstrip("/")) if part)
            entries.append(_describe_entry(repository, entry, directory))
            last = parent + entry.sort_key
        return TreePage(entries, None, len(entries))


def list_files(path: Path, revision: str, *, limit: int) -> list[str] | None:
    """The paths of all files and links of a revision, in git's order; None when they are more than ``limit``.

    Only trees are read, so it takes a tenth of what ``walk_tree`` takes. Raises NotFound (``revision_not_found``).
    """
    found: list[str] = []
    with open_repository(path) as repository:
        for parent, entry in _walk(repository, tree_at(repository, commit_of(repository, revision), ""), b""):
            if entry.kind in (EntryKind.FILE, EntryKind.LINK):
                found.append(decode_text(parent + entry.name))
                if len(found) > limit:
                    return None
    return found


def select_files(
    path: Path, revision: str, is_wanted: Callable[[str], bool], *, limit: int, max_walked: int
) -> list[str]:
    """The paths of a revision's files that are wanted, in git's order: the first ``limit`` of them.

    Of the others nothing is kept, so the memory does not depend on how many there are. Of more than ``max_walked``
    files, the rest is not looked at. Raises NotFound (``revision_not_found``).
    """
    found: list[str] = []
    walked = 0
    with open_repository(path) as repository:
        for parent, entry in _walk(repository, tree_at(repository, commit_of(repository, revision), ""), b""):
            if entry.kind not in (EntryKind.FILE, EntryKind.LINK):
                continue
            walked += 1
            name = decode_text(parent + entry.name)
            if is_wanted(name):
                found.append(name)
            if len(found) >= limit or walked >= max_walked:
                break
    return found


def find_same(path: Path, revision: str, oid: str, *, limit: int, max_walked: int) -> tuple[list[str], bool]:
    """The paths of a revision's files that are just this blob, in git's order, so many; and whether that is all.

    Only trees are read; of more than ``max_walked`` entries, the rest is not looked at.
    Raises NotFound (``revision_not_found``).
    """
    found: list[str] = []
    wanted = bytes.fromhex(oid)
    with open_repository(path) as repository:
        root = tree_at(repository, commit_of(repository, revision), "")
        for walked, (parent, entry) in enumerate(_walk(repository, root, b"")):
            if walked >= max_walked or len(found) >= limit:
                return found, False
            if entry.oid == wanted:
                found.append(decode_text(parent + entry.name))
    return found, True


def find_pointers(path: Path, revision: str, sizes: Mapping[str, int], *, max_walked: int) -> dict[str, str]:
    """By oid, the first path at which a revision has the pointer of each of these contents in LFS, where it has one.

    sizes: of the contents, by oid. Only trees are read: a pointer in another form than the canonical one is not found.
    Of more than ``max_walked`` entries, the rest is not looked at. Raises NotFound (``revision_not_found``).
    """
    wanted = {pygit2.hash(format_pointer(oid, size_bytes)).raw: oid for oid, size_bytes in sizes.items()}
    found: dict[str, str] = {}
    with open_repository(path) as repository:
        root = tree_at(repository, commit_of(repository, revision), "")
        for parent, entry in islice(_walk(repository, root, b""), max_walked):
            oid = wanted.pop(entry.oid, None)
            if oid is not None:
                found[oid] = decode_text(parent + entry.name)
                if not wanted:
                    break
    return found


def _walk(repository: pygit2.Repository, root: pygit2.Oid, after: bytes) -> Iterator[tuple[bytes, RawEntry]]:
    """Everything below a tree whose path comes after ``after``, in git's order, each with its directory's path.

    Directories' paths end with a slash, by which git's order is the order of the paths' bytes.
    """
    stack = [(b"", iter(read_tree(repository, root)))]
    while stack:
        parent, entries = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            continue
        path = parent + entry.sort_key
        if path > after:
            yield parent, entry
        is_open = path > after or after.startswith(path)
        if entry.kind is EntryKind.DIRECTORY and is_open and len(stack) < MAX_DEPTH:
            stack.append((path, iter(read_tree(repository, entry.oid))))


def find_entry(path: Path, revision: str, file_path: str) -> TreeEntry | None:
    """The file, directory, link or submodule at a path; None when there is none.

    Raises NotFound (code ``revision_not_found``).
    """
    return find_entries(path, revision, [file_path])[1][0]


def find_entries(path: Path, revision: str, file_paths: Iterable[str]) -> tuple[str, list[TreeEntry | None]]:
    """The commit that a revision names, and as ``find_entry`` what is at each of the paths."""
    with open_repository(path) as repository:
        commit = commit_of(repository, revision)
        folders = Folders(repository)
        return str(commit.id), [_find_entry(repository, commit, file_path, folders) for file_path in file_paths]


def _find_entry(
    repository: pygit2.Repository, commit: pygit2.Commit, file_path: str, folders: Folders
) -> TreeEntry | None:
    if file_path == "":
        return TreeEntry("", "", EntryKind.DIRECTORY, 0o040000, str(commit.tree_id))
    entry = find_raw_entry(repository, commit, file_path, folders)
    return _describe_entry(repository, entry, file_path.rpartition("/")[0]) if entry is not None else None


def get_entry(path: Path, revision: str, file_path: str) -> TreeEntry:
    """As ``find_entry``. Raises NotFound (codes ``revision_not_found``, ``entry_not_found``)."""
    entry = find_entry(path, revision, file_path)
    if entry is None:
        raise NotFound(f"There is no {file_path!r} in this revision.", code="entry_not_found")
    return entry


def _describe_entry(repository: pygit2.Repository, entry: RawEntry, directory: str) -> TreeEntry:
    name = decode_text(entry.name)
    path = f"{directory}/{name}" if directory else name
    oid = pygit2.Oid(raw=entry.oid)
    kind = entry.kind
    if kind in (EntryKind.DIRECTORY, EntryKind.SUBMODULE):
        return TreeEntry(name, path, kind, entry.mode, str(oid))
    size_bytes = size_of(repository, oid)
    pointer = pointer_of(repository, oid, size_bytes or 0) if kind is EntryKind.FILE else None
    return TreeEntry(name, path, kind, entry.mode, str(oid), pointer.size_bytes if pointer else size_bytes, pointer)


def read_blob(path: Path, oid: str, *, limit_bytes: int = _SMALL_BLOB_BYTES) -> Blob:
    """The first ``limit_bytes`` of a file's content, and what kind of content it is.

    Of a content over 64 MiB nothing is read: it counts as binary, and ``open_blob_range`` streams it.
    Raises NotFound (code ``entry_not_found``).
    """
    with open_repository(path) as repository:
        blob_oid, size_bytes = _find_blob(repository, oid)
        if size_bytes > _MAX_WHOLE_BYTES:
            return Blob(oid, size_bytes, b"", is_binary=True)
        data = repository.odb.read(blob_oid)[1]
        pointer = parse_pointer(data) if size_bytes <= MAX_POINTER_SIZE_BYTES else None
        return Blob(oid, size_bytes, data[:limit_bytes], b"\0" in data[:_BINARY_LOOK_BYTES], pointer)


def _find_blob(repository: pygit2.Repository, oid: str) -> tuple[pygit2.Oid, int]:
    try:
        blob_oid = pygit2.Oid(hex=oid)
        kind, size_bytes = repository.odb.read_header(blob_oid)
    except (KeyError, ValueError):
        kind, size_bytes = ObjectType.ANY, 0
    if len(oid) != 40 or kind != ObjectType.BLOB:
        raise NotFound("There is no such file content.", code="entry_not_found")
    return blob_oid, int(size_bytes)


def open_blob_range(path: Path, oid: str, start: int, length: int) -> Iterator[bytes]:
    """Exactly these bytes of a file's content, in pieces; the memory it takes does not depend on the content's size.

    Content over 1 MiB comes from the git program, so this is called directly; a generator that is closed early ends
    it. Raises NotFound (code ``entry_not_found``) at once, GitError while it is read.
    """
    with open_repository(path) as repository:
        blob_oid, size_bytes = _find_blob(repository, oid)
        if size_bytes <= _SMALL_BLOB_BYTES:
            return iter((repository.odb.read(blob_oid)[1][start : start + length],))
    return _stream_blob(path, oid, start, min(length, size_bytes - start))


def _stream_blob(path: Path, oid: str, start: int, length: int) -> Iterator[bytes]:
    process = open_git(path, "cat-file", "blob", oid)
    assert process.stdout is not None
    try:
        position = 0
        while position < start + length:
            piece = process.stdout.read(min(_CHUNK_BYTES, start + length - position))
            if not piece:
                raise GitError("Git stopped in the middle of a file.")
            wanted = piece[max(start - position, 0) :]
            position += len(piece)
            if wanted:
                yield wanted
    finally:
        terminate(process)
