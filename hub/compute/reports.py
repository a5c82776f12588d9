"""What a driver says: plain values. Read by the supervisor, too: only the standard library and the states are in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.compute.states import Code

# Instances are in one of these; a driver's own words may be more.
INSTANCE_PENDING, INSTANCE_RUNNING, INSTANCE_FAILED = "Pending", "Running", "Failed"
INSTANCE_SUCCEEDED, INSTANCE_TERMINATED = "Succeeded", "Terminated"
STDOUT, STDERR, SYSTEM = "stdout", "stderr", "system"


@dataclass(frozen=True)
class Instance:
    """One process or pod of a workload. restarts: since its start. exit_code: of its last end; below 0: the signal."""

    name: str
    status: str
    started_at: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None


@dataclass(frozen=True)
class Status:
    """What a driver knows of a workload, now.

    code: one of 20 (starting), 21 (it never ran), 23 (it runs and answers), 24 (it ran and cannot any more), 25
    (asleep), 26 (stopped), and of a job 20, 23, 26, 30 (it ended with 0) or 31. endpoint: its HTTP address without
    a slash at the end, while it runs. task_id: the start that this is about. actual, desired: instances.
    """

    svc_name: str
    code: Code
    task_id: int
    reason: str = ""
    message: str = ""
    endpoint: str = ""
    instances: tuple[Instance, ...] = ()
    actual: int = 0
    desired: int = 0


@dataclass(frozen=True)
class LogLine:
    """One line of what a workload printed, without its end. stream: "stdout", "stderr" or "system" (the driver)."""

    at: datetime
    stream: str
    text: str


@dataclass(frozen=True)
class Usage:
    """What a workload uses at this moment, all instances together."""

    at: datetime
    cpu_millis: int = 0
    memory_bytes: int = 0
    gpu_percent: int = 0
    gpu_memory_bytes: int = 0


@dataclass(frozen=True)
class Sample:
    """What one instance used on the average of a minute, which began at that moment."""

    at: datetime
    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True)
class History:
    """What one instance used, the oldest first. endpoint: where it answers, or did last; empty: nowhere of its own."""

    endpoint: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Accelerator:
    """The cards of one kind and model in a node. memory_bytes: of each. labels: ids, driver's version and the like."""

    kind: str
    vendor: str
    model: str
    count: int
    available: int
    memory_bytes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A machine: what it has, and what is left of it beside what the driver runs there.

    status: "Ready", or what is wrong; "Offline". isolation: how far workloads are kept apart, in words.
    """

    name: str
    status: str = "Ready"
    cpu_millis: int = 0
    available_cpu_millis: int = 0
    memory_bytes: int = 0
    available_memory_bytes: int = 0
    disk_bytes: int = 0
    available_disk_bytes: int = 0
    accelerators: tuple[Accelerator, ...] = ()
    isolation: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
