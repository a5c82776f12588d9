"""Where the local driver keeps things below the home, and how its socket is reached."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.base.settings import Settings
from hub.compute.local.waiting import LOCK, SOCKET, STATE


@dataclass(frozen=True)
class Places:
    """All paths, from one directory: ``HOME/compute``. Nobody but the hub's own user may look into it."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """Those of a hub."""
        return cls(settings.home / "compute")

    def make(self) -> None:
        """Make the directories that all workloads share."""
        for path in (self.root, self.root / "workloads", self.root / "logs", self.root / "trash"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)

    @property
    def state(self) -> Path:
        """The supervisor's memory."""
        return self.root / STATE

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.root / LOCK

    def control(self, svc_name: str, number: int) -> Path:
        """The directory of an instance's keeper: its record, lock and streams."""
        return self.root / "workloads" / svc_name / str(number)

    def work(self, svc_name: str, number: int) -> Path:
        """The directory that an instance runs in, and may write in."""
        return self.control(svc_name, number) / "work"

    def log(self, svc_name: str, task_id: int, number: int) -> Path:
        """The log of one instance of one start; rotated ones have ``.1`` and so on behind it."""
        return self.root / "logs" / svc_name / f"{task_id}.{number}.log"

    def throw_away(self, svc_name: str, unique: int) -> None:
        """Move a workload's directories out of the way at once; ``empty_trash`` deletes them."""
        for kind in ("workloads", "logs"):
            source = self.root / kind / svc_name
            if source.exists():
                os.rename(source, self.root / "trash" / f"{kind}-{svc_name}-{unique}")

    def empty_trash(self) -> None:
        """Delete what was thrown away; a directory that its program has locked is opened first."""
        for path in (self.root / "trash").iterdir():
            shutil.rmtree(path, onerror=_unlock)


def _unlock(function: object, path: str, _info: object) -> None:
    for each in (os.path.dirname(path), path):
        if os.path.isdir(each) and not os.path.islink(each):
            os.chmod(each, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


@contextmanager
def socket_address(root: Path) -> Iterator[str]:
    """The address of the supervisor's socket, short whatever the path of the home: the kernel's limit is 107 bytes."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{SOCKET}"
    finally:
        os.close(directory)


def peer_of(connection: socket.socket) -> int:
    """The user id of the process at the other end of a Unix socket."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], "little")
