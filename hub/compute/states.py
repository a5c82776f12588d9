"""The states of a workload: their codes, what people and programs read, and which may follow which.

Source: compute contract, 1.3 and 1.4. Read by the supervisor, too: the standard library only.
"""

from __future__ import annotations

from enum import IntEnum
from signal import Signals


class Code(IntEnum):
    """The state as a number. 30 and 31 are this hub's own: how a job ended."""

    PENDING = 0
    BUILD_IN_QUEUE = 10
    BUILDING = 11
    BUILD_FAILED = 12
    BUILD_SUCCESS = 13
    BUILD_SKIP = 14
    DEPLOYING = 20
    DEPLOY_FAILED = 21
    STARTUP = 22
    RUNNING = 23
    RUNTIME_ERROR = 24
    SLEEPING = 25
    STOPPED = 26
    DELETED = 27
    RESOURCE_UNHEALTHY = 28
    SUCCEEDED = 30
    FAILED = 31


WORDS = {
    Code.PENDING: "Pending",
    Code.BUILD_IN_QUEUE: "Building",
    Code.BUILDING: "Building",
    Code.BUILD_FAILED: "BuildingFailed",
    Code.BUILD_SUCCESS: "Deploying",
    Code.BUILD_SKIP: "Stopped",
    Code.DEPLOYING: "Deploying",
    Code.DEPLOY_FAILED: "DeployFailed",
    Code.STARTUP: "Deploying",
    Code.RUNNING: "Running",
    Code.RUNTIME_ERROR: "RuntimeError",
    Code.SLEEPING: "Sleeping",
    Code.STOPPED: "Stopped",
    Code.DELETED: "Deleted",
    Code.RESOURCE_UNHEALTHY: "ResourceUnhealthy",
    Code.SUCCEEDED: "Succeeded",
    Code.FAILED: "Failed",
}


class Reason:
    """Reasons that the hub gives itself; a driver's scheduler may have others, which are passed on."""

    NO_CAPACITY = "insufficient_resources"
    READY_TIMEOUT = "ready_timeout"
    CRASH_LOOP = "CrashLoopBackOff"
    OUT_OF_MEMORY = "OOMKilled"
    DEADLINE = "deadline_exceeded"
    DISK_FULL = "disk_full"
    SNAPSHOT = "snapshot_failed"
    DRIVER = "runner_unreachable"
    NOT_FOUND = "not_found"
    COMMAND = "command_not_found"


def exit_reason(exit_code: int) -> str:
    """The reason of an exit: ``ExitCode:3``; below 0, as subprocess says it, the signal: ``Signal:SIGKILL``."""
    if exit_code >= 0:
        return f"ExitCode:{exit_code}"
    try:
        return f"Signal:{Signals(-exit_code).name}"
    except ValueError:  # a real-time signal has no name
        return f"Signal:{-exit_code}"
