"""Commits made by the web and the API: the changes of one request become one commit, large content becomes LFS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound, PreconditionFailed, TooLarge, Unprocessable
from hub.base.names import branch_ref, normalise_path
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.merge import held_by
from hub.git.packing import MIN_CONTENTS, pack_contents
from hub.git.pointer import MAX_POINTER_SIZE_BYTES, format_pointer, parse_pointer
from hub.git.repository import find_revision, is_empty
from hub.git.tree import find_entry, read_blob
from hub.git.types import ZERO_OID, EntryKind, FileChange, LFSPointer, RefChange, Signature
from hub.git.write import build_commit
from hub.repos import refs
from hub.repos.attributes import ATTRIBUTES_PATH, MAX_FILE_BYTES, LFSRules, lfs_line
from hub.repos.lfs import service as lfs
from hub.repos.lfs.holdings import missing_objects
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import Repository
from hub.repos.proposals import proposal_ref

CHUNK_BYTES = 1024 * 1024
MAX_EDITS = 10_000
# When somebody else pushes to the branch meanwhile, the same changes are put on the new tip this often.
MAX_TRIES = 3


@dataclass(frozen=True)
class FileEdit:
    """One change that a person or program asks for.

    action: "put" writes a file, whether it is there or not; "delete", "delete_dir"; "move" and "copy" take the file
    or directory at ``source``. content: the bytes, or a file that holds them and that nobody changes meanwhile.
    blob_oid: a Git blob of the repository instead of a content; it stays in Git, whatever its size.
    expected_oid: the blob (or, of LFS content, the SHA-256) that the path must hold now; "": nothing may be there yet;
    None: whatever it holds.
    """

    path: str
    action: Literal["put", "delete", "delete_dir", "move", "copy"] = "put"
    content: bytes | Path = b""
    blob_oid: str = ""
    source: str = ""
    expected_oid: str | None = None


@dataclass(frozen=True)
class CommitResult:
    """The commit that a branch points to now. is_new: False when the changes changed nothing, so none was made."""

    commit_id: str
    branch: str
    is_new: bool


def commit_files(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    message: str,
    edits: Sequence[FileEdit],
    branch: str = "",
    new_branch: str = "",
    parent: str | None = None,
    via: str = "api",
    proposal: int | None = None,
) -> CommitResult:
    """One commit of all the edits on a branch, made by the actor, through the same checks as a push.

    branch: "" for the default branch. new_branch: the commit goes there instead, beginning at ``branch``; without a
    ``branch`` it begins a history of its own (CSGHub contract, section 2.5 b). parent: the commit that the branch
    must be at; without it the edits are put on whatever tip the branch has. proposal: the number of a pull request,
    to whose ref the commit goes instead of to a branch.
    A file over ``max_blob_size_bytes``, or one that ``.gitattributes`` gives to LFS, is stored as an LFS object and
    its pointer committed; ``.gitattributes`` learns of pointers that it did not know.
    Spans Git, storage and the database, so it takes the context and opens its own units of work. A crash leaves
    objects that nothing refers to, never a branch without its content.
    Raises Invalid, NotFound (``branch_not_found``, ``entry_not_found``), PreconditionFailed (``parent_mismatch``),
    Conflict (``file_changed``, ``branch_exists``, ``ref_changed``), Unprocessable (``lfs_object_missing``), and what
    a push may raise.
    """
    action = Action.REPOSITORY_WRITE if proposal is None else Action.REPOSITORY_PROPOSE
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
    edits = _checked(edits)
    if proposal is None:
        target = _Target.of(context, repository, branch=branch, new_branch=new_branch)
    else:
        target = _Target.of_proposal(context, repository, proposal)
    start = target.find_start()
    changes, pointers = _store_contents(context, actor, repository, edits, target.rules_at(start), action)
    for tries_left in range(MAX_TRIES - 1, -1, -1):
        start = target.find_start()
        if parent is not None and parent != start:
            raise PreconditionFailed(
                f"The branch is at {start or 'no commit'}, not at {parent[:40]}; look at what changed and try again.",
                code="parent_mismatch",
            )
        _require_expected(target.path, start, edits)
        whole = [*changes, *_attributes_change(target, start, changes, pointers)]
        commit = _build(context, actor, target.path, start, whole, message)
        if commit is None:
            assert start is not None
            return CommitResult(start, target.branch, is_new=False)
        change = RefChange(target.ref, ZERO_OID if target.is_new else start or ZERO_OID, commit)
        try:
            refs.receive(context, actor=actor, repository=repository, changes=[change], via=via, action=action)
        except Conflict as error:
            if error.code != "ref_changed" or target.is_new or not tries_left:
                raise
            continue
        return CommitResult(commit, target.branch, is_new=True)
    raise AssertionError("the loop returns or raises")


def build_proposal(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    message: str,
    edits: Sequence[FileEdit],
    branch: str = "",
    parent: str | None = None,
) -> str:
    """The id of a commit of all the edits, on a branch's tip or on ``parent`` in its history; no ref leads to it yet.

    It is for a pull request that is about to be opened, and takes the right to open one. It opens its own units of
    work. Raises as ``commit_files``; Invalid (``nothing_to_commit``) when the edits change nothing.
    """
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_PROPOSE, repository_id=repository_id)
    edits = _checked(edits)
    target = _Target.of(context, repository, branch=branch, new_branch="")
    start = target.find_start()
    if parent is not None and parent != start:
        # Not any commit: what nothing leads to any more is not brought back by a proposal.
        if start is None or not offload(held_by, target.path, start, [parent]):
            raise PreconditionFailed(f"The branch does not hold {parent[:40]}.", code="parent_mismatch")
        start = parent
    changes, pointers = _store_contents(
        context, actor, repository, edits, target.rules_at(start), Action.REPOSITORY_PROPOSE
    )
    _require_expected(target.path, start, edits)
    whole = [*changes, *_attributes_change(target, start, changes, pointers)]
    commit = _build(context, actor, target.path, start, whole, message)
    if commit is None:
        raise Invalid("These changes change nothing.", code="nothing_to_commit")
    return commit


@dataclass(frozen=True)
class _Target:
    """Where a commit goes. start_ref: the branch whose tip is its parent; None: it has none."""

    path: Path
    branch: str
    is_new: bool
    start_ref: str | None
    ref: str

    @classmethod
    def of_proposal(cls, context: Context, repository: Repository, number: int) -> _Target:
        ref = proposal_ref(number)
        return cls(repository_path(context.settings, repository), ref, False, ref, ref)

    @classmethod
    def of(cls, context: Context, repository: Repository, *, branch: str, new_branch: str) -> _Target:
        path = repository_path(context.settings, repository)
        start_ref: str | None = branch_ref(branch or repository.default_branch)
        short = branch_ref(new_branch or branch or repository.default_branch).removeprefix("refs/heads/")
        if not new_branch or short == (branch and branch_ref(branch).removeprefix("refs/heads/")):
            return cls(path, short, False, start_ref, f"refs/heads/{short}")
        if offload(find_revision, path, f"refs/heads/{short}") is not None:
            raise Conflict(f"There is a branch {short!r} already.", code="branch_exists")
        return cls(path, short, True, start_ref if branch else None, f"refs/heads/{short}")

    def find_start(self) -> str | None:
        """The commit to build on, as of now. None: the commit begins a history."""
        if self.start_ref is None:
            return None
        tip = offload(find_revision, self.path, self.start_ref)
        if tip is None and not offload(is_empty, self.path):
            raise NotFound(f"There is no branch {self.start_ref[11:91]!r}.", code="branch_not_found")
        return tip

    def attributes_at(self, start: str | None) -> bytes:
        """The content of ``.gitattributes`` at a commit; nothing where there is none."""
        return b"" if start is None else offload(_read_attributes, self.path, start)

    def rules_at(self, start: str | None) -> LFSRules:
        return LFSRules.parse(self.attributes_at(start))


def _read_attributes(path: Path, start: str) -> bytes:
    entry = find_entry(path, start, ATTRIBUTES_PATH)
    if entry is None or entry.kind is not EntryKind.FILE:
        return b""
    return read_blob(path, entry.oid, limit_bytes=MAX_FILE_BYTES).data


def _checked(edits: Sequence[FileEdit]) -> list[FileEdit]:
    if not edits:
        raise Invalid("A commit needs at least one file.", code="nothing_to_commit")
    if len(edits) > MAX_EDITS:
        raise Invalid(f"A commit takes at most {MAX_EDITS} files at once.", code="too_many_files")
    checked = [
        replace(edit, path=normalise_path(edit.path), source=normalise_path(edit.source) if edit.source else "")
        for edit in edits
    ]
    seen: set[str] = set()
    for edit in checked:
        if edit.action == "put" and edit.path in seen:
            raise Invalid(f"{edit.path!r} is written twice.", code="change_invalid")
        if edit.action == "put":
            seen.add(edit.path)
    return checked


def _store_contents(
    context: Context,
    actor: Actor,
    repository: Repository,
    edits: Sequence[FileEdit],
    rules: LFSRules,
    action: Action,
) -> tuple[list[FileChange], dict[str, LFSPointer]]:
    """The edits as Git knows them, with LFS content stored, and the pointers among them by path.

    action: by which right content is stored. Raises Unprocessable (``lfs_object_missing``).
    """
    given = next((edit for edit in edits if edit.action == "put" and edit.path == ATTRIBUTES_PATH), None)
    if given is not None and not given.blob_oid and _size_of(given.content) <= MAX_FILE_BYTES:
        rules = LFSRules.parse(given.content if isinstance(given.content, bytes) else given.content.read_bytes())
    changes: list[FileChange] = []
    pointers: dict[str, LFSPointer] = {}
    for edit in edits:
        if edit.action != "put":
            changes.append(FileChange(edit.action, edit.path, source_path=edit.source or None))
            continue
        if edit.blob_oid:
            changes.append(FileChange("put", edit.path, blob_oid=edit.blob_oid))
            continue
        pointer = _pointer_in(edit.content) or _store_large(context, actor, repository, edit, rules, action)
        if pointer is not None:
            pointers[edit.path] = pointer
            content = format_pointer(pointer.oid, pointer.size_bytes)
            changes.append(FileChange("put", edit.path, content=content))
        elif isinstance(edit.content, bytes):
            changes.append(FileChange("put", edit.path, content=edit.content))
        else:
            changes.append(FileChange("put", edit.path, source_file=edit.content))
    _require_held(context, actor, repository, pointers)
    return _pack(repository_path(context.settings, repository), changes), pointers


def _pack(path: Path, changes: list[FileChange]) -> list[FileChange]:
    """The changes, their contents written at once where they are many."""
    places = [
        place
        for place, change in enumerate(changes)
        if change.action == "put" and not change.blob_oid and change.path != ATTRIBUTES_PATH
    ]
    if len(places) < MIN_CONTENTS:
        return changes
    contents = [changes[place].source_file or changes[place].content or b"" for place in places]
    packed = list(changes)
    for place, oid in zip(places, pack_contents(path, contents), strict=True):
        packed[place] = FileChange("put", changes[place].path, blob_oid=oid)
    return packed


def _pointer_in(content: bytes | Path) -> LFSPointer | None:
    if _size_of(content) > MAX_POINTER_SIZE_BYTES:
        return None
    return parse_pointer(content if isinstance(content, bytes) else content.read_bytes())


def _store_large(
    context: Context, actor: Actor, repository: Repository, edit: FileEdit, rules: LFSRules, action: Action
) -> LFSPointer | None:
    """The pointer of a file that belongs into LFS, its content stored; None for a file that does not.

    An empty file has no pointer (git-lfs leaves it as it is), and git must be able to read ``.gitattributes``.
    """
    size_bytes = _size_of(edit.content)
    is_large = size_bytes > context.settings.max_blob_size_bytes or rules.matches(edit.path)
    if not is_large or size_bytes == 0 or edit.path.rpartition("/")[2] == ATTRIBUTES_PATH:
        return None
    oid = offload(_sha256_of, edit.content)
    lfs.receive_object(
        context,
        actor=actor,
        repository_id=repository.id,
        oid=oid,
        size_bytes=size_bytes,
        chunks=_chunks_of(edit.content),
        action=action,
    )
    return LFSPointer(oid, size_bytes)


def _size_of(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _chunks_of(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), CHUNK_BYTES):
            yield content[start : start + CHUNK_BYTES]
        return
    with content.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _sha256_of(content: bytes | Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks_of(content):
        digest.update(chunk)
    return digest.hexdigest()


def _require_held(context: Context, actor: Actor, repository: Repository, pointers: dict[str, LFSPointer]) -> None:
    # The checks of every push ask this, too; asked here, nothing has been written yet, and the paths are known.
    if not pointers:
        return
    with reading(context) as work:
        missing = {pointer.oid for pointer in missing_objects(work, repository.id, pointers.values(), actor=actor)}
    paths = sorted(path for path, pointer in pointers.items() if pointer.oid in missing)
    if paths:
        raise Unprocessable(
            f"{paths[0]!r} points to an LFS object that was not uploaded to this repository; upload it first.",
            code="lfs_object_missing",
            paths=paths[:100],
        )


def _require_expected(path: Path, start: str | None, edits: Iterable[FileEdit]) -> None:
    for edit in edits:
        if edit.expected_oid is None:
            continue
        entry = None if start is None else offload(find_entry, path, start, edit.source or edit.path)
        held = ("",) if entry is None else (entry.oid, entry.lfs.oid if entry.lfs else entry.oid)
        if edit.expected_oid not in held:
            raise Conflict(f"{edit.path!r} was changed meanwhile; look at it and try again.", code="file_changed")


def _attributes_change(
    target: _Target, start: str | None, changes: Sequence[FileChange], pointers: dict[str, LFSPointer]
) -> list[FileChange]:
    """What ``.gitattributes`` must learn, so that a clone replaces the new pointers by their content."""
    if not pointers:
        return []
    given = [change for change in changes if change.action == "put" and change.path == ATTRIBUTES_PATH]
    data = given[0].content or b"" if given else target.attributes_at(start)
    rules = LFSRules.parse(data)
    unknown = sorted(path for path in pointers if not rules.matches(path))
    if not unknown or (given and given[0].content is None):
        return []
    head = data if not data or data.endswith(b"\n") else data + b"\n"
    content = head + "".join(map(lfs_line, unknown)).encode()
    if len(content) > MAX_FILE_BYTES:  # no more of it than this is read
        raise TooLarge(
            f"{ATTRIBUTES_PATH} has no room for a line for each of {len(unknown)} LFS files; "
            f"write a pattern such as '*{Path(unknown[0]).suffix or unknown[0]}' into it first.",
            code="attributes_too_large",
        )
    return [FileChange("put", ATTRIBUTES_PATH, content=content)]


def _build(
    context: Context, actor: Actor, path: Path, start: str | None, changes: Sequence[FileChange], message: str
) -> str | None:
    """The id of a new commit; None when the changes change nothing."""
    signature = Signature(actor.name, actor.email, context.clock.now())
    try:
        return offload(
            build_commit,
            path,
            parent=start,
            changes=changes,
            author=signature,
            committer=signature,
            message=message,
        )
    except Invalid as error:
        if error.code == "nothing_to_commit" and start is not None:
            return None
        raise
