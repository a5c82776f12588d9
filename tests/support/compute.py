"""A supervisor of workloads in a process of its own, on a home of the test. Nothing that it starts outlives that."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from hub.base.settings import Settings, environment_of
from hub.compute.local.driver import LocalDriver
from hub.compute.local.keeping import Record, read_record
from hub.compute.local.places import Places
from hub.compute.local.store import Store
from tests.support.hub import HubServer
from tests.support.processes import command_of, family_of, free_range, stop, tail, wait_until

# Tests run at once; each has ports of its own.
_PORTS = 12


class LocalCompute:
    """The supervisor of a home, to be killed and started again, and a driver that asks it."""

    def __init__(self, home: Path, settings: Mapping[str, Any] | None = None) -> None:
        values = {
            "compute_ports": free_range(_PORTS),
            "compute_restart_delay_ms": 20,
            "compute_stop_grace_s": 5,
            # The same on every machine; what is different in a sandbox has tests of its own.
            "compute_isolation": "none",
            "compute_max_jobs": 4,
            **(settings or {}),
        }
        home.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(home=home, **values)
        self.places = Places.of(self.settings)
        self.driver = LocalDriver(self.settings)
        self.log_path = home / "supervisor.log"
        self.environment: dict[str, str] = {}
        # Python for the supervisor's process to begin with.
        self.prelude = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> LocalCompute:
        """Start it and wait until it answers."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", f"{self.prelude}from hub.compute.local.__main__ import main; main()"],
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, what="the supervisor to answer")
        return self

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its supervisor."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
        return inherited | environment_of(self.settings) | self.environment

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the supervisor has ended:\n{tail(self.log_path)}"
        try:
            return bool(self.driver.nodes())
        except Exception:
            return False

    def kill(self) -> None:
        """SIGKILL to the supervisor alone; what it has started goes on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """As `hub serve` ends it; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(90)

    def record(self, svc_name: str, number: int = 0) -> Record:
        """Which process an instance is."""
        found = read_record(self.places.control(svc_name, number))
        assert found is not None
        return found

    def members(self, svc_name: str, number: int = 0) -> list[psutil.Process]:
        """All processes of an instance, but for its keeper."""
        return psutil.Process(self.record(svc_name, number).keeper_pid).children(recursive=True)

    def records(self) -> list[Record]:
        """Of all instances that were ever started here and not forgotten."""
        found = (read_record(path.parent) for path in self.places.root.glob("*/*/*/record.json"))
        return [record for record in found if record is not None]

    def forget(self, svc_name: str) -> None:
        """Take a workload out of the memory of a supervisor that does not run."""
        with contextlib.closing(Store(self.places.state)) as store:
            store.forget(svc_name)

    def close(self) -> None:
        """End everything, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            stop(self.process, timeout_s=15)
        for record in self.records():
            for pid in (record.keeper_pid if record.is_kept else 0, record.pid if record.is_running else 0):
                with contextlib.suppress(psutil.NoSuchProcess):
                    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)] if pid else []:
                        process.kill()


def supervisors(hub: HubServer) -> list[psutil.Process]:
    """What watches over the workloads of a hub."""
    return [process for process in hub.processes() if "hub.compute.local" in command_of(process)]


def kill_all_but_workloads(hub: HubServer) -> None:
    """SIGKILL to every program of the hub at once; keepers and what they keep go on."""
    keepers = {child.pid for process in supervisors(hub) for child in process.children()}
    spared = {each.pid for pid in keepers for each in family_of(pid)}
    programs = [process for process in hub.processes() if process.pid not in spared]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in programs:
            # A program of a moment (git, a job) may have ended by itself.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
    assert hub.process is not None
    hub.process.wait(60)
    psutil.wait_procs(programs, timeout=60)
