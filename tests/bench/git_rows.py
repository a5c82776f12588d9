"""Rows on git: clone, clones at once, push, small requests, a wide folder."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import large_repository, small_repository, wide_repository
from tests.bench.measure import at_once, cpu_seconds, median, run, seconds, settle, take_turns
from tests.bench.peers import nginx


def _large(bench: Bench) -> tuple[str, str]:
    """The large repository's address on the hub and on git daemon."""
    address, name = bench.publish(large_repository(), "large")
    return address, f"{bench.daemon.url}/{name}"


def measure_clone(bench: Bench) -> list[Outcome]:
    ours, theirs = _large(bench)
    targets: list[Path] = []

    def clone(address: str) -> float:
        targets.append(bench.scratch("clone"))
        took = seconds(lambda: run("git", "clone", "--quiet", address, targets[-1]))
        shutil.rmtree(targets[-1])
        return took

    first = clone(ours)
    clone(theirs)
    mine, daemon = take_turns(bench.rounds, lambda: clone(ours), lambda: clone(theirs))
    ratio = median(mine) / median(daemon)
    return [
        Outcome(
            "clone of 200 MB in 2,000 files, wall time",
            f"{median(mine):.2f} s",
            f"git daemon: {median(daemon):.2f} s",
            ratio,
            "≤ 1.05",
            ratio <= 1.05,
            f"the first one, with nothing cached: {first:.2f} s",
        )
    ]


def measure_clone_cpu(bench: Bench) -> list[Outcome]:
    ours, theirs = _large(bench)

    def eight(address: str, pid: int) -> float:
        before = cpu_seconds(pid)
        at_once(lambda _: bench.clone(address), 8)
        return cpu_seconds(pid) - before

    first = eight(ours, bench.hub_pid)
    mine, daemon = take_turns(
        min(bench.rounds, 3), lambda: eight(ours, bench.hub_pid), lambda: eight(theirs, bench.daemon.pid)
    )
    ratio = median(mine) / median(daemon)
    return [
        Outcome(
            "8 clones of it at once, CPU of the server",
            f"{median(mine):.2f} s",
            f"git daemon: {median(daemon):.2f} s",
            ratio,
            "≤ 0.35",
            ratio <= 0.35,
            f"the first eight: {first:.2f} s",
        )
    ]


def measure_push(bench: Bench) -> list[Outcome]:
    source = large_repository()

    def push_to_us() -> float:
        name = bench.scratch("push").name
        address = bench.account.address(bench.account.create_repository(name))
        settle()
        return seconds(lambda: run("git", "-C", source, "push", "--quiet", "--force", address, "main"))

    def push_to_daemon() -> float:
        target = bench.scratch("pushed")
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", bench.repositories / target.name)
        address = f"{bench.daemon.url}/{target.name}"
        took = seconds(lambda: run("git", "-C", source, "push", "--quiet", address, "main"))
        shutil.rmtree(bench.repositories / target.name)
        return took

    mine, daemon = take_turns(bench.rounds, push_to_us, push_to_daemon)
    ratio = median(mine) / median(daemon)
    return [
        Outcome(
            "push of it, wall time",
            f"{median(mine):.2f} s",
            f"git daemon: {median(daemon):.2f} s",
            ratio,
            "≤ 1.2",
            ratio <= 1.2,
        )
    ]


def measure_small(bench: Bench) -> list[Outcome]:
    address, name = bench.publish(small_repository(), "small")
    server = bench.stack.enter_context(
        nginx(bench.scratch("nginx"), files=bench.directory, repositories=bench.repositories)
    )
    theirs = f"{server.url}/{name}"
    outcomes = []
    for what, count, action in (
        ("`ls-remote`", 400, lambda url: run("git", "ls-remote", "--quiet", url)),
        ("small clones", 200, bench.clone),
    ):

        def rate(url: str, count: int = count, action=action) -> float:
            return count / seconds(lambda: at_once(lambda _: action(url), count))

        mine, backend = take_turns(bench.rounds, lambda rate=rate: rate(address), lambda rate=rate: rate(theirs))
        ratio = median(mine) / median(backend)
        outcomes.append(
            Outcome(
                f"{count} {what}, 8 at a time",
                f"{median(mine):.0f} /s",
                f"git http-backend, nginx, fcgiwrap: {median(backend):.0f} /s",
                ratio,
                "≥ 1.2",
                ratio >= 1.2,
            )
        )
    return outcomes


def measure_tree(bench: Bench) -> list[Outcome]:
    bench.publish(wide_repository(), "wide")
    address = "/api/v1/models/ada/wide/refs/main/tree/data?limit=500"
    cursor, walked = "", 0
    times = []
    for _ in range(5):
        while True:
            path = f"{address}&cursor={cursor}" if cursor else address
            holder = []
            times.append(seconds(lambda path=path, holder=holder: holder.append(bench.hub.api.get(path).data)))
            walked += len(holder[0]["Files"])
            cursor = holder[0]["Cursor"]
            if not cursor:
                break
    if walked != 50_000:
        raise RuntimeError(f"five walks of 10,000 files showed {walked}")
    milliseconds = [1000 * value for value in times]
    p50, p95 = median(milliseconds), statistics.quantiles(milliseconds, n=20)[-1]
    return [
        Outcome(
            "tree page of a folder with 10,000 files, 500 a page, p50",
            f"{p50:.1f} ms",
            "—",
            None,
            "≤ 50 ms",
            p50 <= 50,
            f"p95 {p95:.1f} ms, {len(times)} pages",
        )
    ]


ROWS = (
    Row("clone", "clone of a large repository", measure_clone),
    Row("clone-cpu", "server's CPU of eight clones at once", measure_clone_cpu),
    Row("push", "push of a large repository", measure_push),
    Row("small", "ls-remote and small clones per second", measure_small),
    Row("tree", "page of a wide folder", measure_tree),
)
