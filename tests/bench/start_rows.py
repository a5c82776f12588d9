"""Rows on the hub as a whole: how soon it answers and how much it holds."""

from __future__ import annotations

import time

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import MIB
from tests.bench.measure import median, memory_bytes, seconds
from tests.support.hub import HubServer
from tests.support.processes import wait_until


def _first_answer(hub: HubServer) -> float:
    def start() -> None:
        hub.spawn()
        wait_until(lambda: hub.answers("/-/health"), what="an answer")

    return seconds(start)


def measure_start(bench: Bench) -> list[Outcome]:
    fresh, again, resident, shared = [], [], [], []
    for _ in range(min(bench.rounds, 3)):
        hub = bench.new_hub()
        fresh.append(_first_answer(hub))
        wait_until(hub.is_ready, what="the hub to be ready")
        hub.stop()
        again.append(_first_answer(hub))
        wait_until(hub.is_ready, what="the hub to be ready")
        # Every process has said something once, and then had time to fall silent.
        time.sleep(3)
        assert hub.process is not None
        resident.append(memory_bytes(hub.process.pid) / MIB)
        shared.append(memory_bytes(hub.process.pid, is_shared_split=True) / MIB)
        processes = len(hub.processes())
        hub.stop()
    return [
        Outcome(
            "`hub serve` on an empty home, start to first answer",
            f"{median(fresh):.1f} s",
            "—",
            None,
            "≤ 4 s",
            median(fresh) <= 4,
            f"on a home that exists: {median(again):.1f} s",
        ),
        Outcome(
            "resident memory idle, all processes, shared pages counted once",
            f"{median(shared):.0f} MB",
            "—",
            None,
            "≤ 350 MB",
            median(shared) <= 350,
            f"{processes} processes; with shared pages counted in each {median(resident):.0f} MB",
        ),
    ]


ROWS = (Row("start", "start and idle memory", measure_start),)
