"""A small supervisor: starts programs, starts them again when they die, and ends them in order.

It runs for as long as the hub does, so it uses the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.base.log import get_logger

log = get_logger(__name__)

_BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A program that has run for this long was well: its next death counts as the first.
_WELL_AFTER_S = 60.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class StartError(Exception):
    """Something that ``hub serve`` needs did not start; the message says what and what to do."""


@dataclass(frozen=True)
class Program:
    """A program to keep running.

    stop_signals: what is sent to make it end, in turn, each with the seconds that it then has; SIGKILL comes after
    the last. reload_signal: passed on when the supervisor is told to reload. pass_fds: descriptors it inherits.
    stops_last: the others lean on it, so it ends after them.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_signals: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10.0),)
    reload_signal: signal.Signals | None = None
    pass_fds: Sequence[int] = ()
    stops_last: bool = False


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)
    deaths: int = 0
    restart_at: float | None = None


class Supervisor:
    """The programs and their processes."""

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}
        # Held back and fetched one by one in ``_next_signal``: nothing happens between two lines of a handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)

    def start(self, program: Program) -> None:
        """Start a program that is to run for as long as the supervisor."""
        self._children[program.name] = _Child(program, spawn(program))

    def is_running(self, name: str) -> bool:
        """Whether the program runs now."""
        return self._children[name].process.poll() is None

    def wait_until(self, condition: Callable[[], bool], *, what: str, timeout_s: float) -> bool:
        """Wait for a condition while all programs run; False when a signal says stop.

        Raises StartError when a program ends or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            for name in self._children:
                if not self.is_running(name):
                    raise StartError(f"{name} ended while the hub started; its last lines above say why.")
            if time.monotonic() > deadline:
                raise StartError(f"{what} did not answer within {timeout_s:.0f} s.")
            if self._next_signal(0.02) in (signal.SIGTERM, signal.SIGINT):
                return False
        return True

    def run(self) -> None:
        """Keep the programs running until SIGTERM or SIGINT. SIGHUP is passed on to those that can reload."""
        while True:
            number = self._next_signal(self._time_to_restart())
            if number in (signal.SIGTERM, signal.SIGINT):
                return
            if number == signal.SIGHUP:
                self._reload()
            self._look_after()

    def stop(self) -> None:
        """End all programs, at once but for those that stop last. SIGTERM or SIGINT meanwhile skips the waiting."""
        for stops_last in (False, True):
            self._stop_group([child for child in self._children.values() if child.program.stops_last == stops_last])

    def _stop_group(self, children: list[_Child]) -> None:
        steps = {child.program.name: list(child.program.stop_signals) for child in children}
        due = dict.fromkeys(steps, 0.0)
        while True:
            living = [child for child in children if child.process.poll() is None]
            if not living:
                return
            now = time.monotonic()
            for child in living:
                name = child.program.name
                if now < due[name]:
                    continue
                if steps[name]:
                    number, wait_s = steps[name].pop(0)
                    _signal(child, number)
                else:
                    log.warning("program_killed", program=name)
                    _signal_group(child, signal.SIGKILL)
                    wait_s = 5.0
                due[name] = now + wait_s
            if self._next_signal(0.1) in (signal.SIGTERM, signal.SIGINT):
                due = dict.fromkeys(due, 0.0)

    def _next_signal(self, timeout_s: float) -> int | None:
        found = signal.sigtimedwait(_WATCHED, timeout_s)
        return found.si_signo if found else None

    def _time_to_restart(self) -> float:
        now = time.monotonic()
        waits = [child.restart_at - now for child in self._children.values() if child.restart_at is not None]
        return max(0.0, min([*waits, 3600.0]))

    def _look_after(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            status = child.process.poll()
            if status is None:
                continue
            if child.restart_at is None:
                child.deaths = child.deaths + 1 if now - child.started_at < _WELL_AFTER_S else 1
                wait_s = _BACKOFF_S[min(child.deaths, len(_BACKOFF_S)) - 1]
                child.restart_at = now + wait_s
                # What the dead one started must not live beside what the new one starts.
                _signal_group(child, signal.SIGTERM)
                log.error("program_died", program=child.program.name, how=_how(status), restart_in_s=wait_s)
            elif now >= child.restart_at:
                child.process = spawn(child.program)
                child.started_at, child.restart_at = now, None
                log.info("program_restarted", program=child.program.name, pid=child.process.pid)

    def _reload(self) -> None:
        for child in self._children.values():
            if child.program.reload_signal is not None and child.process.poll() is None:
                log.info("program_reloads", program=child.program.name)
                _signal(child, child.program.reload_signal)


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _signal(child: _Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.process.send_signal(number)


def _signal_group(child: _Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; it ends when this process dies, however that dies."""
    parent = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return subprocess.Popen(
        program.command,
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=program.pass_fds,
        # One thread runs here, which is what makes code between fork and exec safe.
        preexec_fn=prepare,
    )
