"""The supervisor: one process a home that starts, watches and ends what runs for people on this machine.

It knows nothing of the hub's database: what is to run it is told over its socket (``rpc``), what it has to remember is
in a file of its own (``store``), and what runs is told by keepers, which go on without it. So it may be killed at any
moment: the next one finds all again. One thread runs here, but for what takes long and concerns nobody: deleting
directories, measuring them, and asking for cards. Source: compute contract, 15.2 to 15.9.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from hub.base.errors import HubError, Invalid, Unavailable
from hub.base.log import get_logger
from hub.base.settings import Settings
from hub.compute.local.census import Census
from hub.compute.local.instance import FOREVER, Instance
from hub.compute.local.isolation import find_isolation
from hub.compute.local.keeping import read_record
from hub.compute.local.leases import Leases
from hub.compute.local.logwriter import stamp
from hub.compute.local.machine import Card
from hub.compute.local.places import Places
from hub.compute.local.ports import PortRange
from hub.compute.local.processes import list_processes, send_signal
from hub.compute.local.rpc import Server
from hub.compute.local.sealing import unseal_elsewhere
from hub.compute.local.store import Store
from hub.compute.local.workload import Workload
from hub.compute.spec import Kind, Resources, check_secrets, parse_spec

log = get_logger(__name__)

# Beyond the time that each has to end in order, when all are told to.
_STOP_SLACK_S = 10.0
_SHORTEST_TURN_S = 0.005
_MAX_NAMES = 10_000


class AlreadyRuns(Exception):
    """Another supervisor looks after this home."""


class Supervisor:
    """All workloads of a home, and the loop in which everything happens."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.places = Places.of(settings)
        self.places.make()
        self._lock = self._take_lock()
        self.selector = selectors.DefaultSelector()
        self.store = Store(self.places.state)
        self.isolation = find_isolation(settings.compute_isolation)
        self.is_stopping = False
        self._parent = os.getppid()
        self._ports = PortRange(settings.compute_ports)
        self._workloads: dict[str, Workload] = {}
        self._leases = Leases()
        self._census = Census(self)
        self._trash_wanted = threading.Event()
        self._wakeup = -1
        self._job_slots = 0

    def _take_lock(self) -> int:
        descriptor = os.open(self.places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRuns("Another supervisor of workloads runs on this home.") from None
        return descriptor

    # The loop

    def run(self) -> None:
        """Look after everything until SIGTERM or SIGINT."""
        self._listen_to_signals()
        self._leases.look()
        self._recover()
        server = Server(self.selector, self.places.root, self._answer)
        for work in (self._empty_trash, self._census.measure_directories):
            threading.Thread(target=work, daemon=True).start()
        log.info("compute_supervisor_ready", workloads=len(self._workloads), isolation=self.isolation.level)
        try:
            while not self.is_stopping:
                self._turn(FOREVER)
            self._end_all()
        finally:
            server.close()
            for workload in self._workloads.values():
                for instance in workload.instances.values():
                    instance.let_go()
            self.store.close()

    def _listen_to_signals(self) -> None:
        self._wakeup, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.selector.register(self._wakeup, selectors.EVENT_READ, self._hear_signal)

    def _hear_signal(self) -> None:
        os.read(self._wakeup, 64)
        self.is_stopping = True

    def _turn(self, deadline: float) -> None:
        now = time.monotonic()
        due = min(deadline, self._advance(now))
        patience_s = None if due == FOREVER else max(due - time.monotonic(), _SHORTEST_TURN_S)
        for key, _ in self.selector.select(patience_s):
            try:
                key.data()
            except Exception:
                # One workload's trouble is not the others'.
                log.exception("compute_event_failed")

    def _advance(self, now: float) -> float:
        due = self._census.advance(now)
        self._job_slots = self._count_job_slots()
        for workload in sorted(self._workloads.values(), key=lambda workload: workload.number):
            try:
                due = min(due, workload.advance(now))
                if workload.is_purged and not workload.is_kept:
                    self._forget(workload)
            except (HubError, OSError, sqlite3.Error):
                log.exception("compute_workload_failed", svc=workload.svc_name)
                due = min(due, now + 1.0)
        return due

    def _end_all(self) -> None:
        """End what runs, unless it is to go on without us."""
        if self.settings.compute_keep_running or os.getppid() != self._parent:
            # `hub serve` has died, which is no wish of anybody: the next one finds all as it was.
            log.info("compute_supervisor_leaves", running=sum(one.is_kept for one in self._workloads.values()))
            return
        log.info("compute_supervisor_stops", running=sum(one.is_kept for one in self._workloads.values()))
        deadline = time.monotonic() + 2 * self.settings.compute_stop_grace_s + _STOP_SLACK_S
        while any(workload.is_kept for workload in self._workloads.values()) and time.monotonic() < deadline:
            self._turn(deadline)

    # The beginning

    def _recover(self) -> None:
        rows = list(self.store.workloads())
        sealed = {row.svc_name: row.sealed for row in rows if row.sealed}
        opened: dict[str, dict[str, str]] = {}
        if sealed:
            try:
                opened = unseal_elsewhere(sealed)
            except (OSError, ValueError):
                log.exception("compute_secrets_unreadable")
        for row in rows:
            secrets = opened.get(row.svc_name) if row.sealed else {}
            try:
                self._workloads[row.svc_name] = Workload.recall(self, row, secrets)
            except (HubError, KeyError, TypeError, ValueError):
                log.exception("compute_row_unreadable", svc=row.svc_name)
        for workload in self._workloads.values():
            for instance in workload.instances.values():
                instance.recover()
        self._end_strays()

    def _end_strays(self) -> None:
        """End what runs below this home and is wanted by nobody. It is known by what its keeper has written."""
        for directory in (self.places.root / "workloads").glob("*/*"):
            svc_name, number = directory.parts[-2:]
            workload = self._workloads.get(svc_name)
            record = read_record(directory)
            if record is None or (workload and number.isdigit() and int(number) in workload.instances):
                continue
            processes = list(list_processes())
            for process in record.members(processes) if record.is_running or record.is_kept else ():
                log.warning("compute_stray_ended", svc=svc_name, pid=process.pid)
                send_signal(process, signal.SIGKILL)

    # What instances ask for

    def take_job_slot(self) -> bool:
        """Whether another job may run now; then one less may after it."""
        self._job_slots -= 1
        return self._job_slots >= 0

    def _count_job_slots(self) -> int:
        jobs = (workload for workload in self._workloads.values() if workload.spec.kind is Kind.JOB)
        return self.settings.compute_max_jobs - sum(workload.is_kept for workload in jobs)

    def lease(self, instance: Instance, resources: Resources) -> Sequence[Card] | None:
        """Cards for an instance; None while there are not enough."""
        if not resources.gpu_count:
            return ()
        return self._leases.choose(resources, [one for one in self._instances() if one is not instance])

    def cards_of(self, instance: Instance) -> Sequence[Card]:
        """The cards that an instance has."""
        return self._leases.named(instance.state.cards)

    def count_fitting(self, workload: Workload, count: int) -> int:
        """How many of so many instances there is room for, beside what others have asked for."""
        resources = workload.spec.resources
        fitting = min(count, self._census.count_fitting(workload))
        if resources.gpu_count:
            # Of cards only those that are free are known; whoever has some keeps them.
            has = sum(bool(one.state.cards) for one in workload.instances.values())
            fitting = min(fitting, has + (self._leases.choose(resources, self._instances()) is not None))
        return fitting

    def allot_port(self, instance: Instance) -> int:
        """A port that nobody listens on and no other instance has; the one that it had before if it can be."""
        taken = {one.state.port for one in self._instances() if one is not instance and one.holds_port}
        return self._ports.find(instance.state.port, taken)

    def say(self, instance: Instance, text: str) -> None:
        """Put a line of our own into the log of an instance that has no keeper."""
        path = self.places.log(instance.workload.svc_name, instance.state.task_id, instance.number)
        with contextlib.suppress(OSError), path.open("a") as file:
            file.write(f"{stamp(time.time())} system {text}\n")

    def throw_away(self, svc_name: str) -> None:
        """Delete a workload's directories; that it takes long keeps nobody waiting."""
        self.places.throw_away(svc_name, self.store.next("trash"))
        self._trash_wanted.set()

    def _instances(self) -> list[Instance]:
        return [one for workload in self._workloads.values() for one in workload.instances.values()]

    def workloads(self) -> Sequence[Workload]:
        """All that are known."""
        return list(self._workloads.values())

    def _forget(self, workload: Workload) -> None:
        self.store.forget(workload.svc_name)
        self.throw_away(workload.svc_name)
        del self._workloads[workload.svc_name]

    def _empty_trash(self) -> None:
        while True:
            try:
                self.places.empty_trash()
            except OSError:
                log.exception("compute_trash_stays")
            self._trash_wanted.wait()
            self._trash_wanted.clear()

    # What the hub asks for

    def _answer(self, call: str, arguments: dict[str, Any]) -> Any:
        handlers: dict[str, Callable[..., Any]] = {
            "run": self._run,
            "stop": self._stop,
            "purge": self._purge,
            "wake": self._wake,
            "touch": self._touch,
            "statuses": self._statuses,
            "names": self._names,
            "usage": self._usage,
            "history": self._history,
            "node": self._node,
        }
        handler = handlers.get(call)
        if handler is None:
            raise Invalid("The supervisor knows no such call.", code="call_invalid")
        try:
            return handler(**arguments)
        except TypeError:
            log.exception("compute_call_failed", call=call)
            raise Invalid("The call has other arguments.", code="call_invalid") from None

    def _run(self, *, spec: Any, secrets: dict[str, str], sealed: str, mounts: dict[str, str]) -> None:
        if self.is_stopping:
            raise Unavailable("The supervisor of workloads is being stopped.", code="compute_unavailable")
        wanted = parse_spec(spec)
        check_secrets(wanted, secrets)
        if not wanted.argv:
            raise Invalid("This machine runs commands, and it names none.", code="spec_invalid", field="argv")
        number = self.store.next("order")
        known = self._workloads.get(wanted.svc_name)
        if known is not None:
            known.renew(wanted, number=number, sealed=sealed, secrets=secrets, mounts=mounts)
            return
        workload = Workload(self, wanted, number=number, sealed=sealed, secrets=secrets, mounts=mounts)
        # What an earlier one of that name has left on disk is not its own.
        self.throw_away(wanted.svc_name)
        workload.save()
        self._workloads[wanted.svc_name] = workload

    def _find(self, svc_name: str) -> Workload | None:
        found = self._workloads.get(svc_name)
        return found if found is not None and not found.is_purged else None

    def _stop(self, *, svc_name: str) -> None:
        if workload := self._find(svc_name):
            workload.stop()

    def _purge(self, *, svc_name: str) -> None:
        if workload := self._find(svc_name):
            workload.purge()

    def _wake(self, *, svc_name: str) -> None:
        if workload := self._find(svc_name):
            workload.wake()

    def _touch(self, *, svc_name: str, source: str = "", calls: dict[str, int] | None = None) -> None:
        if workload := self._find(svc_name):
            if calls is None:
                workload.note_request()
            else:
                workload.note_calls(source, calls)

    def _statuses(self, *, svc_names: list[str]) -> list[dict[str, Any]]:
        found = (self._find(name) for name in svc_names[:_MAX_NAMES])
        return [asdict(workload.status()) for workload in found if workload is not None]

    def _names(self) -> list[str]:
        return [name for name, workload in self._workloads.items() if not workload.is_purged]

    def _usage(self, *, svc_name: str) -> dict[str, Any] | None:
        workload = self._find(svc_name)
        if workload is None or not workload.is_kept:
            return None
        cards = self._leases.named([card for one in workload.instances.values() for card in one.state.cards])
        return self._census.usage(workload) | {
            "gpu_percent": max((card.percent for card in cards), default=0),
            "gpu_memory_bytes": sum(card.used_memory_bytes for card in cards),
        }

    def _history(self, *, svc_name: str, number: int, since: float) -> dict[str, Any] | None:
        workload = self._find(svc_name)
        instance = workload.instances.get(number) if workload is not None else None
        if instance is None:
            return None
        endpoint = instance.address if instance.state.port else ""
        return {"endpoint": endpoint, "samples": self._census.history(svc_name, number, since)}

    def _node(self) -> dict[str, Any]:
        return self._census.node() | {
            "accelerators": [asdict(each) for each in self._leases.report(self._instances())],
            "isolation": self.isolation.words,
            "labels": {"isolation_level": str(self.isolation.level)},
        }
