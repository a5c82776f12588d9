"""What a machine has, as the driver ``local`` finds it: cards by the vendors' programs, cores and memory by the kernel.

The programs in ``cards/`` print what the vendors' own print, with no card in this machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.compute.local import machine
from hub.compute.local.machine import Cards, count_cpu_millis, count_memory_bytes, select
from hub.compute.spec import Kind, Resources, WorkloadSpec
from hub.compute.states import Code, Reason
from tests.support.compute import LocalCompute
from tests.support.processes import wait_until

pytestmark = pytest.mark.any_database

PROGRAMS = Path(__file__).parent / "cards"
MIB = 1024 * 1024


@pytest.fixture
def equipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCompute]:
    """A supervisor on a machine that seems to have cards."""
    monkeypatch.setenv("PATH", f"{PROGRAMS}:/usr/bin:/bin")
    compute = LocalCompute(tmp_path)
    try:
        yield compute.start()
    finally:
        compute.close()


def test_cards_of_each_vendor_are_found_and_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{PROGRAMS}:/usr/bin:/bin")
    found = {card.id: card for card in Cards().look()}
    assert list(found) == ["GPU-aaaa", "GPU-bbbb", "MIG-1111", "MIG-2222", "amd-0", "npu-0", "npu-1"]
    first = found["GPU-aaaa"]
    assert (first.kind, first.vendor, first.model, first.percent) == ("gpu", "NVIDIA", "NVIDIA A10", 37)
    assert (first.memory_bytes, first.used_memory_bytes) == (23028 * MIB, 1024 * MIB)
    assert found["MIG-1111"].model == "NVIDIA A100 80GB PCIe MIG 3g.40gb"
    assert (found["amd-0"].model, found["amd-0"].memory_bytes) == ("AMD Instinct MI300X", 206141652992)
    npu = found["npu-0"]
    assert (npu.kind, npu.model, npu.percent) == ("npu", "910B3", 7)
    assert (npu.memory_bytes, npu.used_memory_bytes) == (65536 * MIB, 3383 * MIB)
    assert select([first, found["MIG-1111"]])["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa,MIG-1111"
    assert select([npu])["ASCEND_RT_VISIBLE_DEVICES"] == "0"
    assert select([npu])["CUDA_VISIBLE_DEVICES"] == ""

    monkeypatch.setenv("FAKE_CARDS", "hang")
    monkeypatch.setattr(machine, "PROBE_LIMIT_S", 2.0)
    began = time.monotonic()
    assert {card.vendor for card in Cards().look()} == {"AMD", "Ascend"}
    assert time.monotonic() - began < 50  # the program would take a minute
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert Cards().look() == []


def test_cards_are_leased_whole_or_by_their_memory_and_given_back(equipped: LocalCompute) -> None:
    driver = equipped.driver

    def available() -> dict[str, tuple[int, int]]:
        [node] = driver.nodes()
        return {cards.model: (cards.available, cards.count) for cards in node.accelerators}

    assert available()["NVIDIA A10"] == (2, 2)
    code = "import os, signal; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); signal.pause()"

    def run(name: str, **wanted: int) -> None:
        resources = Resources(accelerator="gpu", gpu_model="NVIDIA A10", **wanted)
        driver.run(
            WorkloadSpec(name, Kind.SPACE, 1, argv=(sys.executable, "-c", code), resources=resources), secrets={}
        )

    def seen(name: str) -> str:
        def lines() -> list[str]:
            return [line.text for line in driver.logs(name) if line is not None and line.stream == "stdout"]

        wait_until(lines, what=f"{name} to print its cards")
        return lines()[0]

    half = 12_000 * MIB
    run("half", gpu_count=1, gpu_memory_bytes=half)
    assert seen("half") == "GPU-aaaa"
    run("whole", gpu_count=1)
    assert seen("whole") == "GPU-bbbb"
    run("much", gpu_count=1, gpu_memory_bytes=half)  # neither has so much left
    run("pair", gpu_count=2)
    wait_until(lambda: getattr(driver.status("pair"), "reason", "") == Reason.NO_CAPACITY, what="the pair to wait")
    assert available()["NVIDIA A10"] == (0, 2)
    equipped.kill()
    equipped.start()  # who has which card is not forgotten
    assert available()["NVIDIA A10"] == (0, 2)
    assert getattr(driver.status("much"), "code", None) is Code.DEPLOYING
    driver.stop("whole")
    assert seen("much") == "GPU-bbbb"
    for name in ("half", "much"):
        driver.purge(name)
    assert seen("pair") == "GPU-aaaa,GPU-bbbb"
    driver.purge("pair")
    wait_until(lambda: available()["NVIDIA A10"] == (2, 2), what="the cards to come back")


def test_cores_and_memory_are_those_that_the_control_group_leaves(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:       16384 kB\nMemFree: 1 kB\n")
    whole = count_cpu_millis(tmp_path)
    assert whole >= 1000
    assert count_memory_bytes(tmp_path) == 16 * MIB
    (group / "cpu.max").write_text("50000 100000\n")
    (group / "memory.max").write_text(f"{4 * MIB}\n")
    assert count_cpu_millis(tmp_path) == 500
    assert count_memory_bytes(tmp_path) == 4 * MIB
    (group / "cpu.max").write_text("max 100000\n")
    (group / "memory.max").write_text("max\n")
    assert count_cpu_millis(tmp_path) == whole
    assert count_memory_bytes(tmp_path) == 16 * MIB
