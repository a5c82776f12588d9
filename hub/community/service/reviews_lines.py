"""Lines of the files that a pull request changes, as conversations about them need them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.offload import offload
from hub.community.models import PullRequest
from hub.community.models_reviews import ReviewThread
from hub.community.service.pulls import find_head
from hub.git.changes import MAX_COMPARED_BYTES
from hub.git.history import merge_base
from hub.git.repository import find_revision
from hub.git.tree import find_entries, read_blob
from hub.git.types import SUBMODULE_MODE, decode_text
from hub.repos import derived
from hub.repos.differences import FilesPage, find_files
from hub.repos.lookup import repository_path
from hub.repos.models import Repository

OLD, NEW = "old", "new"
SIDES = (OLD, NEW)

MAX_PATH_CHARS = 4096
# A conversation is about so many lines at most, and keeps so much of them.
MAX_LINES = 500
_EXCERPT_LINES = 20
_EXCERPT_CHARS = 4000


@dataclass(frozen=True)
class Place:
    """Lines of a file, counted from 1, both included. side: "new": as the pull request has it; "old": before it."""

    path: str
    side: str
    start_line: int
    end_line: int


@dataclass(frozen=True)
class FoundLines:
    """Lines that are there. commit_id: whose lines they are."""

    place: Place
    commit_id: str
    excerpt: str


@dataclass(frozen=True)
class Ends:
    """The two commits whose difference a pull request shows. old: where it parted from its base; None: nowhere."""

    old: str | None
    new: str

    def of(self, side: str) -> str | None:
        return self.new if side == NEW else self.old


def find_ends(context: Context, repository: Repository, pull: PullRequest) -> Ends:
    """The two ends of a pull request as it is now. Raises Conflict (``branch_not_found``) when its ref is lost."""
    path = repository_path(context.settings, repository)
    head = require_head(context, repository, pull)
    base = pull.base_commit or offload(find_revision, path, pull.base_ref) or pull.opened_commit
    return Ends(offload(merge_base, path, base, head), head)


def require_head(context: Context, repository: Repository, pull: PullRequest) -> str:
    """The commit that a pull request proposes. Raises Conflict (``branch_not_found``)."""
    head = find_head(context, repository, pull)
    if head is None:
        raise Conflict("The pull request's own ref is no more.", code="branch_not_found")
    return head


def find_lines(
    context: Context, repository: Repository, pull: PullRequest, *, actor: Actor, head: str, places: Sequence[Place]
) -> list[FoundLines]:
    """The lines at some places of what a pull request changes, in their order.

    Raises NotFound (``entry_not_found``: the file is not among the changed ones), Invalid (``line_not_found``: there
    is no such line, or the file has no text), NotSignedIn or Denied (``gated_repository``).
    """
    path = repository_path(context.settings, repository)
    base = pull.base_commit or offload(find_revision, path, pull.base_ref) or pull.opened_commit
    for place in places:
        _check_place(place)
    paths = {place.path for place in places}
    page = find_files(context, repository, actor=actor, base=base, head=head, paths=paths)
    found = []
    for place in places:
        commit_id, oid = _find_side(page, place)
        excerpt = offload(_read_excerpt, path, oid, place)
        found.append(FoundLines(place, commit_id, excerpt))
    return found


def _check_place(place: Place) -> None:
    if place.side not in SIDES:
        raise Invalid("'side' must be old or new.", code="REQ-ERR-6", member="side")
    if not 1 <= place.start_line <= place.end_line < place.start_line + MAX_LINES:
        raise Invalid(
            f"'start_line' and 'end_line' name 1 to {MAX_LINES} lines, from the first to the last.",
            code="REQ-ERR-6",
            member="end_line",
        )


def _find_side(page: FilesPage, place: Place) -> tuple[str, str]:
    """The commit and the blob that hold a place's file."""
    for file in page.files:
        change, measure = file.change, file.measure
        if place.side == NEW:
            name, oid, mode, size = change.new_path, change.new_oid, change.new_mode, measure.new_size
            commit_id: str | None = page.new
        else:
            name, oid, mode, size = change.old_path, change.old_oid, change.old_mode, measure.old_size
            commit_id = page.old
        if name != place.path or mode == 0 or commit_id is None:
            continue
        if mode == SUBMODULE_MODE or size > MAX_COMPARED_BYTES:
            raise _no_line(place)
        return commit_id, oid
    raise NotFound(f"{place.path[:200]!r} is not among the changed files, on that side.", code="entry_not_found")


def split_lines(data: bytes) -> list[bytes]:
    """The lines of a file with their ends, as git counts them; the last one may have none."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def read_text_lines(path: Path, oid: str) -> list[bytes] | None:
    """The lines of a blob; None: it is no text, or too large. Raises NotFound (``entry_not_found``)."""
    blob = read_blob(path, oid, limit_bytes=MAX_COMPARED_BYTES)
    if blob.is_binary or blob.lfs is not None or not blob.is_whole:
        return None
    return split_lines(blob.data)


def _read_excerpt(path: Path, oid: str, place: Place) -> str:
    lines = read_text_lines(path, oid)
    if lines is None or place.end_line > len(lines):
        raise _no_line(place)
    wanted = lines[place.start_line - 1 : place.end_line][:_EXCERPT_LINES]
    text = decode_text(b"".join(line[: 4 * _EXCERPT_CHARS] for line in wanted)).replace("\0", "\ufffd")
    return text.rstrip("\r\n")[:_EXCERPT_CHARS]


def _no_line(place: Place) -> Invalid:
    return Invalid(
        f"{place.path[:200]!r} has no lines {place.start_line} to {place.end_line} to speak about.",
        code="line_not_found",
    )


def find_outdated(
    context: Context, repository: Repository, pull: PullRequest, threads: Sequence[ReviewThread]
) -> set[int]:
    """The ids of those conversations whose file is another one by now than it was when they began.

    Judged by the ids of blobs, which are kept by commit: a page asks Git only after a push.
    """
    if not threads:
        return set()
    try:
        ends = find_ends(context, repository, pull)
    except (Conflict, NotFound):
        return {thread.id for thread in threads}
    wanted: dict[str, set[str]] = {}
    for thread in threads:
        for commit_id in (thread.commit_id, ends.of(thread.side)):
            if commit_id is not None:
                wanted.setdefault(commit_id, set()).add(thread.path)
    blobs = {commit_id: _blobs_at(context, repository, commit_id, paths) for commit_id, paths in wanted.items()}
    outdated = set()
    for thread in threads:
        now_at = ends.of(thread.side)
        was = blobs[thread.commit_id].get(thread.path)
        if was is None or now_at is None or blobs[now_at].get(thread.path) != was:
            outdated.add(thread.id)
    return outdated


def _blobs_at(context: Context, repository: Repository, commit_id: str, paths: Collection[str]) -> Mapping[str, str]:
    names = sorted(paths)
    key = ("blob_ids", repository.uuid, commit_id, *names)
    kept: dict[str, str] | None = derived.find(context, *key)
    if kept is None:
        try:
            _, entries = offload(find_entries, repository_path(context.settings, repository), commit_id, names)
        except NotFound:  # a force-push has left that commit behind
            return {}
        kept = {name: entry.oid for name, entry in zip(names, entries, strict=True) if entry is not None}
        derived.keep(context, *key, answer=kept)
    return kept
