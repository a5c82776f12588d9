"""Rows on the data set viewer: pages of a table of 5,000,000 rows, against DuckDB reading them from the same file."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import SEED
from tests.bench.measure import median
from tests.support.assets import cache_path
from tests.support.huggingface import HuggingFace

ROWS_IN_ALL = 5_000_000
PAGE = 100
LAST = ROWS_IN_ALL - PAGE
# Sources: issue 6. Milliseconds; of the first page; of DuckDB.
SLOWEST_MS = 150
MOST_DEEPER = 1.3
MOST_OF_DUCKDB = 2.0
_BATCH = 250_000
_TEXTS = 200_000

UPLOAD = """
from huggingface_hub import HfApi
HfApi().upload_file(
    path_or_fileobj=given["source"], path_in_repo="train.parquet", repo_id=given["name"], repo_type="dataset"
)
answer(1)
"""


def large_table(group_rows: int | None) -> Path:
    """5,000,000 rows of numbers, texts, labels and lists as Parquet. group_rows: of a group; None: pyarrow's own."""
    target = cache_path() / f"bench-table-{group_rows or 'default'}-{SEED}.parquet"
    if target.exists():
        return target
    from pyarrow import Table, parquet

    draft = target.with_suffix(".draft")
    # Groups are cut by what is written at once: all of it, so that they are as large as they were asked for.
    table = Table.from_batches(list(_batches()))
    parquet.write_table(table, draft, **({"row_group_size": group_rows} if group_rows else {}))
    draft.rename(target)
    return target


def _batches() -> Iterator[Any]:
    import pyarrow as pa

    chance = random.Random(SEED)
    words = [f"word{number}" for number in range(5_000)]
    texts = [" ".join(chance.choices(words, k=chance.randint(4, 14))) for _ in range(_TEXTS)]
    for first in range(0, ROWS_IN_ALL, _BATCH):
        numbers = range(first, first + _BATCH)
        yield pa.record_batch(
            {
                "id": pa.array(numbers),
                "text": pa.array([f"{texts[chance.randrange(_TEXTS)]} {number}" for number in numbers]),
                "score": pa.array([chance.random() for _ in numbers]),
                "label": pa.array(["abcd"[chance.randrange(4)] for _ in numbers]),
                "count": pa.array([chance.randrange(1_000_000) for _ in numbers], pa.int32()),
                "is_new": pa.array([chance.random() < 0.5 for _ in numbers]),
                "tags": pa.array([[number % 7, number % 11] for number in numbers]),
            }
        )


def publish_table(bench: Bench, name: str, source: Path) -> None:
    """Let the table be the split "train" of a data set."""
    bench.account.create_repository(name, collection="datasets")
    client = HuggingFace(bench.scratch("client"), f"{bench.hub.url}/hf", bench.account.token, xet=False)
    try:
        client.python(UPLOAD, timeout_s=900, name=f"{bench.account.name}/{name}", source=source)
    finally:
        shutil.rmtree(client.home)


def _ask(connection: http.client.HTTPConnection, bench: Bench, name: str, offset: int) -> float:
    """Milliseconds of a page from its request to its last byte."""
    address = f"/api/v1/datasets/{bench.account.name}/{name}/dataviewer/rows?config=default&split=train"
    start = time.perf_counter()
    connection.request("GET", f"{address}&per={PAGE}&page={offset // PAGE + 1}")
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - start
    found = json.loads(body)["data"]
    assert (answer.status, found["rows"][0][0], len(found["rows"])) == (200, offset, PAGE), body[:300]
    return took * 1000


def measure_pages(bench: Bench) -> list[Outcome]:
    """The first page of a table that nobody has looked at, and one far within, with large groups of rows and small."""
    import duckdb

    outcomes = []
    for kind, group_rows in (("groups of 1,048,576 rows", None), ("groups of 100,000 rows", 100_000)):
        source, name = large_table(group_rows), f"table-{group_rows or 'default'}"
        publish_table(bench, name, source)
        connection = http.client.HTTPConnection(urlsplit(bench.hub.url).netloc)
        started = _ask(connection, bench, name, PAGE)
        peer = duckdb.connect()
        times: dict[tuple[str, int], list[float]] = {}
        for _ in range(bench.rounds * 2):
            for offset in (0, LAST):
                # Nothing is known of the file any more.
                shutil.rmtree(bench.hub.home / "cache" / "derived", ignore_errors=True)
                times.setdefault(("hub", offset), []).append(_ask(connection, bench, name, offset))
                start = time.perf_counter()
                peer.sql("SELECT * FROM read_parquet(?) LIMIT 100 OFFSET ?", params=[str(source), offset]).fetchall()
                times.setdefault(("peer", offset), []).append((time.perf_counter() - start) * 1000)
        first, last = median(times["hub", 0]), median(times["hub", LAST])
        peers = {offset: median(times["peer", offset]) for offset in (0, LAST)}
        connection.close()
        outcomes += [
            Outcome(
                f"first page of 5,000,000 rows, {kind}",
                f"{first:.0f} ms",
                f"DuckDB {peers[0]:.0f} ms",
                first / peers[0],
                f"≤ {SLOWEST_MS} ms, ≤ {MOST_OF_DUCKDB}",
                first <= SLOWEST_MS and first <= MOST_OF_DUCKDB * peers[0],
                f"nothing known of the file; {started:.0f} ms with the reader's start",
            ),
            Outcome(
                f"row {LAST:,} of it",
                f"{last:.0f} ms",
                f"DuckDB {peers[LAST]:.0f} ms",
                last / peers[LAST],
                f"≤ {MOST_DEEPER} of the first page, ≤ {MOST_OF_DUCKDB}",
                last <= MOST_DEEPER * first and last <= MOST_OF_DUCKDB * peers[LAST],
                f"{last / first:.2f} of the first page",
            ),
        ]
    return outcomes


ROWS = (Row("viewer-pages", "pages of a table of 5,000,000 rows, as DuckDB reads them", measure_pages),)
