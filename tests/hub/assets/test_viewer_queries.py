"""Filters, search, sorting and statistics of tables, and the process that answers them."""

from __future__ import annotations

import datetime
import io
import math
import os
import statistics
from collections import Counter

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from hub.assets.viewer import measures, queries
from hub.assets.viewer.engine import ENGINE, Engine, Limits, _Child
from hub.assets.viewer.exports import export_rows
from hub.assets.viewer.expressions import MAX_TERMS, read_order, read_where
from hub.assets.viewer.queries import query_rows
from hub.base.context import Context
from hub.base.errors import Invalid, Unavailable, Unprocessable
from hub.base.settings import Settings
from tests.support.tables import as_part, make_table

START = datetime.datetime(2020, 1, 1)  # noqa: DTZ001 - a column without a zone
ODD = {
    # Names that mean something to DuckDB, that differ by case, that break out of quotes.
    "file_row_number": [5, 6, 7],
    "file_index": [1, 2, 3],
    "A": ["x", "y", None],
    "a": ["1", "2", "3"],
    'q"; drop': [1.5, math.nan, None],
    "select": pa.array([1, 2, 3], pa.timestamp("ns")),
    "chat": [[{"role": "u", "content": "Héllo"}], [], None],
    "labels": pa.array([[("lang", "Nö")], [], None], pa.map_(pa.string(), pa.string())),
    "big": pa.array([2**64 - 1, 0, 1], pa.uint64()),
    "price": pa.array([1, 2, 3], pa.decimal128(10, 2)),
    "img": pa.array([{"bytes": b"x" * 1000, "path": "a.png"}, None, {"bytes": b"", "path": None}]),
    "day": [datetime.date(2020, 1, 1)] * 3,
    "flag": [True, False, None],
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    made = Engine(tmp_path_factory.mktemp("engine"), Limits(processes=2, waiting=0, memory_bytes=128 * 1024**2))
    yield made
    made.close()


@pytest.fixture
def context(engine, tmp_path, monkeypatch):
    # A slow machine makes no test fail.
    for name in ("COUNT_S", "SEARCH_S", "LIMIT_S"):
        monkeypatch.setattr(queries, name, 600.0)
    made = Context(Settings(home=tmp_path / "home"))
    made.provide(ENGINE, engine)
    return made


@pytest.fixture
def folder(tmp_path):
    # What DuckDB would take for a pattern of names.
    path = tmp_path / "a[b]*"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "HÉLLO"}, [0, 3]),
        ({"search": "nÖ"}, [0, 3]),
        ({"search": "a.PNG"}, [0, 3]),
        ({"where": "\"A\" = 'y'"}, [1, 4]),
        ({"where": "a IN ('2', '3') AND NOT A IS NULL"}, [1, 4]),
        ({"where": '"q""; drop" > 1'}, [0, 1, 3, 4]),
        ({"where": "file_row_number >= 7 OR file_index = 1"}, [0, 2, 3, 5]),
        ({"where": "chat IS NULL"}, [2, 5]),
        ({"where": "length(chat) BETWEEN 1 AND 9 and flag"}, [0, 3]),
        ({"where": "big = 18446744073709551615"}, [0, 3]),
        ({"where": "price = 1 OR price = '3'"}, [0, 2, 3, 5]),
        ({"where": "\"select\" > '1969-12-31' AND day = '2020-01-01' AND flag = false"}, [1, 4]),
        ({"where": '"img"."path" LIKE \'_.p%\''}, [0, 3]),
        ({"where": "contains(A, 'x')", "search": "1"}, [0, 3]),
        ({"where": "A = 'it''s'"}, []),
        ({"order_by": "file_index desc", "limit": 3}, [2, 5, 1]),
        ({"order_by": '"q""; drop" DESC', "where": "price < 3", "offset": 1}, [4, 0, 3]),
    ],
)
@pytest.mark.parametrize("local", [True, False])
def test_filters_search_and_order_find_rows(context, folder, query, found, local):
    table = make_table(folder, ODD, parts=2, local=local)
    page = query_rows(context, table, **query)
    assert [row.number for row in page.rows] == found
    assert (page.is_total_exact, page.is_partial) == (True, False)
    if "limit" not in query and "offset" not in query:
        assert page.total == len(found)


def test_rows_are_shown_as_any_others(context, folder):
    page = query_rows(context, make_table(folder, ODD), where="file_index = 1")
    shown = dict(zip(ODD, page.rows[0].values, strict=True))
    assert shown["img"] == {"_type": "image", "path": "a.png"}
    assert (shown["chat"], shown["labels"]) == ([{"role": "u", "content": "Héllo"}], [["lang", "Nö"]])
    assert (shown["select"], shown["price"]) == ("1970-01-01T00:00:00.000000001", "1.00")
    assert page.sql == 'SELECT * FROM "train" WHERE "file_index" = 1 LIMIT 100'
    page = query_rows(context, make_table(folder, {"text": ["It's"], "n": [1], "tags": [["a"]]}), search="it's")
    text, tags = (
        "contains(lower(\"text\"), lower('it''s'))",
        "contains(lower(CAST(\"tags\" AS VARCHAR)), lower('it''s'))",
    )
    assert page.sql == f'SELECT * FROM "train" WHERE {text} OR {tags} LIMIT 100'
    text = make_table(folder, {"text": ["a" * 200_000, "b"]})
    [first, second] = query_rows(context, text, where="length(text) > 0").rows
    assert (first.cut, len(first.values[0]), second.cut) == ([0], 100 * 1024, ())


def test_pages_of_a_filter_add_up(context, folder, monkeypatch):
    # Windows smaller than the table, so that a page begins in one and ends in another.
    monkeypatch.setattr(queries, "_FIRST_WINDOW", 700)
    monkeypatch.setattr(queries, "_MAX_WINDOW", 700)
    table = make_table(folder, {"n": list(range(3000)), "text": [f"row {n}" for n in range(3000)]}, parts=2)
    wanted = [n for n in range(6000) if n % 3000 % 7 == 3]
    # So many values that DuckDB makes a join of them.
    where = f"text LIKE 'row %' AND n IN ({', '.join(str(n) for n in wanted if n < 3000)})"
    pages = [query_rows(context, table, where=where, offset=at, limit=100) for at in range(0, 900, 100)]
    assert [row.number for page in pages for row in page.rows] == wanted
    assert {(page.total, page.is_total_exact) for page in pages} == {(len(wanted), True)}
    monkeypatch.setattr(queries, "SEARCH_S", 0.0)
    cut = query_rows(context, table, search="row 2999")
    assert (cut.rows, cut.is_partial, cut.is_total_exact, cut.searched) == ([], True, False, 700)
    monkeypatch.setattr(queries, "COUNT_S", 0.0)
    full = query_rows(context, table, search="row 1", limit=2)
    assert (len(full.rows), full.is_partial, full.is_total_exact) == (2, False, False)
    # What was counted is not counted again: the next one gets further.
    assert query_rows(context, table, search="row 2999").searched > 700


NAMES = ["id", "text", "tags", "flag"]
TYPES = [
    {"id": "bigint"},
    {"id": "varchar"},
    {"id": "list", "children": [["child", {"id": "varchar"}]]},
    {"id": "boolean"},
]


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("(((", "the end where a column was expected"),
        ("id = 'x'", "holds numbers"),
        ("id = NULL", "IS NULL"),
        ("id = 1; DROP TABLE x", "cannot be read"),
        ("id = 1 -- x", "'-'|cannot be read"),
        ("nope = 1", "no column 'nope'"),
        ("id IN (1, 2", r"'\)' was expected"),
        ("id = 1 id = 2", "AND, OR or the end"),
        ("id = (SELECT 1)", "a number, TRUE"),
        ("read_text('/etc/passwd') = 'x'", "no column 'read_text'"),
        ("tags = 1", "cannot be compared"),
        ("tags.x = 1", "no field 'x'"),
        ("flag > 3", "TRUE and FALSE"),
        ("text = 'a\0b'", "no text can have"),
        ("id = 1e999", "too large"),
        ("text LIKE '" + "%a" * 11 + "'", "10 '%'"),
        ("(" * 100 + "id=1" + ")" * 100, "nested 30"),
        ("NOT " * 100 + "flag", "nested 30"),
        (" OR ".join(["flag"] * (MAX_TERMS + 1)), f"{MAX_TERMS} conditions"),
        (" OR ".join(["id=1"] * 10_000), "10000 characters"),
        ("id IN (" + ",".join(["1"] * 1001) + ")", "1000 values"),
        ('"id = 1', "cannot be read"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_place(where, reason):
    with pytest.raises(Invalid, match=reason) as refusal:
        read_where(where, NAMES, TYPES)
    assert refusal.value.code == "query_invalid"


def test_a_filter_becomes_numbers_of_columns_and_values():
    found = read_where("Text ILIKE '%a''; --%' and (id<-5 or not contains(tags, 'x')) ", NAMES, TYPES)
    assert found.sql == "((CAST(c1 AS VARCHAR) ILIKE $1) AND ((c0 < $2) OR (NOT (list_contains(c2, $3)))))"
    assert found.parameters == ("%a'; --%", -5, "x")
    assert found.text == "\"text\" ILIKE '%a''; --%' AND (\"id\" < -5 OR NOT contains(\"tags\", 'x'))"
    for order in ("tags", "id; drop", "id sideways", "1", "id desc, text"):
        with pytest.raises(Invalid):
            read_order(order, NAMES, TYPES)


def test_a_process_that_breaks_is_replaced_and_others_do_not_notice(engine, folder):
    table = make_table(folder, {"n": list(range(2000))})
    with engine.open(table, limit_s=30) as other, engine.open(table, limit_s=30) as session:
        assert other.values("SELECT count(*) FROM @table") == [[2000]]
        with pytest.raises(Unavailable, match="Too many"), engine.open(table, limit_s=1):
            pass
        # Nothing but the table's parts can be read, and nothing written or loaded.
        for statement in (
            "SELECT * FROM read_text('/etc/hostname')",
            f"SELECT * FROM read_parquet('{folder}/../*')",
            "INSTALL httpfs",
            "SET memory_limit = '99GB'",
            "COPY (SELECT 1) TO '/tmp/hub-test-out'",
            "ATTACH '/tmp/hub-test.db'",
        ):
            with pytest.raises((Unprocessable, Invalid)):
                session.values(statement)
        # Beyond its memory, and beyond its time.
        hostile = "SELECT list(repeat(CAST(c0 AS VARCHAR), 9000000)) FROM @table"
        with pytest.raises((Unprocessable, Unavailable)):
            session.values(hostile)
        assert other.values("SELECT max(c0) FROM @table") == [[1999]]
    three = ", ".join(f"(SELECT c0 AS {name} FROM @table)" for name in "abc")
    with pytest.raises(Unavailable, match="took too long"), engine.open(table, limit_s=0.3) as session:
        session.values(f"SELECT count(*) FROM {three} WHERE a * b % 7 = c % 3")
    with engine.open(table, limit_s=30) as session:
        session._child._process.kill()
        with pytest.raises(Unavailable) as broken:
            session.values("SELECT 1 FROM @table")
        assert broken.value.code == "query_crashed"
    with engine.open(table, limit_s=30) as session:
        assert session.values("SELECT min(c0) FROM @table") == [[0]]


def test_what_answers_queries_ends_with_its_parent_and_leaves_nothing(tmp_path):
    child = _Child(tmp_path, Limits())
    child._socket.close()  # what it sees of a parent that was killed
    child._process.wait(timeout=60)
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_no_table_gives_a_reason(context, folder):
    path = folder / "broken.parquet"
    whole = make_table(folder, {"n": [1]})
    path.write_bytes(b"PAR1" + b"\xff" * 100 + (50).to_bytes(4, "little") + b"PAR1")
    broken = make_table(folder, {"n": [1]})
    object.__setattr__(broken, "parts", [as_part(path, 1)])
    with pytest.raises(Unprocessable) as refusal:
        query_rows(context, broken, where="n = 1")
    assert (refusal.value.code, str(path) in str(refusal.value)) == ("table_unreadable", False)
    assert query_rows(context, whole, where="n = 1").total == 1


def test_a_file_that_unpacks_to_more_than_there_is_memory_is_refused(context, engine, folder, tmp_path):
    small = Engine(tmp_path / "engine", Limits(memory_bytes=64 * 1024**2))
    texts = pa.table({"text": [f"{'x' * 1_000_000}{n}" for n in range(120)], "n": list(range(120))})
    path = folder / "bomb.parquet"
    parquet.write_table(texts, path, compression="zstd", use_dictionary=False, data_page_size=2**30)
    assert path.stat().st_size < 64 * 1024
    table = make_table(folder, {"text": ["a"], "n": [1]})
    object.__setattr__(table, "parts", [as_part(path, 120)])
    bounded = Context(context.settings)
    bounded.provide(ENGINE, small)
    try:
        with pytest.raises((Unprocessable, Unavailable)) as refusal:
            query_rows(bounded, table, search="y")
        assert refusal.value.code in ("query_too_large", "query_crashed")
        assert query_rows(bounded, make_table(folder, {"n": [1, 2]}), where="n = 2").total == 1
    finally:
        small.close()


@pytest.fixture
def measured(engine):
    def measure(table, rows=None):
        with engine.open(table, limit_s=60) as session:
            found = measures.measure(session, session.types(), range(len(table.columns)), rows or measures.whole(table))
        return {column["name"]: column for column in found}

    return measure


def test_statistics_are_what_python_finds(measured, folder):
    count = 5000
    numbers = [(n * 7919) % 1000 / 7 for n in range(count)]
    words = [["red", "green", "blue"][n * n % 7 % 3] for n in range(count)]
    columns = {
        "number": [*numbers[:-2], math.nan, None],
        "whole": [n % 37 for n in range(count)],
        "word": words,
        "flag": [n % 3 == 0 for n in range(count)],
        "label": [n % 4 - 1 for n in range(count)],
        "list": [[0] * (n % 5) for n in range(count)],
        "at": [START + datetime.timedelta(hours=n) for n in range(count)],
        "text": [f"{n} {'x' * (n % 11)}" for n in range(count)],
        "none": pa.nulls(count),
        "huge": [1.7e308 if n % 2 else -1.7e308 for n in range(count)],
    }
    table = make_table(folder, columns, features={"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}})
    found = measured(table)
    number = found["number"]
    assert (number["null_count"], number["nan_count"], number["kind"]) == (1, 1, "float")
    assert number["mean"] == pytest.approx(statistics.fmean(numbers[:-2]))
    assert number["std"] == pytest.approx(statistics.stdev(numbers[:-2]))
    assert (number["min"], number["max"], number["median"]) == (
        min(numbers[:-2]), max(numbers[:-2]), pytest.approx(statistics.median(numbers[:-2]))
    )  # fmt: skip
    assert (len(number["histogram"]["hist"]), sum(number["histogram"]["hist"])) == (20, count - 2)
    whole = found["whole"]
    assert (whole["median"], whole["is_median_exact"]) == (statistics.median(columns["whole"]), True)
    edges = whole["histogram"]["bin_edges"]
    assert whole["histogram"]["hist"] == [
        sum(low <= n < low + 2 for n in columns["whole"]) for low in edges[:-1]
    ]  # fmt: skip
    counted = Counter(words)
    assert found["word"]["top"] == [{"value": value, "count": n} for value, n in counted.most_common()]
    assert (found["word"]["distinct"], found["word"]["is_distinct_exact"]) == (3, True)
    assert found["flag"]["frequencies"] == {"false": count - 1667, "true": 1667}
    assert found["label"]["frequencies"] == {"cat": 1250, "dog": 1250, "2": 1250}
    assert found["label"]["no_label_count"] == 1250
    assert (found["list"]["mean"], found["list"]["histogram"]["hist"]) == (2.0, [1000] * 5)
    assert (found["at"]["min"], found["at"]["max"]) == ("2020-01-01T00:00:00", "2020-07-27T07:00:00")
    assert abs(found["text"]["distinct"] - count) < count * 0.1
    assert (found["none"]["null_count"], found["none"]["kind"]) == (count, "other")
    some = measured(table, measures.sample(table, 1000))
    assert sum(some["whole"]["histogram"]["hist"]) == 1000
    # Numbers that are farther from each other than any number.
    assert (found["huge"]["std"], found["huge"]["histogram"]["hist"]) == (None, [count])


def test_what_is_taken_away_is_what_was_found(context, folder, monkeypatch):
    columns = {"n": [1, 2, -3], "text": ["=SUM(A1)", '+x,"y"\n', "plain"], "img": ODD["img"]}
    table = make_table(folder, columns)

    def take(format, table=table, **query):
        export = export_rows(context, table, format=format, **query)
        content = b"".join(export.chunks())
        assert len(content) == export.size_bytes
        return content, export

    content, export = take("csv", order_by="n")
    assert content.decode().splitlines()[:2] == ["n,text,img.path", "-3,plain,"] or content.startswith(
        b"n,text,img\r\n"
    )
    rows = csv.read_csv(io.BytesIO(content), parse_options=csv.ParseOptions(newlines_in_values=True)).to_pylist()
    assert [row["text"] for row in rows] == ["plain", "'=SUM(A1)", '\'+x,"y"\n']
    assert [row["n"] for row in rows] == [-3, 1, 2]
    content, _ = take("jsonl", where="n > 1")
    assert content == b'{"n": 2, "text": "+x,\\"y\\"\\n", "img": null}\n'
    content, _ = take("parquet", search="plain")
    assert parquet.read_table(io.BytesIO(content)).to_pylist() == [
        {"n": -3, "text": "plain", "img": {"bytes": b"", "path": None}}
    ]
    monkeypatch.setattr("hub.assets.viewer.exports.MAX_ROWS", 2)
    content, export = take("parquet")
    assert (export.rows, export.is_cut, parquet.read_table(io.BytesIO(content)).num_rows) == (2, True, 2)
    with pytest.raises(Invalid):
        take("xlsx")
    for format in ("csv", "jsonl", "parquet"):
        assert take(format, table=make_table(folder, ODD))[1].rows == 2
