"""A keeper: the parent of one process that runs for somebody. It reads what that prints, and notes how it ended.

It outlives the supervisor, and knows nothing but what it was told when it began: a JSON text on its standard input
(``Orders``). It tells by files in its directory alone: ``record.json`` says which process it is and, in the end, how
that ended. SIGTERM: end it, and all that it started, in order; SIGUSR1: at once.

Each stream is a FIFO that the process has open for reading, too: when the keeper dies, the process does not hear of it,
what it prints waits, and the next keeper (``adopt``) reads on. Standard library only, and little of it: there is one
keeper for each process.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time

from hub.compute.local.logwriter import LogWriter
from hub.compute.local.processes import (
    KEEPER_BUSY,
    KEEPER_LOCK,
    KEEPER_RECORD,
    boot_id,
    family,
    find_process,
    list_processes,
    send_signal,
)

TYPE_CHECKING = False  # see ``processes``
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hub.compute.local.processes import Process

STREAMS = ("stdout", "stderr")
_PR_SET_NO_NEW_PRIVS, _PR_SET_CHILD_SUBREAPER = 38, 36
_READ_BYTES = 64 * 1024
# What the process left behind has this long once it has ended itself.
_LEFTOVER_S = 2.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def write_record(directory: str, record: dict[str, Any]) -> None:
    """Put the record in place of the last one: whole or not at all."""
    draft = os.path.join(directory, f"{KEEPER_RECORD}.new")
    with open(draft, "w") as file:
        json.dump(record, file)
    os.replace(draft, os.path.join(directory, KEEPER_RECORD))


class Keeper:
    """One process and its streams, from its start to the end of the last that it started."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self._directory: str = orders["directory"]
        self._log = LogWriter(orders["log"], orders["secrets"])
        self._grace_s: float = orders["grace_s"]
        self._wrapped: bool = orders["wrapped"]
        self._poll = select.poll()
        self._fifos: dict[int, str] = {}
        self._wakeup = -1
        self._main = 0
        self._main_watch = -1
        self._main_ended = False
        self._exit_code: int | None = None
        self._kill_at: float | None = None
        self._record: dict[str, Any] = {}

    def run(self) -> None:
        """Start the process, or take over one that runs, and stay to its end."""
        self._listen()
        adopted = self._orders["adopt"]
        self._open_fifos(fresh=adopted is None)
        if adopted is None:
            error = self._start()
            if error:
                self._say(error["message"])
                self._finish(error)
                return
        else:
            self._take_over(adopted)
        while not self._is_over():
            self._turn()
        self._finish({})

    def _listen(self) -> None:
        self._wakeup, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        self._poll.register(self._wakeup, select.POLLIN)

    def _open_fifos(self, *, fresh: bool) -> None:
        for stream in STREAMS:
            path = os.path.join(self._directory, stream)
            if fresh:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            if not os.path.exists(path):
                os.mkfifo(path, 0o600)
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._fifos[descriptor] = stream
            self._poll.register(descriptor, select.POLLIN)

    # The beginning

    def _start(self) -> dict[str, Any]:
        """Start the process; what went wrong, when it could not be."""
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        gate_read, gate_write = os.pipe2(os.O_CLOEXEC)
        fault_read, fault_write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                self._become(gate_read, gate_write)
            except OSError as error:
                os.write(fault_write, f"{error.errno}:{error.filename or ''}:{error.strerror}".encode()[:4000])
            except Exception as error:
                os.write(fault_write, f"0::{error!r}".encode()[:4000])
            finally:
                os._exit(127)
        os.close(gate_read)
        os.close(fault_write)
        self._main = pid
        found = find_process(pid)
        # It is written down before the process does anything: whatever dies now, nobody runs unknown.
        self._note(pid, found.ticks if found else 0)
        os.write(gate_write, b"1")
        os.close(gate_write)
        with open(fault_read, "rb") as pipe:
            fault = pipe.read().decode(errors="replace")
        if not fault:
            self._say(f"started as process {pid}")
            return {}
        os.waitpid(pid, 0)
        number, _, what = fault.partition(":")
        is_missing = int(number) in (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC)
        program = os.path.basename(self._orders["argv"][0])
        return {
            "error": "command_not_found" if is_missing else "start_failed",
            "message": f"{program} cannot be started: {what.rpartition(':')[2]}",
        }

    def _become(self, gate_read: int, gate_write: int) -> None:
        """In the child: be what was ordered. Returns only by raising."""
        orders = self._orders
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        for place, stream in enumerate(STREAMS, 1):
            descriptor = os.open(os.path.join(self._directory, stream), os.O_RDWR)
            os.dup2(descriptor, place, inheritable=True)
            os.close(descriptor)
        os.close(gate_write)
        if not os.read(gate_read, 1):
            os._exit(127)  # the keeper has died before it was written down
        os.umask(0o077)
        os.chdir(orders["cwd"])
        for name, value in orders["limits"].items():
            number = getattr(resource, name)
            hard = resource.getrlimit(number)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (bound, bound))
        os.nice(orders["nice"])
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(orders["oom_score_adj"]))
        if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        argv = [argument.encode() for argument in orders["argv"]]
        if orders["options"]:
            # By a descriptor: what is in a command line, everybody on the machine can read.
            options = os.memfd_create("options", 0)
            os.write(options, b"".join(option.encode() + b"\0" for option in orders["options"]))
            os.lseek(options, 0, os.SEEK_SET)
            argv = [argv[0], b"--args", str(options).encode(), *argv[1:]]
        environment = {name.encode(): value.encode() for name, value in orders["environment"].items()}
        os.execve(orders["program"].encode(), argv, environment)  # noqa: S606 - no shell, as intended

    def _take_over(self, adopted: dict[str, int]) -> None:
        """Look after a process whose keeper has died. Its exit status goes to whoever is its parent now."""
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._main = adopted["pid"]
        self._note(adopted["pid"], adopted["ticks"])
        found = find_process(self._main)
        if found is None or found.ticks != adopted["ticks"] or found.is_dead:
            self._main_ended = True
            return
        try:
            self._main_watch = os.pidfd_open(self._main)
        except OSError:
            self._main_ended = True
            return
        self._poll.register(self._main_watch, select.POLLIN)
        self._say(f"process {self._main} goes on under another keeper")

    def _note(self, pid: int, ticks: int) -> None:
        me = find_process(os.getpid())
        self._record = {
            "launch": self._orders["launch"],
            "task_id": self._orders["task_id"],
            "boot": boot_id(),
            "pid": pid,
            "ticks": ticks,
            "keeper_pid": os.getpid(),
            "keeper_ticks": me.ticks if me else 0,
            "started_at": self._orders["started_at"] or time.time(),
        }
        write_record(self._directory, self._record)

    # The middle

    def _turn(self) -> None:
        for descriptor, _ in self._poll.poll(self._patience_ms()):
            if descriptor in self._fifos:
                self._read(descriptor)
            elif descriptor == self._main_watch:
                self._poll.unregister(descriptor)
                self._end_of_main(None)
            else:
                self._heed(os.read(self._wakeup, 512))
        self._press()

    def _patience_ms(self) -> int | None:
        # While something is to end, it is looked at again and again: not every descendant is this process's child.
        return 50 if self._kill_at is not None else None

    def _read(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        self._log.feed(self._fifos[descriptor], data)
        return True

    def _heed(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGTERM and self._kill_at is None:
                self._say("is told to stop")
                self._kill_at = time.monotonic() + self._grace_s
                self._signal(signal.SIGTERM)
            elif number == signal.SIGUSR1:
                self._kill_at = 0.0
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._main:
                self._end_of_main(os.waitstatus_to_exitcode(status))

    def _end_of_main(self, exit_code: int | None) -> None:
        self._main_ended = True
        if self._wrapped and exit_code is not None and 128 < exit_code <= 192:
            exit_code = 128 - exit_code  # the sandbox says so of a signal
        self._exit_code = exit_code
        if self._kill_at is None:
            self._signal(signal.SIGTERM)
            self._kill_at = time.monotonic() + _LEFTOVER_S

    def _press(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for process in self._family():
            # The sandbox's own two processes would take it with them, before it could end in order.
            if number == signal.SIGTERM and self._wrapped and self._main in (process.pid, process.parent):
                continue
            send_signal(process, number)

    def _family(self) -> Iterable[Process]:
        return family(list_processes(), roots=[os.getpid()], sessions={self._main: self._record["ticks"]})

    def _is_over(self) -> bool:
        if not self._main_ended or self._family():
            return False
        self._reap()  # what has just ended is nobody else's to bury
        return True

    # The end

    def _finish(self, error: dict[str, Any]) -> None:
        for descriptor in self._fifos:
            while self._read(descriptor):
                pass
        self._log.flush()
        if not error:
            code = self._exit_code
            how = "and nobody knows how" if code is None else f"signal {-code}" if code < 0 else f"status {code}"
            self._say(f"ended: {how}")
        ended = {"exit_code": self._exit_code, "ended_at": time.time(), "error": "", "message": ""}
        write_record(self._directory, self._record | ended | error)

    def _say(self, text: str) -> None:
        self._log.write("system", [text.encode(errors="replace")])


def main() -> None:
    """Read the orders and carry them out. Exit status: 0, or ``KEEPER_BUSY``."""
    with open(0, "rb", closefd=False) as stdin:
        orders = json.loads(stdin.read())
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    lock = os.open(os.path.join(orders["directory"], KEEPER_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(KEEPER_BUSY)
    Keeper(orders).run()
