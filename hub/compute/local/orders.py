"""What a keeper is told: the command, the environment from scratch, the limits. Source: compute contract, 15.5."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.base.errors import Invalid
from hub.compute.local.isolation import MOUNTS, SANDBOX, SYSTEM_PATH, Isolation, sandbox_options
from hub.compute.local.machine import Card, select
from hub.compute.spec import Kind, WorkloadSpec, expand
from hub.compute.states import Reason

GIB = 1024**3
NICE, OOM_SCORE_ADJ, MAX_FILES = 5, 500, 4096
# Notebooks have twice the time to end: they save what is open.
_PATIENCE = {Kind.NOTEBOOK: 2}


def build_orders(
    spec: WorkloadSpec,
    *,
    control: Path,
    log: Path,
    port: int,
    cards: Sequence[Card],
    secrets: Mapping[str, str],
    mounts: Mapping[str, str],
    isolation: Isolation,
    grace_s: float,
) -> dict[str, Any]:
    """The orders for one launch, and the directories that they name.

    Raises Invalid (``command_not_found``) when there is no such program; OSError.
    """
    work = control / "work"
    for directory in (work, work / "home", work / "tmp"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_boxed = isolation.level == 3
    seen_work = SANDBOX if is_boxed else str(work)
    seen_mounts = {target: f"{MOUNTS}/{target}" for target in mounts} if is_boxed else dict(mounts)

    def fill(text: str) -> str:
        return expand(text, port=port, work=seen_work, mounts=seen_mounts)

    environment = {
        "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(max(1, -(-spec.resources.cpu_millis // 1000) or os.cpu_count() or 1)),
        **({"PORT": str(port)} if port else {}),
        **{name: fill(value) for name, value in spec.environment.items()},
        **secrets,
        **select(cards),
        "HOME": f"{seen_work}/home",
        "TMPDIR": f"{seen_work}/tmp",  # noqa: S108 - its own
    }
    argv = [fill(argument) for argument in spec.argv]
    program = _find_program(argv[0], environment["PATH"], work, is_boxed)
    orders = {
        "name": f"{spec.svc_name}/{control.name}",
        "task_id": spec.task_id,
        "log": str(log),
        "secrets": list(secrets.values()),
        "grace_s": grace_s * _PATIENCE.get(spec.kind, 1),
        "cwd": str(work),
        "program": program,
        "argv": argv,
        "environment": environment,
        "options": [],
        "wrapped": False,
        "limits": _limits(spec),
        "nice": NICE,
        "oom_score_adj": OOM_SCORE_ADJ,
        "adopt": None,
        "started_at": 0,
    }
    if is_boxed:
        options = sandbox_options(
            work=work, mounts=mounts, environment=environment, devices=bool(cards), program=program
        )
        orders |= {
            "program": isolation.bwrap,
            "argv": ["bwrap", "--", program, *argv[1:]],
            # What the variables say is for the sandbox's inside; the program that makes it sees none of them.
            "environment": {"PATH": SYSTEM_PATH},
            "options": options,
            "wrapped": True,
        }
    return orders


def needs_port(spec: WorkloadSpec) -> bool:
    """Whether it listens anywhere."""
    return bool(spec.port) or any("{port}" in text for text in (*spec.argv, *spec.environment.values()))


def adopting_orders(orders: Mapping[str, Any], *, pid: int, ticks: int, started_at: float) -> dict[str, Any]:
    """The orders for a keeper that takes over a process, from those that the process was started by."""
    return {**orders, "adopt": {"pid": pid, "ticks": ticks}, "started_at": started_at}


def _find_program(name: str, path: str, work: Path, is_boxed: bool) -> str:
    if "/" in name:
        # In a sandbox its directories have other names; what is missing there is told by the sandbox.
        if is_boxed or os.access(work / name, os.X_OK):
            return name if is_boxed else str(work / name)
    elif found := shutil.which(name, path=path):
        return found
    raise Invalid(f"There is no program {name[:200]!r} on this machine.", code=Reason.COMMAND)


def _limits(spec: WorkloadSpec) -> dict[str, int]:
    limits = {"RLIMIT_NOFILE": MAX_FILES, "RLIMIT_CORE": 0}
    if spec.resources.disk_bytes:
        limits["RLIMIT_FSIZE"] = spec.resources.disk_bytes
    if spec.resources.memory_bytes and not spec.resources.gpu_count:
        # Only what a burst may take between two looks at the memory; never with cards, whose drivers map a lot.
        limits["RLIMIT_DATA"] = 2 * spec.resources.memory_bytes + GIB
    return limits
