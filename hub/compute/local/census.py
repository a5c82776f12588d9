"""Counting what instances use: memory, so that one that takes too much is ended; processor time; disk; what is left."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.base.log import get_logger
from hub.compute.local.instance import FOREVER, Ending, Instance
from hub.compute.local.machine import count_cpu_millis, count_memory_bytes
from hub.compute.local.processes import exact_memory_bytes, list_processes, memory_bytes
from hub.compute.spec import MAX_REPLICAS

if TYPE_CHECKING:
    from hub.compute.local.supervisor import Supervisor
    from hub.compute.local.workload import Workload

log = get_logger(__name__)

LOOK_EVERY_S = 2.0
MEASURE_EVERY_S = 30.0
_LOG_TTL_S = 7 * 86_400.0
KEPT_MINUTES = 7 * 24 * 60


class Census:
    """What all instances use. Memory is looked at every two seconds, while any runs; disk every half a minute."""

    def __init__(self, house: Supervisor) -> None:
        self._house = house
        self._due = 0.0
        # Filled by the thread that measures, emptied by the loop.
        self._over_disk: deque[tuple[str, int, int]] = deque()
        # For that thread: what to measure, and the logs that are being written.
        self._limits: list[tuple[str, int, int, int, Path]] = []
        self._open_logs: frozenset[Path] = frozenset()
        # Of the minute that runs, since the epoch: what was seen of each instance.
        self._minute = 0
        self._looks: dict[tuple[str, int], list[tuple[float, int]]] = {}

    def advance(self, now: float) -> float:
        """Look when it is time to; the moment of the next look."""
        running = [one for each in self._house.workloads() for one in each.instances.values() if one.is_kept]
        self._limits = [
            (one.workload.svc_name, one.number, one.state.launch, limit, self._work(one))
            for one in running
            if (limit := one.workload.spec.resources.disk_bytes)
        ]
        self._open_logs = frozenset(
            self._house.places.log(one.workload.svc_name, one.state.task_id, one.number) for one in running
        )
        if not running:
            return FOREVER
        if now >= self._due:
            self._due = now + LOOK_EVERY_S
            processes = list(list_processes())
            for instance in running:
                members = instance.members(processes)
                instance.memory_bytes = sum(map(memory_bytes, members))
                instance.cpu_samples = [*instance.cpu_samples[-1:], (now, sum(each.cpu_s for each in members))]
                limit = instance.workload.spec.resources.memory_bytes
                if limit and instance.memory_bytes > limit:
                    # Pages that its processes share were counted for each of them.
                    instance.memory_bytes = sum(map(exact_memory_bytes, members))
                    if instance.memory_bytes > limit:
                        log.warning("instance_over_memory", svc=instance.workload.svc_name, limit_bytes=limit)
                        instance.end(Ending.MEMORY)
            self._end_over_disk(running)
            self._note(running)
        return self._due

    def _note(self, running: list[Instance]) -> None:
        """Remember what each uses; the averages of a minute are stored when it is over."""
        minute = int(time.time()) // 60
        if minute != self._minute and self._looks:
            rows = [(*key, self._minute, *average(looks)) for key, looks in self._looks.items()]
            self._looks = {}
            self._house.store.save_samples(rows, oldest=minute - KEPT_MINUTES)
        self._minute = minute
        for instance in running:
            look = (millis_of(instance), instance.memory_bytes)
            self._looks.setdefault((instance.workload.svc_name, instance.number), []).append(look)

    def history(self, svc_name: str, number: int, since_s: float) -> list[tuple[int, int, int]]:
        """What an instance used: the beginning of a minute in seconds, processor and memory, the oldest first."""
        since = int(since_s) // 60
        rows = self._house.store.samples(svc_name, number, since)
        if (looks := self._looks.get((svc_name, number))) and self._minute >= since:
            rows = [*(row for row in rows if row[0] != self._minute), (self._minute, *average(looks))]
        return [(minute * 60, cpu_millis, memory) for minute, cpu_millis, memory in rows]

    def _work(self, instance: Instance) -> Path:
        return self._house.places.work(instance.workload.svc_name, instance.number)

    def _end_over_disk(self, running: list[Instance]) -> None:
        while self._over_disk:
            svc_name, number, launch = self._over_disk.popleft()
            for instance in running:
                key = (instance.workload.svc_name, instance.number, instance.state.launch)
                if key == (svc_name, number, launch):
                    log.warning("instance_over_disk", svc=svc_name)
                    instance.end(Ending.DISK)

    def measure_directories(self) -> None:
        """Measure work directories for good; in a thread of its own."""
        pause = threading.Event()
        while True:
            for svc_name, number, launch, limit, path in list(self._limits):
                if _size_of(path, limit) > limit:
                    self._over_disk.append((svc_name, number, launch))
            self._delete_old_logs()
            pause.wait(MEASURE_EVERY_S)

    def _delete_old_logs(self) -> None:
        before = time.time() - _LOG_TTL_S
        for path in (self._house.places.root / "logs").glob("*/*.log*"):
            try:
                if path.stat().st_mtime < before and path not in self._open_logs:
                    path.unlink()
            except OSError:
                continue

    def usage(self, workload: Workload) -> dict[str, Any]:
        """Processor and memory of a workload, as of the last looks."""
        instances = [one for one in workload.instances.values() if one.is_kept]
        return {
            "cpu_millis": round(sum(map(millis_of, instances))),
            "memory_bytes": sum(one.memory_bytes for one in instances),
        }

    def count_fitting(self, workload: Workload) -> int:
        """How many instances of a workload fit beside what all others have asked for, of what may be promised."""
        percent = self._house.settings.compute_overcommit_percent
        others = [
            (each.spec.resources, each.count)
            for each in self._house.workloads()
            if each is not workload and each.is_occupying
        ]
        resources = workload.spec.resources
        fitting = MAX_REPLICAS
        for asked, there, taken in (
            (resources.cpu_millis, count_cpu_millis(), sum(one.cpu_millis * count for one, count in others)),
            (resources.memory_bytes, count_memory_bytes(), sum(one.memory_bytes * count for one, count in others)),
        ):
            if asked:
                fitting = min(fitting, max(there * percent // 100 - taken, 0) // asked)
        return fitting

    def node(self) -> dict[str, Any]:
        """This machine: what it has, and what is left beside what workloads have asked for."""
        cpu, memory = count_cpu_millis(), count_memory_bytes()
        asked = [(each.spec.resources, each.count) for each in self._house.workloads() if each.is_occupying]
        disk = shutil.disk_usage(self._house.places.root)
        return {
            "name": socket.gethostname(),
            "cpu_millis": cpu,
            "available_cpu_millis": max(0, cpu - sum(each.cpu_millis * count for each, count in asked)),
            "memory_bytes": memory,
            "available_memory_bytes": max(0, memory - sum(each.memory_bytes * count for each, count in asked)),
            "disk_bytes": disk.total,
            "available_disk_bytes": disk.free,
        }


def millis_of(instance: Instance) -> float:
    """Thousandths of a core that an instance used between the last two looks."""
    if len(instance.cpu_samples) < 2:
        return 0.0
    (began, before), (ended, after) = instance.cpu_samples
    return max(0.0, after - before) / max(ended - began, 0.001) * 1000


def average(looks: Sequence[tuple[float, int]]) -> tuple[int, int]:
    """Processor and memory on the average."""
    return round(sum(each[0] for each in looks) / len(looks)), sum(each[1] for each in looks) // len(looks)


def _size_of(path: Path, limit: int) -> int:
    """The room that a directory's files take; counted no further than the limit."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
        if total > limit:
            break
    return total
