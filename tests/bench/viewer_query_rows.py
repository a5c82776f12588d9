"""Rows on the data set viewer's queries: statistics of a table of 5,000,000 rows, and what filters find in it."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from hub.assets.viewer import measures
from hub.assets.viewer.engine import Engine
from hub.assets.viewer.features import describe_columns
from hub.assets.viewer.parts import Column, Content, Part, Table
from hub.assets.viewer.statistics import BATCH
from tests.bench.bench import Bench, Outcome, Row
from tests.bench.measure import median, seconds, take_turns
from tests.bench.viewer_rows import ROWS_IN_ALL, large_table, publish_table

# Source: issue 6.
MOST_OF_SUMMARIZE = 1.5
_NAME = "queried"
_LIMIT_S = 600.0


def _open(path: Path) -> Table:
    """The file as a table of the viewer's."""
    from pyarrow import parquet

    columns = [Column(**column) for column in describe_columns(parquet.read_schema(path))]

    def open_range(start: int, length: int) -> list[bytes]:
        with path.open("rb") as stream:
            stream.seek(start)
            return [stream.read(length)]

    size = path.stat().st_size
    part = Part(path.name, size, ROWS_IN_ALL, Content(path.name, path.name, size, open_range, path))
    return Table("default", "train", path.name, columns, [part], ROWS_IN_ALL, False, "")


def measure_statistics(bench: Bench) -> list[Outcome]:
    """All that the job works out of the table, its process's start included, against SUMMARIZE of the same file."""
    import duckdb

    source = large_table(100_000)
    table = _open(source)
    rows = measures.whole(table)

    def ours() -> None:
        engine = Engine(bench.scratch("engine"))
        with engine.open(table, limit_s=_LIMIT_S) as session:
            types = session.types()
            for first in range(0, len(types), BATCH):
                found = measures.measure(session, types, range(first, min(first + BATCH, len(types))), rows)
                assert not any("error" in column for column in found), found
        engine.close()

    def theirs() -> None:
        with duckdb.connect() as connection:
            connection.sql(f"SUMMARIZE SELECT * FROM read_parquet('{source}')").fetchall()

    mine, peers = take_turns(bench.rounds, lambda: seconds(ours), lambda: seconds(theirs))
    ratio = median(mine) / median(peers)
    return [
        Outcome(
            "statistics of 5,000,000 rows, 7 columns",
            f"{median(mine):.1f} s",
            f"DuckDB's SUMMARIZE {median(peers):.1f} s",
            ratio,
            f"≤ {MOST_OF_SUMMARIZE}",
            ratio <= MOST_OF_SUMMARIZE,
            "with histograms and the most frequent texts, which SUMMARIZE has not",
        )
    ]


def measure_queries(bench: Bench) -> list[Outcome]:
    """The first page of what a filter finds and how many rows there are, over HTTP, against DuckDB alone."""
    import duckdb

    source = large_table(100_000)
    publish_table(bench, _NAME, source)
    address = f"/api/v1/datasets/{bench.account.name}/{_NAME}/dataviewer/rows?config=default&split=train&per=100&page=1"
    connection = http.client.HTTPConnection(urlsplit(bench.hub.url).netloc)
    # Each asks for another value: what was found before is of no use.
    numbers = itertools.count(1000)

    def ask(words: str) -> float:
        start = time.perf_counter()
        connection.request("GET", f"{address}&{words}")
        answer = connection.getresponse()
        found = json.loads(answer.read())
        assert found["data"]["rows"], found
        return time.perf_counter() - start

    def alone(condition: str) -> float:
        start = time.perf_counter()
        read = f"FROM read_parquet('{source}') WHERE {condition}"
        peer.sql(f"SELECT * {read} LIMIT 100").fetchall()
        peer.sql(f"SELECT count(*) {read}").fetchall()
        return time.perf_counter() - start

    outcomes = []
    with duckdb.connect() as peer:
        ask("where=" + quote("count < 10"))  # starts the process
        for title, condition in (
            ("a filter of two columns", "label = 'b' AND count > {}"),
            ("a filter that finds one row", "id = {}"),
        ):
            mine, peers = take_turns(
                bench.rounds,
                lambda condition=condition: ask("where=" + quote(condition.format(next(numbers)))),
                lambda condition=condition: alone(condition.format(next(numbers))),
            )
            outcomes.append(
                Outcome(
                    f"first page and total of {title}, 5,000,000 rows",
                    f"{median(mine) * 1000:.0f} ms",
                    f"DuckDB alone {median(peers) * 1000:.0f} ms",
                    median(mine) / median(peers),
                    "—",
                    True,
                    "over HTTP, in a process of its own",
                )
            )
    connection.close()
    return outcomes


ROWS = (
    Row("viewer-statistics", "statistics of a table of 5,000,000 rows, against SUMMARIZE", measure_statistics),
    Row("viewer-filter", "what a filter finds in a table of 5,000,000 rows, against DuckDB alone", measure_queries),
)
