"""Driver ``fake``: nothing runs, everything is answered. For tests, demonstrations, and pages without a machine.

What a workload does is said by its image: ``fail`` in it and it never serves, ``crash`` and it ends after it has
served, ``wait`` and a job never ends by itself; any other job succeeds. The label ``fake/delay-s`` is how long the
start (or the job) takes. All processes of a hub see the same: what they were told is kept in a SQLite file in the
home, and the states follow from it and the time. Source: compute contract, 15.10.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hub.base.clock import Clock
from hub.base.context import Context
from hub.base.errors import Conflict
from hub.compute.driver import ComputeDriver
from hub.compute.echo import Echo
from hub.compute.reports import (
    INSTANCE_FAILED,
    INSTANCE_PENDING,
    INSTANCE_RUNNING,
    INSTANCE_SUCCEEDED,
    STDERR,
    STDOUT,
    Accelerator,
    History,
    Instance,
    LogLine,
    Node,
    Sample,
    Status,
    Usage,
)
from hub.compute.spec import Kind, WorkloadSpec, check_secrets, parse_spec
from hub.compute.states import Code, Reason

GIB = 1024**3
NODE_CPU_MILLIS, NODE_MEMORY_BYTES, NODE_DISK_BYTES = 64_000, 256 * GIB, 1024 * GIB
CARDS, CARD_MODEL, CARD_BYTES = 8, "Fake-80G", 80 * GIB
MASK = "***"
_FOLLOW_S = 0.2

_TABLES = """
CREATE TABLE IF NOT EXISTS workloads (
    svc_name TEXT PRIMARY KEY, task_id INTEGER, spec TEXT, started_at REAL, touched_at REAL, stopped INTEGER
);
CREATE TABLE IF NOT EXISTS lines (svc_name TEXT, at REAL, stream TEXT, text TEXT);
"""


class _Row(NamedTuple):
    spec: WorkloadSpec
    started_at: float
    touched_at: float
    is_stopped: bool


class FakeDriver(ComputeDriver):
    """Answers for workloads that are nowhere."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / "fake.db"
        self._clock = clock
        self._echo = Echo(directory / "fake-port")

    @classmethod
    def from_context(cls, context: Context) -> FakeDriver:
        return cls(context.settings.home / "compute", context.clock)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            database.executescript(_TABLES)
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        finally:
            database.close()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def run(self, spec: WorkloadSpec, *, secrets: Mapping[str, str], mounts: Mapping[str, Path] | None = None) -> None:
        check_secrets(spec, secrets)
        now = self._now()
        with self._open() as database:
            known = database.execute("SELECT task_id FROM workloads WHERE svc_name = ?", [spec.svc_name]).fetchone()
            if known is not None and known[0] > spec.task_id:
                raise Conflict("A later start of this workload is known.", code="task_stale")
            if known is not None and known[0] == spec.task_id:
                return
            values = (spec.svc_name, spec.task_id, json.dumps(spec.to_json()), now, now)
            database.execute("INSERT OR REPLACE INTO workloads VALUES (?, ?, ?, ?, ?, 0)", values)
            words = [f"start {spec.task_id} of {spec.svc_name}", *(f"{name}={MASK}" for name in spec.secrets)]
            _say(database, spec.svc_name, now, STDOUT, *words, "ready to echo" if spec.port else "working")
            if "fail" in spec.image or "crash" in spec.image:
                _say(database, spec.svc_name, now, STDERR, "it was told to fail")

    def stop(self, svc_name: str) -> None:
        status = self.status(svc_name)
        if status is None or status.code in (Code.SUCCEEDED, Code.FAILED):
            return
        with self._open() as database:
            database.execute("UPDATE workloads SET stopped = 1 WHERE svc_name = ?", [svc_name])

    def purge(self, svc_name: str) -> None:
        with self._open() as database:
            database.execute("DELETE FROM workloads WHERE svc_name = ?", [svc_name])
            database.execute("DELETE FROM lines WHERE svc_name = ?", [svc_name])

    def statuses(self, svc_names: Collection[str]) -> dict[str, Status]:
        wanted = set(svc_names)
        return {row.spec.svc_name: self._status_of(row) for row in self._rows() if row.spec.svc_name in wanted}

    def names(self) -> set[str]:
        return {row.spec.svc_name for row in self._rows()}

    def _rows(self) -> list[_Row]:
        with self._open() as database:
            found = database.execute("SELECT spec, started_at, touched_at, stopped FROM workloads").fetchall()
        return [_Row(parse_spec(json.loads(spec)), begin, touch, bool(stop)) for spec, begin, touch, stop in found]

    def _status_of(self, row: _Row) -> Status:
        spec = row.spec
        code, reason = self._state_of(row)
        is_live = code in (Code.DEPLOYING, Code.RUNNING)
        count = max(spec.replicas_min, 1)
        word, exit_code = {
            Code.DEPLOYING: (INSTANCE_PENDING, None),
            Code.RUNNING: (INSTANCE_RUNNING, None),
            Code.SUCCEEDED: (INSTANCE_SUCCEEDED, 0),
        }.get(code, (INSTANCE_FAILED, 1))
        has_instances = is_live or code in (Code.SUCCEEDED, Code.FAILED, Code.DEPLOY_FAILED, Code.RUNTIME_ERROR)
        started_at = datetime.fromtimestamp(row.started_at, UTC)
        return Status(
            svc_name=spec.svc_name,
            code=code,
            task_id=spec.task_id,
            reason=reason,
            message="it was told to fail" if reason else "",
            endpoint=f"{self._echo.address()}/{spec.svc_name}" if code is Code.RUNNING and spec.port else "",
            instances=tuple(
                Instance(f"{spec.svc_name}-{number}", word, started_at, exit_code=exit_code)
                for number in range(count if has_instances else 0)
            ),
            actual=count if code is Code.RUNNING else 0,
            desired=count if is_live else 0,
        )

    def _state_of(self, row: _Row) -> tuple[Code, str]:
        spec, now = row.spec, self._now()
        if row.is_stopped:
            return Code.STOPPED, ""
        if now < row.started_at + float(spec.labels.get("fake/delay-s", "0")):
            return Code.RUNNING if spec.kind is Kind.JOB else Code.DEPLOYING, ""
        if spec.kind is Kind.JOB:
            if "fail" in spec.image:
                return Code.FAILED, "ExitCode:1"
            if "wait" not in spec.image:
                return Code.SUCCEEDED, ""
            is_over = spec.deadline_s and now >= row.started_at + spec.deadline_s
            return (Code.FAILED, Reason.DEADLINE) if is_over else (Code.RUNNING, "")
        if "fail" in spec.image:
            return Code.DEPLOY_FAILED, "ExitCode:1"
        if "crash" in spec.image:
            return Code.RUNTIME_ERROR, Reason.CRASH_LOOP
        if spec.sleep_after_s and now >= row.touched_at + spec.sleep_after_s:
            return Code.SLEEPING, ""
        return Code.RUNNING, ""

    def wake(self, svc_name: str) -> None:
        for row in self._rows():
            if row.spec.svc_name == svc_name and self._state_of(row)[0] is Code.SLEEPING:
                with self._open() as database:
                    values = (self._now(), self._now(), svc_name)
                    database.execute("UPDATE workloads SET started_at = ?, touched_at = ? WHERE svc_name = ?", values)

    def touch(self, svc_name: str, *, calls: Mapping[str, int] | None = None) -> None:
        for row in self._rows():
            if row.spec.svc_name == svc_name and self._state_of(row)[0] is not Code.SLEEPING:
                with self._open() as database:
                    database.execute("UPDATE workloads SET touched_at = ? WHERE svc_name = ?", (self._now(), svc_name))

    def logs(
        self,
        svc_name: str,
        *,
        instance: str = "",
        since: datetime | None = None,
        follow: bool = False,
        limit: int = 1000,
    ) -> Iterator[LogLine | None]:
        if instance not in ("", f"{svc_name}-0"):
            return
        floor = 0.0 if since is None else since.timestamp()
        last = 0
        while True:
            with self._open() as database:
                found = database.execute(
                    "SELECT * FROM (SELECT rowid, at, stream, text FROM lines"
                    " WHERE svc_name = ? AND rowid > ? AND at >= ? ORDER BY rowid DESC LIMIT ?) ORDER BY rowid",
                    (svc_name, last, floor, limit),
                ).fetchall()
            for number, at, stream, text in found:
                last = number
                yield LogLine(datetime.fromtimestamp(at, UTC), stream, text)
            status = self.status(svc_name) if follow else None
            if status is None or status.code not in (Code.DEPLOYING, Code.RUNNING):
                return
            yield None
            time.sleep(_FOLLOW_S)

    def usage(self, svc_name: str) -> Usage | None:
        status = self.status(svc_name)
        if status is None or status.code is not Code.RUNNING:
            return None
        return Usage(self._clock.now(), cpu_millis=100 * status.actual, memory_bytes=GIB // 4 * status.actual)

    def history(self, svc_name: str, instance: str, *, since: datetime) -> History | None:
        row = next((one for one in self._rows() if one.spec.svc_name == svc_name), None)
        status = None if row is None else self._status_of(row)
        if row is None or status is None or instance not in {one.name for one in status.instances}:
            return None
        begin, end = max(since.timestamp(), row.started_at), self._now()
        moments = range(int(begin) // 60 * 60, int(end) + 1, 60)
        samples = tuple(Sample(datetime.fromtimestamp(at, UTC), 100, GIB // 4) for at in moments)
        return History(status.endpoint.partition(",")[0], samples)

    def nodes(self) -> Sequence[Node]:
        live = [row.spec for row in self._rows() if self._state_of(row)[0] in (Code.DEPLOYING, Code.RUNNING)]
        taken = [(spec.resources, max(spec.replicas_min, 1)) for spec in live]
        return [
            Node(
                name="fake",
                cpu_millis=NODE_CPU_MILLIS,
                available_cpu_millis=NODE_CPU_MILLIS - sum(one.cpu_millis * count for one, count in taken),
                memory_bytes=NODE_MEMORY_BYTES,
                available_memory_bytes=NODE_MEMORY_BYTES - sum(one.memory_bytes * count for one, count in taken),
                disk_bytes=NODE_DISK_BYTES,
                available_disk_bytes=NODE_DISK_BYTES,
                accelerators=(
                    Accelerator(
                        *("gpu", "NVIDIA", CARD_MODEL, CARDS),
                        available=CARDS - sum(one.gpu_count * count for one, count in taken),
                        memory_bytes=CARD_BYTES,
                    ),
                ),
                isolation="nothing runs",
            )
        ]

    def close(self) -> None:
        self._echo.close()


def _say(database: sqlite3.Connection, svc_name: str, at: float, stream: str, *texts: str) -> None:
    rows = [(svc_name, at, stream, text) for text in texts]
    database.executemany("INSERT INTO lines VALUES (?, ?, ?, ?)", rows)
