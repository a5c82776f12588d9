"""Commits of one repository brought into another one of this disk. It runs the git program."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pygit2

from hub.base.errors import TooLarge, Unavailable
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.git.command import GitError, open_git, terminate
from hub.git.incoming import check_connectivity
from hub.git.reader import open_repository
from hub.git.types import decode_text

log = get_logger(__name__)

# Where the two parted so long ago, everything is sent.
_MAX_LOOKED_AT = 50_000
_INDEX_TIMEOUT_S = 1800.0


def copy_history(source: Path, target: Path, tip: str, *, max_bytes: int) -> None:
    """Give ``target`` what a commit of ``source`` (a full id) leads to, as far as it lacks it; no ref moves.

    They are checked as a push's objects are. Nothing leads to them before a ref does; without one they go again.
    Raises TooLarge (``push_too_large``: the pack would have over ``max_bytes``), Unavailable (``git_timeout``),
    GitError.
    """
    if offload(_has, target, tip) and check_connectivity(target, [tip]):
        return
    common = offload(_common, source, target, tip)
    _send(source, target, [tip, *(f"^{oid}" for oid in common)], max_bytes)
    # What the target had it may only have had in part, of a push that never came to be.
    if common and not check_connectivity(target, [tip]):
        _send(source, target, [tip], max_bytes)


def _has(path: Path, oid: str) -> bool:
    with open_repository(path) as repository:
        return pygit2.Oid(hex=oid) in repository


def _common(source: Path, target: Path, tip: str) -> list[str]:
    """The youngest commits behind the tip that the target has."""
    found: list[str] = []
    with open_repository(source) as ours, open_repository(target) as theirs:
        seen = {pygit2.Oid(hex=tip)}
        waiting = [*seen]
        while waiting and len(seen) < _MAX_LOOKED_AT:
            oid = waiting.pop()
            if oid in theirs:
                found.append(str(oid))
                continue
            for parent in ours[oid].peel(pygit2.Commit).parent_ids:
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
    return found


def _send(source: Path, target: Path, revisions: list[str], max_bytes: int) -> None:
    with ExitStack() as stack:
        given = stack.enter_context(tempfile.TemporaryFile())
        errors = stack.enter_context(tempfile.TemporaryFile())
        pack = stack.enter_context(tempfile.TemporaryFile(dir=target))
        given.write("\n".join([*revisions, ""]).encode())
        given.seek(0)
        packing = open_git(
            source,
            *("pack-objects", "--revs", "--thin", "--stdout", "-q", "--delta-base-offset"),
            stdin=given,
            stdout=pack,
            stderr=errors,
        )
        stack.callback(terminate, packing)
        try:
            code = packing.wait(timeout=_INDEX_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Unavailable("Git took too long to answer; try again later.", code="git_timeout") from None
        if code != 0:
            errors.seek(0)
            raise GitError("Git could not pack the commits.", returncode=code, stderr=decode_text(errors.read(2000)))
        size_bytes = os.fstat(pack.fileno()).st_size
        if size_bytes > max_bytes:
            raise TooLarge("These commits are more than one push may bring.", code="push_too_large")
        pack.seek(0)
        indexing = open_git(
            target,
            *("index-pack", "--stdin", "--fix-thin", "--strict"),
            stdin=pack,
            stderr=errors,
        )
        stack.callback(terminate, indexing)
        _, _ = indexing.communicate(timeout=_INDEX_TIMEOUT_S)
        if indexing.returncode != 0:
            errors.seek(0)
            raise GitError(
                "Git could not take the commits in.",
                returncode=indexing.returncode,
                stderr=decode_text(errors.read(2000)),
            )
        log.info("history_copied", repository=target.name, size_bytes=size_bytes)
