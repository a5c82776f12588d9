"""Writing files that are whole or absent, whatever happens: staging, syncing, renaming."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hub.base.errors import Unavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def explain_disk_errors() -> Iterator[None]:
    """Turn the system's refusals into errors that a client can be told.

    Raises Unavailable: ``disk_full``, or ``storage_unavailable`` for whatever else the disk says. A file that is not
    there stays FileNotFoundError: its meaning is the caller's to know.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable("The hub's storage is full; nothing was stored.", code="disk_full") from error
        raise Unavailable("The hub's storage does not answer.", code="storage_unavailable") from error


def sync_directory(path: Path) -> None:
    """Make the directory's entries durable: those that were added, renamed or removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path) -> None:
    """Make a directory and its parents, each one durable."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
    sync_directory(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte at the file's position."""
    written = os.write(descriptor, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(data):
        written += os.write(descriptor, view[written:])


def write_all_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write every byte at this offset, whatever the file's position."""
    view = memoryview(data)
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, view[written:], offset + written)


def publish_file(staged: Path, target: Path) -> None:
    """Give a synced file its final name, durably; a file already there is replaced."""
    while True:
        make_directories(target.parent)
        # A sweep may take the empty directory away before the file is in it.
        with suppress(FileNotFoundError):
            staged.rename(target)
            break
        staged.stat()
    sync_directory(target.parent)


def existing_ancestor(path: Path) -> Path:
    """The path itself, or the nearest of its parents that is there."""
    while not path.exists():
        path = path.parent
    return path
