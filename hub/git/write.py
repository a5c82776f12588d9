"""Commits, merges and the one transaction that moves refs.

``build_commit``, ``merge`` and ``sync_refs`` may be offloaded; ``update_refs`` runs the git program.
A commit is on the disk, synced, before its id is returned: a ref may point at it at once.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

from hub.base.errors import Conflict, Invalid, Unprocessable
from hub.base.log import get_logger
from hub.base.names import validate_ref
from hub.git.command import GitError, run_git
from hub.git.edit import TreeEditor
from hub.git.reader import open_repository
from hub.git.types import FileChange, RefChange, Signature

log = get_logger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024
_MAX_CONFLICTS_SHOWN = 100
_MAX_TRIES = 5
_UNFIT_FOR_SIGNATURE = re.compile(r"[\x00-\x1f\x7f<>]")


def build_commit(
    path: Path,
    *,
    parent: str | None,
    changes: Sequence[FileChange],
    author: Signature,
    committer: Signature,
    message: str,
) -> str:
    """Write the commit that applies the changes to a parent's tree; its id. No ref moves.

    parent: a full commit id; None begins a history. Only the directories that change are read and written.
    Raises Invalid with code ``path_invalid``, ``path_conflict`` (a file where a directory is needed, or the other
    way round), ``path_case_clash`` (two names that some file systems hold for one), ``mode_invalid``,
    ``change_invalid``, ``message_invalid`` or ``nothing_to_commit``; NotFound (code ``entry_not_found``) for a path
    to delete, copy or move that is not there; Unprocessable (code ``object_missing``) for a parent or blob.
    """

    def build() -> str:
        with open_repository(path) as repository:
            parents = [] if parent is None else [get_commit_object(repository, parent)]
            editor = TreeEditor(repository, parents[0].tree_id if parents else None)
            for change in changes:
                editor.apply(change)
            tree_id = editor.write()
            if not changes or (parents and tree_id == parents[0].tree_id):
                raise Invalid("These changes change nothing.", code="nothing_to_commit")
            return write_commit(repository, tree_id, [commit.id for commit in parents], author, committer, message)

    return despite_upkeep(build)


def despite_upkeep(write: Callable[[], str]) -> str:
    """What ``write`` returns, begun anew when upkeep took a folder away from under it.

    git removes folders of loose objects that a repack has emptied, also between libgit2's making one and its moving
    an object there. What was written before is found there again, so a second go costs little.
    """
    for _ in range(_MAX_TRIES - 1):
        try:
            return write()
        except OSError as error:
            log.info("git_write_repeated", error=str(error))
    return write()


def merge(
    path: Path,
    base: str,
    head: str,
    *,
    author: Signature,
    committer: Signature,
    message: str,
    squash: bool = False,
) -> str:
    """Write the commit that brings ``head`` into ``base`` (both full commit ids); its id. No ref moves.

    squash: the commit has ``base`` as its only parent.
    Raises Conflict (code ``merge_conflict``; ``details["paths"]`` names at most 100 of them), Invalid (code
    ``nothing_to_commit``) when ``base`` holds all of ``head`` already.
    """
    return despite_upkeep(lambda: _merge(path, base, head, author, committer, message, squash))


def _merge(
    path: Path, base: str, head: str, author: Signature, committer: Signature, message: str, squash: bool
) -> str:
    with open_repository(path) as repository:
        ours, theirs = get_commit_object(repository, base), get_commit_object(repository, head)
        if ours.id == theirs.id or repository.descendant_of(ours.id, theirs.id):
            raise Invalid("There is nothing to merge: the base has it all.", code="nothing_to_commit")
        index = repository.merge_commits(ours, theirs)
        paths = conflicts_of(index)
        if paths:
            raise Conflict(
                f"The two sides changed the same lines in {len(paths)} files; bring them together by hand.",
                code="merge_conflict",
                paths=paths[:_MAX_CONFLICTS_SHOWN],
            )
        tree_id = index.write_tree(repository)
        if squash and tree_id == ours.tree_id:
            raise Invalid("There is nothing to merge: the base has it all.", code="nothing_to_commit")
        parents = [ours.id] if squash else [ours.id, theirs.id]
        return write_commit(repository, tree_id, parents, author, committer, message)


def conflicts_of(index: pygit2.Index) -> list[str]:
    """The paths of a merge's index that somebody has to bring together by hand; for the modules of this room."""
    conflicts: list[Any] = list(index.conflicts or ())
    return sorted({side.path for sides in conflicts for side in sides if side is not None})


def get_commit_object(repository: pygit2.Repository, oid: str) -> pygit2.Commit:
    """The commit of that full id in an open repository; for the modules of this room. Raises Unprocessable."""
    found: Any
    try:
        found = repository.get(pygit2.Oid(hex=oid))
    except ValueError:
        found = None
    if not isinstance(found, pygit2.Commit):
        raise Unprocessable(f"There is no commit {oid[:40]!r} in the repository.", code="object_missing")
    commit: pygit2.Commit = found
    return commit


def write_commit(
    repository: pygit2.Repository,
    tree_id: pygit2.Oid,
    parent_ids: list[pygit2.Oid],
    author: Signature,
    committer: Signature,
    message: str,
) -> str:
    """Write a commit object; its id. For the modules of this room. Raises Invalid (``message_invalid``)."""
    text = message.replace("\r\n", "\n").strip()
    if not text or "\0" in text or len(text.encode(errors="replace")) > MAX_MESSAGE_BYTES:
        raise Invalid("A commit needs a message of at most 64 KiB without NUL.", code="message_invalid")
    content = f"{text}\n".encode(errors="replace")
    who = clean_signature(author), clean_signature(committer)
    return str(repository.create_commit(None, *who, content, tree_id, parent_ids))


def clean_signature(signature: Signature) -> pygit2.Signature:
    """What git can store of a signature: it allows no angle bracket, no line break and nothing empty."""
    name = _UNFIT_FOR_SIGNATURE.sub("", signature.name).strip(" .,:;\"'") or "unknown"
    email = _UNFIT_FOR_SIGNATURE.sub("", signature.email).strip() or "unknown"
    seconds = int(signature.when.timestamp())
    return pygit2.Signature(name, email, seconds, signature.offset_minutes, "utf-8")


@dataclass(frozen=True)
class _Refusal:
    pattern: re.Pattern[str]
    code: str
    message: str


# What git 2.30 to 2.39 says, in files refs/files-backend.c and refs.c.
_REFUSALS = (
    _Refusal(re.compile(r"nonexistent object|not a valid (object|SHA1|oid)|missing object"), "object_missing", ""),
    _Refusal(
        re.compile(r"exists; cannot create|there are still refs under|cannot process '.*' and '.*'"),
        "ref_name_conflict",
        "A branch or tag cannot be named like a directory of others.",
    ),
    _Refusal(
        re.compile(
            r"but expected|reference already exists|unable to resolve reference|reference is missing|File exists"
            r"|cannot lock ref"
        ),
        "ref_changed",
        "A branch or tag has moved meanwhile; fetch it and try again.",
    ),
)


def update_refs(path: Path, changes: Sequence[RefChange]) -> None:
    """Move all these refs or none of them, each only when it holds its ``old`` value now. No hook runs.

    When it returns, the new values are on the disk. Runs git.
    Raises Conflict (code ``ref_changed``: another writer was first; ``ref_name_conflict``: ``a`` and ``a/b`` cannot
    both be branches), Unprocessable (code ``object_missing``), Invalid (code ``ref_invalid``).
    """
    if not changes:
        return
    lines = [b"start\0"]
    for change in changes:
        ref = validate_ref(change.ref).encode()
        _check_oid(change.old)
        _check_oid(change.new)
        if change.is_deletion:
            lines.append(b"delete %s\0%s\0" % (ref, change.old.encode()))
        else:
            lines.append(b"update %s\0%s\0%s\0" % (ref, change.new.encode(), change.old.encode()))
    lines += [b"prepare\0", b"commit\0"]
    try:
        run_git(path, "update-ref", "--no-deref", "--stdin", "-z", input=b"".join(lines))
    except GitError as error:
        raise _explain(error) from error
    sync_refs(path, [change.ref for change in changes])


def _check_oid(oid: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{40}", oid):
        raise Invalid("An object id is 40 lower-case hexadecimal digits.", code="ref_invalid")


def _explain(error: GitError) -> Exception:
    for refusal in _REFUSALS:
        if refusal.pattern.search(error.stderr):
            if refusal.code == "object_missing":
                return Unprocessable("The object that a ref should point to is not there.", code=refusal.code)
            return Conflict(refusal.message, code=refusal.code)
    return error


def sync_refs(path: Path, refs: Iterable[str]) -> None:
    """Bring the directories of these refs to the disk, and HEAD's.

    Git syncs a ref's file, then renames it into place and leaves the rename to the file system; an acknowledged
    push must not hang on that. Call it too after ``git receive-pack`` has moved refs.
    """
    directories = {path}
    for ref in refs:
        directory = (path / ref).parent
        while directory != path and directory.is_relative_to(path):
            directories.add(directory)
            directory = directory.parent
    for directory in directories:
        # A directory that git removed with its last ref needs no sync of its own: its parent has it.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
