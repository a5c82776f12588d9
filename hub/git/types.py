"""What the rest of the hub sees of Git: plain frozen values, nothing of libgit2.

Names and texts are Unicode. Git stores bytes; those that are no UTF-8 are shown with U+FFFD in their place, and a
name shown so still finds its entry (``tree.find_entry``), because the lookup compares shown names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Literal

ZERO_OID = "0" * 40
"""Stands for "no object" as the old or new value of a ref."""

EMPTY_TREE_ID = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without entries; git knows it even where it was never written."""

HIDDEN_REFS = "refs/hub/"
"""Refs of the hub's own, never shown to clients and never copied into a fork."""

FILE_MODE = 0o100644
EXECUTABLE_MODE = 0o100755
LINK_MODE = 0o120000
SUBMODULE_MODE = 0o160000
DIRECTORY_MODE = 0o040000


def decode_text(raw: bytes) -> str:
    """Git's bytes as text: UTF-8, with U+FFFD where they are none."""
    return raw.decode("utf-8", "replace")


class EntryKind(StrEnum):
    """What an entry of a tree is."""

    FILE = "file"
    DIRECTORY = "dir"
    LINK = "link"
    SUBMODULE = "submodule"


def kind_of_mode(mode: int) -> EntryKind:
    """The kind that a tree entry's mode says; a mode that git does not write counts as a file."""
    kinds = {0o04: EntryKind.DIRECTORY, 0o12: EntryKind.LINK, 0o16: EntryKind.SUBMODULE}
    return kinds.get(mode >> 12, EntryKind.FILE)


@dataclass(frozen=True, slots=True)
class Signature:
    """Who wrote or committed, and when (aware, with the offset of the writer's own clock)."""

    name: str
    email: str
    when: datetime

    @property
    def offset_minutes(self) -> int:
        """Minutes east of UTC."""
        offset = self.when.utcoffset()
        return int(offset.total_seconds() // 60) if offset else 0


def moment(seconds: int, offset_minutes: int) -> datetime:
    """Git's time stamp as an aware datetime; one that no calendar can hold becomes the epoch."""
    try:
        zone = timezone(timedelta(minutes=offset_minutes))
        return datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    id: str
    tree_id: str
    parent_ids: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str

    @property
    def title(self) -> str:
        """The message's first line."""
        return self.message.lstrip().split("\n", 1)[0].rstrip()

    @property
    def body(self) -> str:
        """What follows the first line."""
        return self.message.lstrip().partition("\n")[2].strip()


@dataclass(frozen=True, slots=True)
class LFSPointer:
    """What an LFS pointer file says. oid: the content's SHA-256; pointer_size_bytes: the size of the pointer itself."""

    oid: str
    size_bytes: int
    pointer_size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a tree.

    size_bytes: of the content; for an LFS pointer of the content it points to; None for directories and submodules.
    oid: the Git object; a submodule's is a commit of another repository.
    """

    name: str
    path: str
    kind: EntryKind
    mode: int
    oid: str
    size_bytes: int | None = None
    lfs: LFSPointer | None = None


@dataclass(frozen=True, slots=True)
class TreePage:
    """Some entries of one directory, directories first. next_cursor: None at the end. offset: entries before them."""

    entries: Sequence[TreeEntry]
    next_cursor: str | None
    total: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Blob:
    """The beginning of a file's content (``data`` may be shorter than ``size_bytes``: see ``is_whole``)."""

    oid: str
    size_bytes: int
    data: bytes
    is_binary: bool
    lfs: LFSPointer | None = None

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size_bytes


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch and the commit at its tip."""

    name: str
    ref: str
    target: Commit


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and the commit it leads to. An annotated tag has an object of its own with tagger and message."""

    name: str
    ref: str
    target: Commit
    tag_id: str | None = None
    tagger: Signature | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class RefChange:
    """The move of one ref; ``ZERO_OID`` as ``old``: it did not exist, as ``new``: it is deleted."""

    ref: str
    old: str
    new: str

    @property
    def is_creation(self) -> bool:
        return self.old == ZERO_OID

    @property
    def is_deletion(self) -> bool:
        return self.new == ZERO_OID


@dataclass(frozen=True, slots=True)
class LastCommits:
    """For each name of a directory the commit that touched it last.

    is_complete: False when the walk met its limit; the names that are missing are then unknown.
    """

    commits: Mapping[str, Commit]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object that a push brings. path: where the walk met it first, "" for commits, tags and root trees."""

    oid: str
    kind: str  # commit, tree, blob or tag
    size_bytes: int
    path: str


class DiffStatus(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    DELETED = "deleted"
    MODIFIED = "modified"
    RENAMED = "renamed"
    COPIED = "copied"
    TYPE_CHANGED = "type_changed"


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a hunk. origin: " ", "+" or "-"; a line number is None on the side that lacks the line.

    has_newline: False for a last line that ends without one.
    """

    origin: str
    old_number: int | None
    new_number: int | None
    text: str
    has_newline: bool = True


@dataclass(frozen=True, slots=True)
class DiffHunk:
    """Some changed lines with those around them."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    header: str
    lines: Sequence[DiffLine]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The change of one file.

    old_oid and new_oid are ``ZERO_OID`` and modes 0 on the side that lacks the file. additions and deletions count
    lines, 0 for binary and LFS content. is_truncated: hunks are left out because the file is over the limits.
    old_lfs, new_lfs: set where that side is an LFS pointer; no hunks are given then.
    """

    status: DiffStatus
    old_path: str
    new_path: str
    old_oid: str
    new_oid: str
    old_mode: int
    new_mode: int
    additions: int
    deletions: int
    is_binary: bool
    is_truncated: bool
    hunks: Sequence[DiffHunk]
    old_lfs: LFSPointer | None = None
    new_lfs: LFSPointer | None = None
    similarity: int = 0  # percent, for renamed and copied files


@dataclass(frozen=True, slots=True)
class DiffStat:
    """How much changed in all, counted over every file, shown or not."""

    files: int
    additions: int
    deletions: int


@dataclass(frozen=True, slots=True)
class Diff:
    """The changes between two trees. is_truncated: there are more files than the limit let through."""

    files: Sequence[FileDiff]
    stat: DiffStat
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a head holds that a base does not.

    merge_base: None when the two share no history; the diff is then against the empty tree. commits: of the head
    and not of the base, newest first, at most the asked number (``ahead`` counts them all).
    """

    base: str
    head: str
    merge_base: str | None
    ahead: int
    behind: int
    commits: Sequence[Commit]
    diff: Diff


@dataclass(frozen=True, slots=True)
class BlameHunk:
    """Successive lines that one commit brought. first_line counts from 1; original_path: the file's name then."""

    first_line: int
    line_count: int
    commit: Commit
    original_path: str
    original_first_line: int


@dataclass(frozen=True, slots=True)
class FileChange:
    """One step of a commit; the steps apply in order.

    ``put`` writes a file from exactly one of content (bytes), blob_oid (a blob that the repository holds) or
    source_file (a file on this disk, of any size). ``delete`` removes a file, ``delete_dir`` a directory with all
    below it, ``copy`` and ``move`` take a file or directory from source_path. mode: ``FILE_MODE`` or
    ``EXECUTABLE_MODE``; None keeps what an existing file has.
    """

    action: Literal["put", "delete", "delete_dir", "copy", "move"]
    path: str
    content: bytes | None = None
    blob_oid: str | None = None
    source_file: Path | None = None
    source_path: str | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class DiffLimits:
    """How much of a diff is worked out and given; what is over it is marked as truncated."""

    files: int = 300
    lines_per_file: int = 3000
    bytes_per_file: int = 512 * 1024
    lines: int = 20_000


DEFAULT_DIFF_LIMITS = DiffLimits()
