"""Rows on LFS: download, upload, and memory while much goes both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import GIB, MIB, write_object
from tests.bench.measure import at_once, median, memory_bytes, run, seconds, take_turns, watch_memory
from tests.bench.peers import nginx
from tests.support.assets import sha256_of
from tests.support.lfs import LFSClient


def _endpoint(bench: Bench, name: str) -> LFSClient:
    return LFSClient(bench.account.api, bench.account.create_repository(name))


def _action(lfs: LFSClient, operation: str, thing: dict[str, Any]) -> list[str]:
    """The options with which curl carries out the action for an object."""
    [found] = lfs.batch(operation, [thing], transfers=["basic"]).json["objects"]
    action = found["actions"][operation]
    headers = [part for name, value in action.get("header", {}).items() for part in ("--header", f"{name}: {value}")]
    return [action["href"], *headers]


def _curl(*arguments: str | Path) -> None:
    run("curl", "--silent", "--show-error", "--fail", *arguments)


def measure_download(bench: Bench) -> list[Outcome]:
    files = bench.scratch("files")
    files.mkdir()
    source = files / "object"
    write_object(source, GIB, salt=0)
    thing = {"oid": sha256_of(source), "size": GIB}
    lfs = _endpoint(bench, "download")
    _curl("--upload-file", source, *_action(lfs, "upload", thing))
    server = bench.stack.enter_context(nginx(bench.scratch("nginx"), files=files))
    ours, theirs = _action(lfs, "download", thing), [f"{server.url}/files/object"]
    outcomes = []
    for streams in (1, 8):

        def rate(options: list[str], streams: int = streams) -> float:
            took = seconds(lambda: at_once(lambda _: _curl("--output", "/dev/null", *options), streams))
            return streams * GIB / took / MIB

        rate(ours), rate(theirs)
        mine, static = take_turns(bench.rounds, lambda rate=rate: rate(ours), lambda rate=rate: rate(theirs))
        ratio = median(mine) / median(static)
        outcomes.append(
            Outcome(
                f"LFS download of 1 GiB, {streams} {'stream' if streams == 1 else 'streams'}",
                f"{median(mine):,.0f} MiB/s",
                f"nginx: {median(static):,.0f} MiB/s",
                ratio,
                "≥ 0.8",
                ratio >= 0.8,
            )
        )
    source.unlink()
    return outcomes


def measure_upload(bench: Bench) -> list[Outcome]:
    lfs = _endpoint(bench, "upload")
    salt = 0
    source, copy = bench.scratch("source"), bench.scratch("copy")

    def upload() -> float:
        nonlocal salt
        salt += 1  # a content that the hub has never seen
        write_object(source, GIB, salt)
        options = _action(lfs, "upload", {"oid": sha256_of(source), "size": GIB})
        run("sync")
        return seconds(lambda: _curl("--upload-file", source, *options))

    def copy_and_hash() -> float:
        write_object(source, GIB, salt=0)
        copy.unlink(missing_ok=True)
        run("sync")
        return seconds(lambda: (run("sha256sum", source), run("cp", source, copy), run("sync")))

    mine, local = take_turns(bench.rounds, upload, copy_and_hash)
    ratio = median(local) / median(mine)
    source.unlink(), copy.unlink()
    return [
        Outcome(
            "LFS upload of 1 GiB",
            f"{GIB / median(mine) / MIB:,.0f} MiB/s",
            f"sha256sum, cp, sync: {GIB / median(local) / MIB:,.0f} MiB/s",
            ratio,
            "≥ 0.6",
            ratio >= 0.6,
        )
    ]


def measure_memory(bench: Bench) -> list[Outcome]:
    lfs = _endpoint(bench, "memory")
    source = bench.scratch("source")
    # Once small first: what a process loads with its first request is no growth.
    write_object(source, 64 * MIB, salt=1)
    warm_up = {"oid": sha256_of(source), "size": 64 * MIB}
    _curl("--upload-file", source, *_action(lfs, "upload", warm_up))
    _curl("--output", "/dev/null", *_action(lfs, "download", warm_up))

    write_object(source, 4 * GIB, salt=2)
    thing = {"oid": sha256_of(source), "size": 4 * GIB}
    idle = memory_bytes(bench.hub_pid)
    with watch_memory(bench.hub_pid) as samples:
        _curl("--upload-file", source, *_action(lfs, "upload", thing))
        _curl("--output", "/dev/null", *_action(lfs, "download", thing))
    source.unlink()
    growth = (max(samples) - idle) / MIB
    return [
        Outcome(
            "memory while 4 GiB goes up and down",
            f"+{growth:.0f} MB",
            "—",
            None,
            "≤ 64 MB",
            growth <= 64,
            f"from {idle / MIB:.0f} MB, {len(samples)} samples",
        )
    ]


ROWS = (
    Row("download", "LFS download, one stream and eight", measure_download),
    Row("upload", "LFS upload", measure_upload),
    Row("memory", "memory while 4 GiB goes up and down", measure_memory),
)
