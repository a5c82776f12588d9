"""The seam: the hub's object store, room on its own disk for what is coming in, and threads for slow native work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from hub.base.context import Context
from hub.base.offload import begin, offload
from hub.objects.disk import explain_disk_errors, write_all
from hub.objects.store import STAGING, STORE, ObjectInfo, ObjectStore
from hub.objects.stream import Verifier, take_in
from hub.repos.quotas import check_object_room, check_quota
from hub.repos.uploads import folder as incoming_folder

__all__ = [
    "STAGING",
    "ObjectInfo",
    "ObjectStore",
    "begin",
    "check_object_room",
    "check_quota",
    "get_store",
    "incoming_folder",
    "offload",
    "receive_file",
]


def get_store(context: Context) -> ObjectStore:
    """The store in which the hub keeps large contents; a plugin's keys begin with words of its own."""
    return context[STORE]


def receive_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Write chunks to a new file while the next ones are received. It is not synced: a crash may lose it.

    Raises Unavailable (``disk_full``, ``storage_unavailable``), and whatever the chunks raise.
    """

    def write(chunk: bytes, _offset: int) -> None:
        with explain_disk_errors():
            write_all(descriptor, chunk)

    with explain_disk_errors():
        descriptor = offload(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        take_in(chunks, Verifier(), write)
    finally:
        os.close(descriptor)
