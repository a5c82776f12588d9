"""Clocks and counters: wall time, CPU time and memory of process trees."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.processes import family_of

# The clients' environment: no settings of this machine or user, no prompts.
CLIENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command to its end. Raises RuntimeError with what it said when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**CLIENT, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")


def seconds(action: Callable[[], object]) -> float:
    """How long the action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def at_once(action: Callable[[int], object], count: int, *, workers: int = 8) -> None:
    """Do the action ``count`` times, ``workers`` at a time. Raises what the first failing one raises."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(action, range(count)):
            pass


def settle() -> None:
    """Write out what earlier steps left in the page cache, so that nobody pays for another."""
    os.sync()


def take_turns(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Measure both in turns, A B B A A B ..., so that a slow minute of the machine hits both."""
    results: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        order = ((0, ours), (1, theirs)) if number % 2 == 0 else ((1, theirs), (0, ours))
        for index, measure in order:
            settle()
            results[index].append(measure())
    return results


def median(values: list[float]) -> float:
    return statistics.median(values)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree since its start, with the children that have ended."""
    total = 0.0
    for process in family_of(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_bytes(pid: int, *, is_shared_split: bool = False) -> int:
    """Resident memory of a process tree.

    is_shared_split: count a page that n processes share as 1/n in each (PSS), instead of whole in each (RSS).
    """
    total = 0
    for process in family_of(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss if is_shared_split else process.memory_info().rss
    return total


@contextmanager
def watch_memory(pid: int) -> Iterator[list[int]]:
    """Sample a process tree's resident memory every 0.1 s; the list grows while the block runs."""
    samples = [memory_bytes(pid)]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.1):
            samples.append(memory_bytes(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
