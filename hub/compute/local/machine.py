"""What this machine has: cores, memory, and cards, as far as this process may use them.

Source of the commands and their columns: compute contract, 15.9.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024
PROBE_LIMIT_S = 3.0
PROBE_TTL_S = 30.0

# By which programs find their cards, and the value by which they find none (compute contract, 1.10 and 15.9).
HIDDEN = {
    "CUDA_VISIBLE_DEVICES": "",
    "NVIDIA_VISIBLE_DEVICES": "none",
    "ROCR_VISIBLE_DEVICES": "none",
    "HIP_VISIBLE_DEVICES": "",
    "ASCEND_VISIBLE_DEVICES": "void",
    "ASCEND_RT_VISIBLE_DEVICES": "",
}


@dataclass(frozen=True)
class Card:
    """One accelerator. id: by which it is leased. selector: what the variables in ``variables`` name it by."""

    id: str
    kind: str
    vendor: str
    model: str
    memory_bytes: int = 0
    used_memory_bytes: int = 0
    percent: int = 0
    selector: str = ""
    variables: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def count_cpu_millis(root: Path = Path("/")) -> int:
    """Thousandths of cores that this process may use: by its affinity, and by its control group's quota."""
    cores = len(os.sched_getaffinity(0)) * 1000
    with suppress(OSError, ValueError, IndexError):
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, int(quota) * 1000 // int(period))
    with suppress(OSError, ValueError):
        group = root / "sys/fs/cgroup/cpu"
        quota_us = int((group / "cpu.cfs_quota_us").read_text())
        if quota_us > 0:
            cores = min(cores, quota_us * 1000 // int((group / "cpu.cfs_period_us").read_text()))
    return max(cores, 1)


def count_memory_bytes(root: Path = Path("/")) -> int:
    """Memory that this process may use: the machine's, or less where its control group has a limit."""
    total = 0
    with suppress(OSError, ValueError, IndexError):
        total = int((root / "proc/meminfo").read_text().split()[1]) * 1024
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((root / "sys/fs/cgroup" / name).read_text())
            total = min(total, limit) if total else limit
    return total


class Cards:
    """The cards of this machine, looked for at most every half a minute, by the vendors' own programs."""

    def __init__(self) -> None:
        self._found: Sequence[Card] = ()
        self._looked_at = float("-inf")
        self._looking = threading.Lock()

    def look(self) -> Sequence[Card]:
        """The cards, looked for now; some seconds at worst."""
        found: dict[Callable[[], list[Card]], list[Card]] = {}
        threads = [threading.Thread(target=_look_for, args=(probe, found), daemon=True) for probe in _PROBES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PROBE_LIMIT_S + 2)
        self._found = [card for probe in _PROBES for card in found.get(probe, ())]
        self._looked_at = time.monotonic()
        return self._found

    def known(self) -> Sequence[Card]:
        """The cards as of the last look; one that is old is renewed meanwhile, and nobody waits for it."""
        is_old = time.monotonic() - self._looked_at > PROBE_TTL_S
        if is_old and self._looking.acquire(blocking=False):
            threading.Thread(target=self._renew, daemon=True).start()
        return self._found

    def _renew(self) -> None:
        try:
            self.look()
        finally:
            self._looking.release()


def _look_for(probe: Callable[[], list[Card]], found: dict[Callable[[], list[Card]], list[Card]]) -> None:
    # Whatever a vendor's program prints on a bad day: then its cards are not there.
    with suppress(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, subprocess.SubprocessError):
        found[probe] = probe()


def _ask(program: str, *arguments: str) -> str:
    """What a program prints; nothing where there is no such program, or it fails."""
    path = shutil.which(program)
    if path is None:
        return ""
    done = subprocess.run(
        [path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_LIMIT_S, check=False
    )
    return "" if done.returncode else done.stdout[: 4 * MIB].decode(errors="replace")


_NVIDIA_COLUMNS = "index,uuid,name,memory.total,memory.used,utilization.gpu,mig.mode.current,driver_version"


def _nvidia() -> list[Card]:
    text = _ask("nvidia-smi", f"--query-gpu={_NVIDIA_COLUMNS}", "--format=csv,noheader,nounits")
    rows = [row for line in text.splitlines() if len(row := [cell.strip() for cell in line.split(",")]) == 8]
    slices = _mig_slices() if any(row[6] == "Enabled" for row in rows) else {}
    cards = []
    for index, uuid, name, total, used, percent, mig, driver in rows:
        labels = {"driver": driver, "index": index}
        parts = slices.get(uuid, ()) if mig == "Enabled" else ()
        if parts:
            cards += [_nvidia_card(part, f"{name} MIG {profile}", 0, 0, 0, labels) for profile, part in parts]
        else:
            cards.append(_nvidia_card(uuid, name, _number(total) * MIB, _number(used) * MIB, _number(percent), labels))
    return cards


def _nvidia_card(uuid: str, name: str, total: int, used: int, percent: int, labels: Mapping[str, str]) -> Card:
    variables = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
    return Card(uuid, "gpu", "NVIDIA", name, total, used, percent, uuid, variables, labels)


def _mig_slices() -> dict[str, list[tuple[str, str]]]:
    """Card to its slices: (profile, id). Lines of ``nvidia-smi -L``."""
    found: dict[str, list[tuple[str, str]]] = {}
    card = ""
    for line in _ask("nvidia-smi", "-L").splitlines():
        if "(UUID:" not in line:
            continue
        uuid = line.partition("(UUID:")[2].strip(" )")
        words = line.split()
        if words[0] == "MIG":
            found.setdefault(card, []).append((words[1], uuid))
        else:
            card = uuid
    return found


def _amd() -> list[Card]:
    text = _ask("rocm-smi", "--showid", "--showproductname", "--showuse", "--showmeminfo", "vram", "--json")
    found = json.loads(text) if text else {}
    cards = []
    for name, facts in sorted(found.items(), key=lambda item: _number(item[0].removeprefix("card"))):
        if not name.startswith("card"):
            continue
        index = name.removeprefix("card")
        model = facts.get("Card Series") or facts.get("Card series") or facts.get("Device Name") or "AMD"
        total, used = facts.get("VRAM Total Memory (B)", ""), facts.get("VRAM Total Used Memory (B)", "")
        percent = _number(facts.get("GPU use (%)", ""))
        variables = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
        cards.append(
            Card(f"amd-{index}", "gpu", "AMD", model, _number(total), _number(used), percent, index, variables)
        )
    return cards


def _ascend() -> list[Card]:
    """The table of ``npu-smi info``: two rows a card, the first with its number, name and health."""
    lines = [line.strip("|\n ") for line in _ask("npu-smi", "info").splitlines() if line.startswith("|")]
    cards: list[Card] = []
    for first, second in itertools.pairwise(lines):
        head = first.split("|")[0].split()
        cells = [cell.strip() for cell in second.split("|")]
        if len(head) != 2 or not head[0].isdigit() or len(cells) < 3 or ":" not in cells[1]:
            continue
        percent = _number(cells[2].split()[0]) if cells[2].split() else 0
        pairs = [part.split("/") for part in cells[2].replace("/ ", "/").replace(" /", "/").split() if "/" in part]
        # The last pair is the memory of its chips' own kind (HBM); the one before may be 0 / 0.
        used, total = (_number(pairs[-1][0]) * MIB, _number(pairs[-1][1]) * MIB) if pairs else (0, 0)
        variables = ("ASCEND_RT_VISIBLE_DEVICES", "ASCEND_VISIBLE_DEVICES")
        index = str(len(cards))
        cards.append(Card(f"npu-{index}", "npu", "Ascend", head[1], total, used, percent, index, variables))
    return cards


_PROBES: tuple[Callable[[], list[Card]], ...] = (_nvidia, _amd, _ascend)


def _number(text: object) -> int:
    """The whole number that a text is; 0 for ``[N/A]`` and the like."""
    digits = str(text).strip().split(".")[0]
    return int(digits) if digits.isdigit() else 0


def select(cards: Iterable[Card]) -> dict[str, str]:
    """The variables by which a program finds just these cards, and no others."""
    found = dict(HIDDEN)
    chosen: dict[str, list[str]] = {}
    for card in cards:
        for name in card.variables:
            chosen.setdefault(name, []).append(card.selector)
    return found | {name: ",".join(selectors) for name, selectors in chosen.items()}
