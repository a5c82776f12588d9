"""Repositories as directories: made beside their place and renamed into it, removed by renaming away first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.base.errors import Unavailable
from hub.base.offload import offload
from hub.objects.disk import sync_directory

_DRAFT_SUFFIX = ".new"
_LOCK_SUFFIX = ".lock"
_GONE_SUFFIX = ".gone"


def draft_path(final: Path) -> Path:
    """Where a repository lies while it is being made: beside its final place, so that a rename can move it."""
    return final.with_name(final.name + _DRAFT_SUFFIX)


@contextmanager
def building(final: Path) -> Iterator[Path]:
    """A place to make a repository in; what lies there in the end is synced to disk and renamed into ``final``.

    While the block runs its process holds a lock, which falls with the process: see ``is_being_built``. When the
    block raises nothing remains. Raises Unavailable when another process is building the same repository.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_path(final)
    with _locked(final) as is_mine:
        if not is_mine:
            raise Unavailable("This repository is being made by another process; try again.")
        offload(_remove_tree, draft)
        try:
            yield draft
            offload(_sync_tree, draft)
            os.rename(draft, final)
            sync_directory(final.parent)
        except BaseException:
            offload(_remove_tree, draft)
            raise


def is_being_built(final: Path) -> bool:
    """Whether some living process is inside ``building`` for this place."""
    if not _lock_path(final).exists():
        return False
    with _locked(final) as is_mine:
        return not is_mine


def remove(final: Path) -> None:
    """Remove a repository's directory and whatever its making left beside it. May be repeated.

    The directory is renamed first: a reader finds all of it or nothing.
    """
    gone = final.with_name(final.name + _GONE_SUFFIX)
    offload(_remove_tree, gone)
    if final.exists():
        os.rename(final, gone)
    for path in (gone, draft_path(final)):
        offload(_remove_tree, path)
    _lock_path(final).unlink(missing_ok=True)


def uuids_on_disk(repositories_path: Path) -> Iterator[tuple[str, str]]:
    """(storage, uuid) of everything that lies where repositories lie, unfinished and half-removed ones too."""
    seen: set[tuple[str, str]] = set()
    for path in repositories_path.glob("*/??/??/*.git*"):
        found = (path.relative_to(repositories_path).parts[0], path.name.partition(".git")[0])
        if found not in seen:
            seen.add(found)
            yield found


def age_s(final: Path, *, now: float) -> float:
    """Seconds since anything of this repository was renamed or made: the youngest of its pieces counts.

    now: of the machine's clock, because the disk's times are of it, too.
    """
    times = [path.lstat().st_mtime for path in final.parent.glob(final.name + "*")]
    return now - max(times, default=now)


def _lock_path(final: Path) -> Path:
    return final.with_name(final.name + _LOCK_SUFFIX)


@contextmanager
def _locked(final: Path) -> Iterator[bool]:
    path = _lock_path(final)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _sync_tree(path: Path) -> None:
    for folder, _, names in os.walk(path):
        for name in names:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(folder))


def _remove_tree(path: Path) -> None:
    # Another process may be removing the same tree; what it took first is no fault.
    shutil.rmtree(path, ignore_errors=True)
