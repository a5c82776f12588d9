"""Child processes of tests: free ports, waiting for a condition, stopping what was started."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

# From here up to where the kernel takes the ports of outgoing connections: those may be taken at any moment, also while
# the server of a test that had one is started again. Those of workloads by default lie in between.
_FIRST_PORT = 10_000
_NOT_OURS = range(20_000, 21_000)
# Tests run in several processes at once, each of which gives away every so many of the ports.
_SHARES = 8
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now, and that no other test is given."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Several free ports, all different."""
    return [_find_ports(1)[0] for _ in range(count)]


def free_range(count: int) -> str:
    """So many free ports side by side, as ``HUB_COMPUTE_PORTS`` takes them."""
    ports = _find_ports(count)
    return f"{ports[0]}-{ports[-1]}"


def _find_ports(count: int) -> range:
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    firsts = range(_FIRST_PORT + share, _first_of_connections() - count, _SHARES)
    while True:
        # Not by the module's own generator, which hypothesis sets.
        first = random.SystemRandom().choice(firsts)
        ports = range(first, first + count)
        if _given.isdisjoint(ports) and not set(ports) & set(_NOT_OURS) and all(map(_is_free, ports)):
            _given.update(ports)
            return ports


def _first_of_connections() -> int:
    """The lowest of the ports that outgoing connections have."""
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    return max(int(text.split()[0]), 2 * _FIRST_PORT)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(condition: Callable[[], object], *, timeout_s: float = 60.0, what: str = "the condition") -> None:
    """Return as soon as the condition holds. Raises TimeoutError, with ``what`` in it, when it never does.

    This is the one place in the tests that looks at the clock: everything else waits for an event. A limit is for what
    never comes, not for what comes late: a machine that does much else takes ten times as long.
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


def name_of(process: psutil.Process) -> str:
    """The name of its program; empty when it has ended."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def command_of(process: psutil.Process) -> list[str]:
    """Its command line; empty when it has ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process | int) -> bool:
    """Whether a process does anything; one that is dead and waits to be reaped does not."""
    try:
        found = process if isinstance(process, psutil.Process) else psutil.Process(process)
        return found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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
