"""Counting what instances use: memory, so that one that takes too much is ended; processor time; disk; what is left."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections import deque
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
        return self._due

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
        millis = 0.0
        for instance in instances:
            if len(instance.cpu_samples) == 2:
                (began, before), (ended, after) = instance.cpu_samples
                millis += max(0.0, after - before) / max(ended - began, 0.001) * 1000
        return {"cpu_millis": round(millis), "memory_bytes": sum(one.memory_bytes for one in instances)}

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
