"""Who wrote each line of a file, as a page shows it: successive lines of one commit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext
from markupsafe import Markup

from hub.base.errors import Invalid, TooLarge
from hub.base.paging import PageArgs
from hub.git.history import MAX_BLAME_BYTES
from hub.git.types import BlameHunk, Commit, EntryKind
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import comparison, contents
from hub.web.highlight import highlight_blob
from hub.web.places import Place
from hub.web.repository import RepositoryPage


@dataclass(frozen=True)
class Line:
    """A line of the file. number: from 1."""

    number: int
    words: Markup


@dataclass(frozen=True)
class BlockView:
    """Successive lines that one commit brought.

    heat: how young it is among the file's commits, from 0 to 1. before: the commit from which on the lines were
    other ones, where there is one, and before_path: the file's name then.
    """

    commit: Commit
    heat: float
    lines: Sequence[Line]
    before: str
    before_path: str


@dataclass(frozen=True)
class BlameView:
    """A page of lines. reason: why there are none."""

    blocks: Sequence[BlockView]
    page: PageArgs
    total: int
    reason: str = ""


def open_blame(repo: RepositoryPage, place: Place, page: PageArgs) -> BlameView:
    """The page of lines of the file at a place, which must be there.

    Raises NotFound; NotSignedIn or Denied (``gated_repository``).
    """
    entry = place.entry
    assert entry is not None
    if entry.kind is not EntryKind.FILE:
        return BlameView([], page, 0, gettext("This is no file, so no line of it was written by anybody."))
    if entry.lfs is not None:
        return BlameView([], page, 0, gettext("The content lies in LFS: Git knows nothing of its lines."))
    context, actor = current_context(), current_actor()
    read = contents.read_file(
        context, repo.shown, actor=actor, path=place.path, revision=place.commit_id, limit_bytes=MAX_BLAME_BYTES
    )
    if read.blob.is_binary:
        return BlameView([], page, 0, gettext("This is a binary file, which has no lines."))
    if not read.blob.is_whole:
        return BlameView([], page, 0, gettext("The file is too large to say who wrote each line."))
    lines = highlight_blob(context, entry.oid, read.blob.data.decode("utf-8", "replace"), path=place.path)
    try:
        hunks = comparison.blame_file(
            context,
            repo.shown,
            actor=actor,
            path=place.path,
            revision=place.commit_id,
            first_line=page.offset + 1,
            last_line=page.offset + page.per,
        )
    except (TooLarge, Invalid) as error:
        return BlameView([], page, 0, str(error))
    return BlameView(_blocks(hunks, lines), page, len(lines))


def _blocks(hunks: Sequence[BlameHunk], lines: Sequence[Markup]) -> list[BlockView]:
    times = [hunk.commit.author.when.timestamp() for hunk in hunks]
    oldest, span = min(times, default=0.0), max(times, default=0.0) - min(times, default=0.0)
    blocks = []
    for hunk, when in zip(hunks, times, strict=True):
        numbers = range(hunk.first_line, min(hunk.first_line + hunk.line_count, len(lines) + 1))
        blocks.append(
            BlockView(
                commit=hunk.commit,
                heat=round((when - oldest) / span, 2) if span else 1.0,
                lines=[Line(number, lines[number - 1]) for number in numbers],
                before=next(iter(hunk.commit.parent_ids), ""),
                before_path=hunk.original_path,
            )
        )
    return [block for block in blocks if block.lines]
