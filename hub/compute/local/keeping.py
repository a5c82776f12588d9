"""The supervisor's side of a keeper: starting one, finding one that an earlier supervisor has started, telling it."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hub
from hub.compute.local.processes import (
    KEEPER_BUSY,
    KEEPER_LOCK,
    KEEPER_RECORD,
    Process,
    boot_id,
    family,
    is_alive,
    send_signal,
)


@dataclass(frozen=True)
class Record:
    """What a keeper has written. has_ended: then exit_code is the process's, None when nobody knows."""

    launch: int
    task_id: int
    boot: str
    pid: int
    ticks: int
    keeper_pid: int
    keeper_ticks: int
    started_at: float
    has_ended: bool = False
    exit_code: int | None = None
    ended_at: float = 0.0
    error: str = ""
    message: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether its keeper is alive."""
        return self.boot == boot_id() and is_alive(self.keeper_pid, self.keeper_ticks)

    @property
    def is_running(self) -> bool:
        """Whether its process is alive, kept or not."""
        return self.boot == boot_id() and is_alive(self.pid, self.ticks)

    def members(self, processes: Iterable[Process]) -> list[Process]:
        """The process and all that it has started, of those that run now."""
        # The number of a keeper that has gone may be another's by now.
        return family(processes, roots=[self.keeper_pid] if self.is_kept else [], sessions={self.pid: self.ticks})


def read_record(directory: Path) -> Record | None:
    """What the last keeper there has written; None when there was none."""
    try:
        facts = json.loads((directory / KEEPER_RECORD).read_text())
        return Record(has_ended="ended_at" in facts, **facts)
    except (OSError, ValueError, TypeError):
        return None


def is_locked(directory: Path) -> bool:
    """Whether a keeper is at work there, even if it has not written anything yet."""
    try:
        descriptor = os.open(directory / KEEPER_LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Keeping:
    """One living keeper. ``ended`` is called when it has gone."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        directory: Path,
        *,
        pid: int,
        ended: Callable[[], None],
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self._selector = selector
        self._directory = directory
        self._process = process
        self._ended = ended
        self._record: Record | None = None
        self._watch = os.pidfd_open(pid)
        selector.register(self._watch, selectors.EVENT_READ, self._has_gone)
        self.was_busy = False

    def find_record(self, launch: int) -> Record | None:
        """The record of this launch; None as long as the keeper has not written one."""
        if self._record is None:
            found = read_record(self._directory)
            if found is not None and found.launch == launch:
                self._record = found
        return self._record

    def tell(self, number: signal.Signals) -> None:
        """Send the keeper a signal: SIGTERM to end its process, SIGUSR1 to do so at once."""
        try:
            signal.pidfd_send_signal(self._watch, number)
        except OSError:
            return

    def let_go(self) -> None:
        """Watch it no more; it goes on."""
        self._selector.unregister(self._watch)
        os.close(self._watch)

    def _has_gone(self) -> None:
        self.let_go()
        if self._process is not None:
            self.was_busy = self._process.wait() == KEEPER_BUSY
        self._ended()


def launch_keeper(
    selector: selectors.BaseSelector, directory: Path, orders: Mapping[str, Any], *, ended: Callable[[], None]
) -> Keeping:
    """Start a keeper. Raises OSError when that is not possible."""
    code = "from hub.compute.local.keeper import main; main()"
    # The name is for people who look at the list of processes.
    command = [sys.executable, "-S", "-P", "-c", code, str(orders["name"])]
    environment = {"PYTHONPATH": str(Path(hub.__file__).parent.parent), "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
    # In memory: they hold the secrets, which are on no disk.
    paper = os.memfd_create("orders")
    try:
        with open(paper, "wb", closefd=False) as file:
            file.write(json.dumps({**orders, "directory": str(directory)}).encode())
        os.lseek(paper, 0, os.SEEK_SET)
        with (directory / "keeper.err").open("wb") as errors:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=paper,
                stdout=errors,
                stderr=errors,
                cwd="/",
                # Of a session of its own: what is sent to the supervisor's group does not reach it.
                start_new_session=True,
            )
    finally:
        os.close(paper)
    return Keeping(selector, directory, pid=process.pid, ended=ended, process=process)


def attach_keeper(
    selector: selectors.BaseSelector, directory: Path, record: Record, *, ended: Callable[[], None]
) -> Keeping | None:
    """Watch the keeper of a record; None when it has just gone."""
    try:
        found = Keeping(selector, directory, pid=record.keeper_pid, ended=ended)
    except OSError:
        return None
    if not record.is_kept:
        found.let_go()
        return None
    return found


def end_leftovers(record: Record, processes: Iterable[Process]) -> None:
    """SIGKILL to what runs of a process whose keeper has gone."""
    if record.boot == boot_id():
        for process in record.members(processes):
            send_signal(process, signal.SIGKILL)
