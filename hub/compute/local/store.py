"""What the supervisor remembers of workloads, in a SQLite file of its own: what is wanted, and what became of it.

Which processes run is not in it: that is told by the keepers' records, which are written by who knows.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS workloads (
    svc_name TEXT PRIMARY KEY, number INTEGER NOT NULL, spec TEXT NOT NULL, mounts TEXT NOT NULL,
    sealed TEXT NOT NULL, state TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS instances (
    svc_name TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (svc_name, number)
);
CREATE TABLE IF NOT EXISTS samples (
    svc_name TEXT NOT NULL, number INTEGER NOT NULL, minute INTEGER NOT NULL, cpu_millis INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL, PRIMARY KEY (svc_name, number, minute)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class WorkloadRow:
    """A workload as it was stored. number: in the order of their first start. sealed: its secrets, encrypted."""

    svc_name: str
    number: int
    spec: dict[str, Any]
    mounts: dict[str, str]
    sealed: str
    state: dict[str, Any]


class Store:
    """The file; one process has it open. Each call is a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        # What is committed survives this process in any case, and with WAL also a power cut, if not the last of it.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA cache_size = -512")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def workloads(self) -> Iterator[WorkloadRow]:
        """All of them, in the order in which they came."""
        query = "SELECT svc_name, number, spec, mounts, sealed, state FROM workloads ORDER BY number"
        for name, number, spec, mounts, sealed, state in self._connection.execute(query).fetchall():
            yield WorkloadRow(name, number, json.loads(spec), json.loads(mounts), sealed, json.loads(state))

    def instances(self, svc_name: str) -> dict[int, dict[str, Any]]:
        """The instances of a workload by number."""
        query = "SELECT number, state FROM instances WHERE svc_name = ?"
        rows = self._connection.execute(query, (svc_name,)).fetchall()
        return {number: json.loads(state) for number, state in rows}

    def save_workload(self, row: WorkloadRow) -> None:
        """Store a workload as it is now."""
        values = (row.svc_name, row.number, json.dumps(row.spec), json.dumps(row.mounts), row.sealed)
        self._connection.execute(
            "INSERT INTO workloads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (svc_name) DO UPDATE SET number = "
            "excluded.number, spec = excluded.spec, mounts = excluded.mounts, sealed = excluded.sealed, "
            "state = excluded.state",
            (*values, json.dumps(row.state)),
        )

    def save_state(self, svc_name: str, state: dict[str, Any]) -> None:
        """Store what became of a workload."""
        self._connection.execute("UPDATE workloads SET state = ? WHERE svc_name = ?", (json.dumps(state), svc_name))

    def save_instance(self, svc_name: str, number: int, state: dict[str, Any]) -> None:
        """Store what became of an instance."""
        self._connection.execute(
            "INSERT INTO instances VALUES (?, ?, ?) "
            "ON CONFLICT (svc_name, number) DO UPDATE SET state = excluded.state",
            (svc_name, number, json.dumps(state)),
        )

    def save_samples(self, rows: Sequence[tuple[str, int, int, int, int]], *, oldest: int) -> None:
        """Store what instances used: name, number, minute, processor, memory. Older ones than the oldest go."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?)", rows)
        for svc_name, number in {row[:2] for row in rows}:
            query = "DELETE FROM samples WHERE svc_name = ? AND number = ? AND minute < ?"
            self._connection.execute(query, (svc_name, number, oldest))
        self._connection.execute("COMMIT")

    def samples(self, svc_name: str, number: int, since: int) -> list[tuple[int, int, int]]:
        """What an instance used: minute, processor and memory, the oldest first."""
        query = "SELECT minute, cpu_millis, memory_bytes FROM samples WHERE svc_name = ? AND number = ? AND minute >= ?"
        return self._connection.execute(f"{query} ORDER BY minute", (svc_name, number, since)).fetchall()

    def forget(self, svc_name: str) -> None:
        """Remove a workload and its instances."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table in ("instances", "samples"):
            self._connection.execute(f"DELETE FROM {table} WHERE svc_name = ?", (svc_name,))  # noqa: S608 - not theirs
        self._connection.execute("DELETE FROM workloads WHERE svc_name = ?", (svc_name,))
        self._connection.execute("COMMIT")

    def next(self, counter: str) -> int:
        """A number that was never given before."""
        query = "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        [(value,)] = self._connection.execute(query, (counter,)).fetchall()
        return int(value)
