"""What the kernel says of processes, read from ``/proc``. For keepers and the supervisor: standard library only.

What keepers import is kept small, as there is one for each workload: without ``typing`` and ``dataclasses``, which
would take half of their memory.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # as a checker of types knows it; nothing is imported for it
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

# What a keeper has in its directory, and its exit status where another keeper holds that.
KEEPER_RECORD, KEEPER_LOCK, KEEPER_BUSY = "record.json", "keeper.lock", 75
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Process:
    """One process. ticks: when it began, which together with the pid means this very process until the next boot."""

    __slots__ = ("cpu_s", "is_dead", "parent", "pid", "session", "ticks")

    def __init__(self, pid: int, *, parent: int, session: int, ticks: int, cpu_s: float, is_dead: bool) -> None:
        self.pid = pid
        self.parent = parent
        self.session = session
        self.ticks = ticks
        self.cpu_s = cpu_s
        self.is_dead = is_dead


def find_process(pid: int) -> Process | None:
    """The process of that number; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The name is in parentheses and may hold anything, parentheses too. Fields by proc(5): state is the third.
    fields = text[text.rfind(b")") + 2 :].split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        ticks=int(fields[19]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        is_dead=fields[0] in (b"Z", b"X"),
    )


def is_alive(pid: int, ticks: int) -> bool:
    """Whether this very process still runs; one that waits to be reaped does not."""
    found = find_process(pid) if pid > 0 else None
    return found is not None and found.ticks == ticks and not found.is_dead


def list_processes() -> Iterator[Process]:
    """All that run now."""
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := find_process(int(name))) is not None and not found.is_dead:
            yield found


def family(
    processes: Iterable[Process], *, roots: Collection[int], sessions: Mapping[int, int] | None = None
) -> list[Process]:
    """The descendants of some processes, and the members of some sessions with theirs; the roots are not among them.

    sessions: the number of each, which is the pid of the process that began it, to that process's ticks. The kernel
    gives the number to nobody else while the session has members; once it has, the session is over.
    """
    everybody = list(processes)
    ours = dict(sessions or {})
    children: dict[int, list[Process]] = {}
    for process in everybody:
        children.setdefault(process.parent, []).append(process)
        if ours.get(process.pid, process.ticks) != process.ticks:
            del ours[process.pid]
    found: dict[int, Process] = {}
    todo = [process for root in roots for process in children.get(root, ())]
    todo += [process for process in everybody if process.session in ours and process.pid not in roots]
    while todo:
        process = todo.pop()
        if process.pid not in found:
            found[process.pid] = process
            todo += children.get(process.pid, ())
    return [process for pid, process in found.items() if pid not in roots]


def send_signal(process: Process, number: int) -> None:
    """Send a signal to this very process, never to another that has its number by now; it may be gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        if is_alive(process.pid, process.ticks):
            signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return
    finally:
        os.close(descriptor)


def boot_id() -> str:
    """The name of this run of the machine: pids and ticks mean nothing in another."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def memory_bytes(process: Process) -> int:
    """What the process takes that is in no file: its own pages and shared memory. Mapped model files do not count."""
    total = 0
    try:
        with open(f"/proc/{process.pid}/status", "rb") as file:
            for line in file:
                if line.startswith((b"RssAnon:", b"RssShmem:")):
                    total += int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        return 0
    return total


def exact_memory_bytes(process: Process) -> int:
    """As ``memory_bytes``, with pages that several processes share counted by their part; costs the kernel more."""
    total = 0
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith((b"Pss_Anon:", b"Pss_Shmem:")):
                    total += int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        return memory_bytes(process)
    return total
