"""Rows in the middle of a group of rows, by the pages that they lie in."""

from __future__ import annotations

import io
import random

import pyarrow as pa
import pytest
from pyarrow import parquet

from hub.assets.viewer import pages, slicing
from hub.assets.viewer.pages import read_rows
from hub.assets.viewer.worker import Source

pytestmark = pytest.mark.any_database

ROWS = 5_000


class Far:
    """A pipe whose other end has the bytes; it counts those that were asked for."""

    def __init__(self, data):
        self.data = data
        self.read = 0

    def read_range(self, _number, start, length):
        self.read += length
        return self.data[start : start + length]


def source_of(data, etag="a"):
    pipe = Far(data)
    return pipe, Source(pipe, 0, {"name": "x", "size": len(data), "path": None, "etag": etag})


@pytest.fixture(scope="module")
def table():
    chance = random.Random(1)
    lists = [None if n % 13 == 0 else [None if i == 3 else f"{n}-{i}" for i in range(chance.randrange(9))]
             for n in range(ROWS)]  # fmt: skip
    return pa.table(
        {
            "number": [*range(ROWS)],
            "text": [None if n % 7 == 0 else f"text {n}" for n in range(ROWS)],
            "label": [("a", "b", "c")[n % 3] for n in range(ROWS)],
            "list": pa.array(lists),
            "chat": [[{"role": "user", "content": str(n)}] * (n % 3) for n in range(ROWS)],
            "point": [{"x": n, "y": -n} for n in range(ROWS)],
            "when": pa.array([n * 1_000_001 for n in range(ROWS)], pa.timestamp("us", tz="UTC")),
            "empty": pa.nulls(ROWS, pa.int32()),
        }
    )


@pytest.mark.parametrize(
    "options",
    [
        {"data_page_version": "1.0", "compression": "snappy"},
        {"data_page_version": "2.0", "compression": "zstd"},
        {"data_page_version": "1.0", "compression": "none", "use_dictionary": False, "write_page_index": True},
        {"data_page_version": "2.0", "compression": "gzip", "use_dictionary": False},
        {"data_page_version": "1.0", "compression": "lz4"},
    ],
    ids=str,
)
def test_slices_are_the_rows_of_the_file(table, options, monkeypatch):
    monkeypatch.setattr(slicing, "_MIN_GROUP_BYTES", 0)
    monkeypatch.setattr(slicing, "_FAR_BYTES", 2048)
    sink = io.BytesIO()
    parquet.write_table(table, sink, row_group_size=2_000, data_page_size=512, write_batch_size=64, **options)
    _, source = source_of(sink.getvalue(), etag=str(options))
    is_known = options["compression"] != "lz4"
    for first, count in ((0, 10), (1_990, 30), (2_500, 1), (4_990, 10), (3_333, 700), (0, 10)):
        found = slicing.slice_columns(source, [*range(len(table.columns))], first, count)
        assert set(found) == ({0, 1, 2, 3, 6, 7} if is_known else set())
        for column, values in found.items():
            assert values.to_pylist() == table.column(column).slice(first, count).to_pylist(), (column, first)


def test_of_a_large_group_little_is_read(table, monkeypatch):
    monkeypatch.setattr(slicing, "_MIN_GROUP_BYTES", 0)
    monkeypatch.setattr(slicing, "_FAR_BYTES", 1024)
    sink = io.BytesIO()
    flat = table.select(["number", "text", "list"])
    parquet.write_table(flat, sink, data_page_size=1024, write_batch_size=64, use_dictionary=False)
    data = sink.getvalue()
    pipe, source = source_of(data, etag="flat")
    options = {"media": {}, "columns": 3}
    assert read_rows([source], spans=[[0, 2]], **options)["rows"] == [
        [0, None, None],
        [1, "text 1", [*flat["list"][1].as_py()]],
    ]
    pipe.read = 0
    assert read_rows([source], spans=[[20, 1]], **options)["rows"][0][0] == 20
    assert pipe.read < len(data) // 10
    assert read_rows([source], spans=[[4_000, 1]], **options)["rows"][0][:2] == [4_000, "text 4000"]
    pipe.read = 0
    assert read_rows([source], spans=[[3_999, 2]], **options)["rows"][0][0] == 3_999
    assert pipe.read < len(data) // 10


def test_pages_of_a_near_file_do_not_start_duckdb(table, tmp_path, monkeypatch):
    monkeypatch.setattr(slicing, "_MIN_GROUP_BYTES", 0)
    monkeypatch.setattr(pages, "_connect", None)
    near = tmp_path / "x.parquet"
    parquet.write_table(table.select(["number", "text"]), near)
    source = Source(None, 0, {"name": "x", "size": near.stat().st_size, "path": str(near), "etag": "near"})
    page = read_rows([source], spans=[[4_000, 2]], media={}, columns=2)
    assert page["rows"] == [[4_000, "text 4000"], [4_001, "text 4001"]]
