"""The files that differ between two commits, a page at a time, and the lines of those that are looked at.

The list is made once and kept by the two commits; so the first page costs the comparison of two trees, the others
nothing. No diff is ever given whole: what is large is ``collapsed`` until it is asked for by its path.
For repositories that ``lookup.get_readable`` gave.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.git.changes import Change, ChangedLines, Measure, find_changes, measure_files, read_lines
from hub.git.history import merge_base
from hub.git.repository import get_commit, resolve_revision
from hub.git.types import DiffStatus
from hub.repos import derived
from hub.repos.gates import check_content
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

# Source of the three: web-ui.md, section 7.5.
MAX_OPEN_LINES = 1000
MAX_OPEN_BYTES = 200 * 1024
MAX_LINES = 20_000
FILES_PER_PAGE = 100

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".avif", ".ico", ".svg"})


@dataclass(frozen=True)
class ChangedFile:
    """A changed file as pages show it.

    collapsed: why its lines are given only when it is asked for by its path: "lines", "size"; or why it has none at
    all: "binary", "lfs", "too_large"; "" for any other. lines: None: they were not asked for, or are left out.
    """

    change: Change
    measure: Measure
    collapsed: str
    is_image: bool
    lines: ChangedLines | None = None


@dataclass(frozen=True)
class Asked:
    """What is wanted of a diff. path: one file, whose lines come with it; hunks: those of a page's files, too.

    max_lines: of how many lines at most; None: ``MAX_LINES``; the file at which they end has the beginning of its own.
    """

    page: PageArgs
    path: str = ""
    hunks: bool = False
    ignore_whitespace: bool = False
    max_lines: int | None = None


@dataclass(frozen=True)
class FilesPage:
    """Some of the files that differ. old: the commit that is compared with; None: nothing. total: of all files.

    additions, deletions: of all of them; None: they are too many to count. is_truncated: not all can be listed.
    """

    files: Sequence[ChangedFile]
    old: str | None
    new: str
    total: int
    additions: int | None
    deletions: int | None
    is_truncated: bool


def list_commit_files(context: Context, repository: Shown, revision: str, *, actor: Actor, asked: Asked) -> FilesPage:
    """What a commit changed against its first parent.

    Raises NotFound (``revision_not_found``, ``entry_not_found``); NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    commit = offload(get_commit, repository_path(context.settings, repository), revision or repository.default_branch)
    return list_files(context, repository, old=next(iter(commit.parent_ids), None), new=commit.id, asked=asked)


def list_compared_files(
    context: Context, repository: Shown, *, actor: Actor, base: str, head: str, asked: Asked
) -> FilesPage:
    """What ``head`` changed since it parted from ``base``: all that it holds, where the two share no history.

    Raises as ``list_commit_files``.
    """
    check_content(context, actor, repository)
    old, new = _find_ends(context, repository, base, head)
    return list_files(context, repository, old=old, new=new, asked=asked)


def find_files(
    context: Context, repository: Shown, *, actor: Actor, base: str, head: str, paths: Collection[str]
) -> FilesPage:
    """Those of ``list_compared_files`` that have, or had, one of these paths; without their lines. Raises as that."""
    check_content(context, actor, repository)
    old, new = _find_ends(context, repository, base, head)
    path = repository_path(context.settings, repository)
    kept = _find(context, repository, path, old, new, False)
    rows = [row for row in kept["files"] if row[1] in paths or row[2] in paths]
    changes = [Change(DiffStatus(status), *rest) for status, *rest in rows]
    measures = offload(measure_files, path, changes)
    files = [_describe(change, measure) for change, measure in zip(changes, measures, strict=True)]
    return FilesPage(files, old, new, len(files), None, None, is_truncated=kept["total"] > len(kept["files"]))


def _find_ends(context: Context, repository: Shown, base: str, head: str) -> tuple[str | None, str]:
    """The commit where ``head`` parted from ``base``, and ``head`` itself."""
    path = repository_path(context.settings, repository)

    def find() -> tuple[str | None, str]:
        one, other = (resolve_revision(path, name or repository.default_branch) for name in (base, head))
        return merge_base(path, one, other), other

    return offload(find)


def list_files(context: Context, repository: Shown, *, old: str | None, new: str, asked: Asked) -> FilesPage:
    """A page of what leads from one commit to another, by full ids; the right to the content was judged."""
    path = repository_path(context.settings, repository)
    kept = _find(context, repository, path, old, new, asked.ignore_whitespace)
    if asked.path:
        rows = [row for row in kept["files"] if asked.path in row[1:3]]
        if not rows:
            raise NotFound(f"{asked.path[:200]!r} is not among the changed files.", code="entry_not_found")
    else:
        rows = kept["files"][asked.page.offset : asked.page.offset + asked.page.per]
    wanted = [Change(DiffStatus(status), *rest) for status, *rest in rows]

    def describe() -> list[ChangedFile]:
        measures = measure_files(path, wanted, ignore_whitespace=asked.ignore_whitespace)
        files = [_describe(change, measure) for change, measure in zip(wanted, measures, strict=True)]
        shown = files if asked.path else [file for file in files if asked.hunks and not file.collapsed]
        lines: Mapping[str, ChangedLines] = {}
        most = MAX_LINES if asked.max_lines is None else asked.max_lines
        if shown:
            changes = [file.change for file in shown]
            lines = read_lines(path, changes, ignore_whitespace=asked.ignore_whitespace, max_lines=most)
        return [replace(file, lines=lines.get(file.change.path)) for file in files]

    return FilesPage(
        files=offload(describe),
        old=old,
        new=new,
        total=kept["total"],
        additions=kept["additions"],
        deletions=kept["deletions"],
        is_truncated=kept["total"] > len(kept["files"]),
    )


def list_changes(
    context: Context, repository: Shown, *, old: str | None, new: str, ignore_whitespace: bool = False
) -> list[Change]:
    """All files that ``list_files`` has pages of, in their order, without a look at what is in them."""
    kept = _find(context, repository, repository_path(context.settings, repository), old, new, ignore_whitespace)
    return [Change(DiffStatus(status), *rest) for status, *rest in kept["files"]]


def _describe(change: Change, measure: Measure) -> ChangedFile:
    is_image = Path(change.path).suffix.lower() in _IMAGES
    return ChangedFile(change, measure, _why_collapsed(measure), is_image)


def _why_collapsed(measure: Measure) -> str:
    if measure.old_lfs or measure.new_lfs:
        return "lfs"
    if measure.is_binary:
        return "binary"
    if measure.additions is None or measure.deletions is None:
        return "too_large"
    if measure.additions + measure.deletions > MAX_OPEN_LINES:
        return "lines"
    return "size" if max(measure.old_size, measure.new_size) > MAX_OPEN_BYTES else ""


def _find(
    context: Context, repository: Shown, path: Path, old: str | None, new: str, ignore_whitespace: bool
) -> dict[str, Any]:
    """``Changes`` as they are kept, each file as the list of its members."""
    key = ("changes", repository.uuid, old or "", new, str(ignore_whitespace))
    kept: dict[str, Any] | None = derived.find(context, *key)
    if kept is None:
        kept = offload(_work_out, path, old, new, ignore_whitespace)
        derived.keep(context, *key, answer=kept)
    return kept


def _work_out(path: Path, old: str | None, new: str, ignore_whitespace: bool) -> dict[str, Any]:
    changes = find_changes(path, old, new, ignore_whitespace=ignore_whitespace)
    return {
        "files": [
            [
                change.status.value,
                change.old_path,
                change.new_path,
                change.old_oid,
                change.new_oid,
                change.old_mode,
                change.new_mode,
                change.similarity,
            ]
            for change in changes.files
        ],
        "total": changes.total,
        "additions": changes.additions,
        "deletions": changes.deletions,
    }
