"""Rows on huggingface_hub, unmodified: download, upload, many small files, and an edited file, with Xet and without."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import GIB, KIB, MIB
from tests.bench.measure import median, take_turns
from tests.bench.peers import nginx, xet_sink
from tests.support.huggingface import HuggingFace
from tests.support.noise import edit, write_noise
from tests.support.proxy import counting_proxy

FILES = 2000

# Each measures itself, so that nobody pays for the start of Python.
DOWNLOAD = """
import time
from huggingface_hub import hf_hub_download
start = time.perf_counter()
hf_hub_download(given["name"], "weights.bin", local_dir=given["target"])
answer(time.perf_counter() - start)
"""
SNAPSHOT = """
import time
from huggingface_hub import snapshot_download
start = time.perf_counter()
snapshot_download(given["name"])
answer(time.perf_counter() - start)
"""
UPLOAD = """
import time
from huggingface_hub import HfApi
start = time.perf_counter()
HfApi().upload_file(path_or_fileobj=given["source"], path_in_repo="weights.bin", repo_id=given["name"])
answer(time.perf_counter() - start)
"""
SINK = """
import os, time
os.environ["HF_XET_CACHE"] = given["cache"]
import hf_xet
start = time.perf_counter()
commit = hf_xet.XetSession().new_upload_commit(
    endpoint=given["url"], token="none", token_expiry_unix_secs=int(time.time()) + 3000
)
commit.start_upload_file(given["source"])
commit.wait_to_finish()
answer(time.perf_counter() - start)
"""
CHUNK = """
import time, hf_xet
hash_files = getattr(hf_xet, "hash_files")
start = time.perf_counter()
hash_files([given["source"]])
answer(time.perf_counter() - start)
"""


def _client(bench: Bench, url: str = "", **options: Any) -> HuggingFace:
    """A client that knows nothing yet; its home is thrown away by ``_ask``."""
    return HuggingFace(bench.scratch("client"), url or f"{bench.hub.url}/hf", bench.account.token, **options)


def _ask(client: HuggingFace, script: str, **values: Any) -> Any:
    try:
        return client.python(script, timeout_s=900, **values)
    finally:
        shutil.rmtree(client.home)


def _repository(bench: Bench, name: str) -> str:
    bench.account.create_repository(name)
    return f"{bench.account.name}/{name}"


def _as_hub(location: str, files: Path) -> str:
    """nginx's lines for files that the client takes for a hub's: their headers are those that it needs."""
    return f'location {location}/ {{ alias {files}/; add_header X-Repo-Commit "{"0" * 40}"; }}\n'


def measure_download(bench: Bench) -> list[Outcome]:
    files = bench.scratch("files")
    files.mkdir()
    source = write_noise(files / "weights.bin", GIB, seed=1)
    chunked, whole = _repository(bench, "chunked"), _repository(bench, "whole")
    _ask(_client(bench), UPLOAD, name=chunked, source=source)
    # The same content would be kept once: this one differs in one byte.
    with source.open("r+b") as stream:
        stream.write(b"1")
    _ask(_client(bench, xet=False), UPLOAD, name=whole, source=source)
    static = nginx(bench.scratch("nginx"), files=files, more=_as_hub("/ada/static/resolve/main", files))
    server = bench.stack.enter_context(static)

    def rate(url: str, name: str, *, xet: bool) -> float:
        client = _client(bench, url, xet=xet)
        return GIB / float(_ask(client, DOWNLOAD, name=name, target=client.home / "out")) / MIB

    outcomes = []
    for title, name, xet in (
        ("by Xet", chunked, True),
        ("by resolve, kept in chunks", chunked, False),
        ("by resolve, kept whole", whole, False),
    ):
        ours, theirs = take_turns(
            min(bench.rounds, 3),
            lambda name=name, xet=xet: rate("", name, xet=xet),
            lambda: rate(server.url, "ada/static", xet=False),
        )
        ratio = median(ours) / median(theirs)
        outcomes.append(
            Outcome(
                f"hf download of 1 GiB, {title}",
                f"{median(ours):,.0f} MiB/s",
                f"nginx, same client: {median(theirs):,.0f} MiB/s",
                ratio,
                "≥ 0.7",
                ratio >= 0.7,
            )
        )
    shutil.rmtree(files)
    return outcomes


def measure_upload(bench: Bench) -> list[Outcome]:
    source = bench.scratch("source")
    names = (_repository(bench, f"upload{number}") for number in range(99))
    seeds = iter(range(100, 199))

    def upload() -> float:
        write_noise(source, GIB, seed=next(seeds))  # a content that the hub has never seen
        return float(_ask(_client(bench), UPLOAD, name=next(names), source=source))

    def chunk() -> float:
        if not source.exists():
            write_noise(source, GIB, seed=99)
        return float(_ask(_client(bench), CHUNK, source=source))

    def send_to_nobody() -> float:
        write_noise(source, GIB, seed=next(seeds))
        client = _client(bench)
        return float(_ask(client, SINK, url=sink.url, source=source, cache=client.home / "cache"))

    ours, alone = take_turns(min(bench.rounds, 3), upload, chunk)
    with xet_sink() as sink:
        again, nobody = take_turns(min(bench.rounds, 3), upload, send_to_nobody)
    source.unlink()
    ratio, least = median(alone) / median(ours), median(nobody) / median(again)
    return [
        Outcome(
            "hf upload of 1 GiB of new data, by Xet",
            f"{GIB / median(ours) / MIB:,.0f} MiB/s",
            f"the client's chunking alone: {GIB / median(alone) / MIB:,.0f} MiB/s",
            ratio,
            "≥ 0.5",
            ratio >= 0.5,
            f"{median(alone) / median(nobody):.2f} is what the client reaches with a service that keeps nothing; "
            f"{least:.2f} of that is reached here",
        )
    ]


def measure_edit(bench: Bench) -> list[Outcome]:
    first = write_noise(bench.scratch("first"), GIB, seed=2)
    second = edit(first, bench.scratch("second"))
    name = _repository(bench, "edited")
    took = float(_ask(_client(bench), UPLOAD, name=name, source=first))
    with counting_proxy(bench.hub.port) as proxy:
        again = float(_ask(_client(bench, f"{proxy.url}/hf"), UPLOAD, name=name, source=second))
        moved = proxy.sent_bytes + proxy.received_bytes
    first.unlink(), second.unlink()
    share = moved / GIB
    return [
        Outcome(
            "hf upload of 1 GiB of which 1 % was edited in 20 places, client without a memory: moved",
            f"{share:.1%}",
            "—",
            None,
            "≤ 4 %",
            share <= 0.04,
            f"{moved / MIB:.1f} MiB in {again:.1f} s; the first time {took:.1f} s",
        )
    ]


def measure_snapshot(bench: Bench) -> list[Outcome]:
    name, source = _repository(bench, "many"), bench.scratch("many")
    for number in range(FILES):
        path = source / f"part{number % 20:02}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * (2 * KIB // 6))
        # nginx makes ETags of times in seconds and sizes, and of files with the same one the client fetches the first.
        os.utime(path, (number, number))
    client = _client(bench)
    client.hf("upload", name, source, ".", timeout_s=600)
    api, mirror = bench.account.api, bench.scratch("mirror")
    info = api.get(f"/hf/api/models/{name}/revision/main").json
    commit, entries, page = info["sha"], [], f"/hf/api/models/{name}/tree/{info['sha']}?recursive=true&expand=false"
    while page:
        answer = api.get(page)
        entries += answer.json
        page = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
    mirror.mkdir()
    (mirror / "main").write_text(json.dumps(info))
    (mirror / "tree").write_text(json.dumps(entries))
    for file in (".gitattributes", "README.md"):
        (source / file).write_bytes(api.get(f"/hf/{name}/resolve/main/{file}").body)
    more = (
        f'location /{name}/resolve/{commit}/ {{ alias {source}/; add_header X-Repo-Commit "{commit}"; }}\n'
        f"location = /api/models/{name}/revision/main {{ alias {mirror}/main; default_type application/json; }}\n"
        f"location = /api/models/{name}/tree/{commit} {{ alias {mirror}/tree; default_type application/json; }}\n"
    )
    server = bench.stack.enter_context(nginx(bench.scratch("nginx"), files=source, more=more))

    def took(url: str) -> float:
        return float(_ask(_client(bench, url), SNAPSHOT, name=name))

    ours, theirs = take_turns(min(bench.rounds, 3), lambda: took(""), lambda: took(server.url))
    shutil.rmtree(source)
    ratio = median(ours) / median(theirs)
    return [
        Outcome(
            f"snapshot_download of {FILES:,} small files",
            f"{median(ours):.1f} s",
            f"nginx with the same answers: {median(theirs):.1f} s",
            ratio,
            "≤ 1.5",
            ratio <= 1.5,
        )
    ]


ROWS = (
    Row("hf-download", "huggingface_hub downloads 1 GiB, by Xet and by resolve", measure_download),
    Row("hf-upload", "huggingface_hub uploads 1 GiB of new data by Xet", measure_upload),
    Row("hf-edit", "what moves when 1 % of 1 GiB was edited", measure_edit),
    Row("hf-snapshot", "snapshot_download of 2,000 small files", measure_snapshot),
)
