"""Child processes of tests: free ports, waiting for a condition, stopping what was started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """Several free ports, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def wait_until(condition: Callable[[], object], *, timeout_s: float = 30.0, what: str = "the condition") -> None:
    """Return as soon as the condition holds. Raises TimeoutError, with ``what`` in it, when it never does.

    This is the one place in the tests that looks at the clock: everything else waits for an event.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(0.02)


def accepts_connections(port: int) -> bool:
    """Whether somebody listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family_of(pid: int) -> list[psutil.Process]:
    """A process and all its descendants, youngest first; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [*reversed(process.children(recursive=True)), process]
    except psutil.NoSuchProcess:
        return []


def stop(process: subprocess.Popen[bytes], *, timeout_s: float = 20.0) -> int:
    """End a process politely, then by force together with its descendants; return its exit status."""
    family = family_of(process.pid)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            if member.pid != process.pid:
                member.kill()
    if process.poll() is None:
        process.kill()
    return process.wait(timeout_s)


def kill_family(pid: int) -> None:
    """SIGKILL to a process and all its descendants: what a power cut is to them."""
    family = family_of(pid)
    # The oldest first and all stopped before any dies, so that no supervisor starts a child anew meanwhile.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in reversed(family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, number)


def tail(path: Path, lines: int = 60) -> str:
    """The last lines of a log; a word in their place when there is no such file."""
    if not path.exists():
        return f"({path.name} was never written)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
