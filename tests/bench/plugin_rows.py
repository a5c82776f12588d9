"""Rows on plugins: what they cost a start, and that one which is disabled costs nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from hub.plugin.discovery import find_installed
from tests.bench.bench import Bench, Outcome, Row
from tests.bench.measure import median, run, seconds, take_turns

# What each web worker does at its start, up to the application being ready.
START = "from hub.app import create_app_from_environment; create_app_from_environment()"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def _environment(home: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return kept | {"HUB_HOME": str(home)} | {f"HUB_{name.upper()}": value for name, value in settings.items()}


def measure_plugins(bench: Bench) -> list[Outcome]:
    home = bench.scratch("home")
    run(sys.executable, "-m", "hub.cli", "db", "upgrade", environment=_environment(home))
    names = sorted(name for name, plugin in find_installed().items() if plugin.distribution == "hub-forge")
    with_all = _environment(home)
    with_none = _environment(home, plugins_disabled=",".join(names))

    def start(environment: dict[str, str]) -> float:
        return seconds(lambda: run(sys.executable, "-c", START, environment=environment))

    ours, theirs = take_turns(2 * bench.rounds, lambda: start(with_all), lambda: start(with_none))
    ratio = median(ours) / median(theirs)
    spent_us, modules = _import_time(with_none, names)
    return [
        Outcome(
            "start of a web worker with all bundled plugins",
            f"{median(ours):.2f} s",
            f"with none: {median(theirs):.2f} s",
            ratio,
            "≤ 1.5",
            ratio <= 1.5,
            f"bundled: {', '.join(names)}",
        ),
        Outcome(
            "import time of the bundled plugins while all are disabled (`-X importtime`)",
            f"{spent_us} µs",
            "—",
            None,
            "0 µs",
            not modules,
            f"{len(modules)} of their modules are imported",
        ),
    ]


def _import_time(environment: dict[str, str], names: list[str]) -> tuple[int, list[str]]:
    """Microseconds spent importing plugins' own modules, and which these were."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", START], env=environment, capture_output=True, text=True, check=True
    )
    packages = {find_installed()[name].package for name in names}
    spent_us, modules = 0, []
    for microseconds, module in _LINE.findall(done.stderr):
        if any(module == package or module.startswith(f"{package}.") for package in packages):
            spent_us += int(microseconds)
            modules.append(module)
    return spent_us, modules


ROWS = (Row("plugins", "what plugins cost a start", measure_plugins),)
