"""Run the benchmarks and print a table in Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from contextlib import ExitStack
from datetime import UTC, datetime

from hub import __version__
from tests.bench import (
    api_rows,
    gateway_rows,
    git_rows,
    hf_rows,
    lfs_rows,
    page_rows,
    plugin_rows,
    pull_rows,
    start_rows,
    viewer_query_rows,
    viewer_rows,
    xet_rows,
)
from tests.bench.bench import Bench, Outcome, Row
from tests.bench.peers import NotHere
from tests.support.servers import scratch_directory

ROWS: dict[str, Row] = {
    row.name: row
    for rooms in (
        *(git_rows, lfs_rows, hf_rows, xet_rows, start_rows),
        *(plugin_rows, pull_rows, api_rows, viewer_rows, viewer_query_rows, page_rows, gateway_rows),
    )
    for row in rooms.ROWS
}


def format_line(outcome: Outcome) -> str:
    """One line of the table."""
    ratio = "—" if outcome.ratio is None else f"{outcome.ratio:.2f}"
    cells = (outcome.measure, outcome.ours, outcome.peer, ratio, outcome.reach, "yes" if outcome.is_met else "**no**")
    return f"| {' | '.join(cells)} | {outcome.note} |"


def parse_settings(words: list[str]) -> dict[str, str]:
    """``["web_workers=2"]`` as a dictionary."""
    pairs = [word.partition("=") for word in words]
    return {name: value for name, _, value in pairs}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--row", action="append", choices=[*ROWS, "list"], help="run only this row; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured (default: %(default)s)")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE", help="a setting of the hub")
    arguments = parser.parse_args()
    if arguments.row and "list" in arguments.row:
        for row in ROWS.values():
            print(f"{row.name:12} {row.title}")
        return 0

    # A run that is told to end stops its servers, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(
        f"hub {__version__}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    print("\n| measure | hub | against, in the same run | ratio | reach | met | note |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    is_all_met = True
    with scratch_directory("bench") as directory, ExitStack() as stack:
        bench = Bench(stack, directory, settings=parse_settings(arguments.setting), rounds=arguments.rounds)
        for name in arguments.row or ROWS:
            try:
                for outcome in ROWS[name].measure(bench):
                    is_all_met &= outcome.is_met
                    print(format_line(outcome), flush=True)
            except NotHere as reason:
                print(f"| {ROWS[name].title} | — | not run: {reason} | — | — | — | |", flush=True)
    return 0 if is_all_met else 1


if __name__ == "__main__":
    sys.exit(main())
