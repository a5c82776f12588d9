"""Differences between texts that are no files of a repository."""

from __future__ import annotations

import pygit2

from hub.git.diff import describe_hunks
from hub.git.types import DiffHunk, decode_text


def diff_texts(old: str, new: str, *, path: str = "text") -> str:
    """What changes one text into the other, as `git diff` prints it; empty when nothing does."""
    if old == new:
        return ""
    # libgit2 does not copy them: they must live as long as the patch.
    before, after = old.encode(), new.encode()
    patch = pygit2.Patch.create_from(before, after, old_as_path=path, new_as_path=path)
    return decode_text(patch.data)


def compare_texts(old: str, new: str, *, most_lines: int) -> tuple[list[DiffHunk], bool]:
    """The changed lines of two texts with those around them, and whether there are more than ``most_lines``."""
    before, after = old.encode(), new.encode()
    return describe_hunks(pygit2.Patch.create_from(before, after), most_lines)
