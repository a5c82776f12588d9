"""Statistics of data sets' tables and what is taken away from them, over REST and as Hugging Face's viewer tells it."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import func, select

from hub.accounts.policy import Actor
from hub.assets.models_statistics import ViewerStatistics, ViewerStatisticsBatch
from hub.assets.viewer import statistics
from hub.db.uow import reading
from hub.jobs.models import Job, JobState
from hub.jobs.run import execute
from hub.repos.files import FileEdit, commit_files

ADDRESS = "/api/v1/datasets/ada/corpus/dataviewer"
SERVER = "/-/datasets-server"
SPLIT = {"config": "default", "split": "train"}
OF_SERVER = {"dataset": "ada/corpus", **SPLIT}


def as_parquet(columns):
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


COLUMNS = {
    "n": list(range(100)),
    "word": ["=red", "green"] * 50,
    "text": [f"text {n}" for n in range(100)],
    "flag": [True, False, None, True] * 25,
}


@pytest.fixture
def ask(client):
    """``ask(caller, "/path", where="n > 1")``: the answer to a GET."""

    def get(caller, path, **query):
        return client.get(path, query_string=query, headers=caller.headers, buffered=True)

    return get


@pytest.fixture
def ada(as_user):
    return as_user("ada")


@pytest.fixture
def write(context, ada, make_repository):
    repository = make_repository(ada.user, "corpus", kind="dataset", private=True)
    actor = Actor.of_user(ada.user, via="session")

    def commit(files):
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        return commit_files(context, actor=actor, repository_id=repository.id, message="Files", edits=edits).commit_id

    commit({"train.parquet": as_parquet(COLUMNS), "test.csv": b"a\n1\n"})
    return commit


def test_statistics_come_as_they_are_worked_out_and_are_shared(ask, ada, nobody, write, context, monkeypatch):
    monkeypatch.setattr(statistics, "BATCH", 2)
    assert ask(nobody, f"{ADDRESS}/statistics", **SPLIT).status_code == 404
    first = ask(ada, f"{ADDRESS}/statistics", **SPLIT).json["data"]
    assert (first["state"], first["columns"], first["column_count"], first["num_rows"]) == ("pending", [], 4, 100)
    ask(ada, f"{ADDRESS}/statistics", **SPLIT)
    assert ask(ada, f"{SERVER}/statistics", **OF_SERVER).status_code == 503
    # The worker ends after the first batch; the job that goes on measures the second only.
    real, measured = statistics._measure, []

    def once(context, table, types, numbers, rows):
        measured.append(list(numbers))
        if len(measured) == 2:
            raise KeyboardInterrupt
        return real(context, table, types, numbers, rows)

    monkeypatch.setattr(statistics, "_measure", once)
    with reading(context) as work:
        job = work.session.scalars(select(Job).where(Job.name == "assets.measure_table")).one()
    run = _Run(context)
    with pytest.raises(KeyboardInterrupt):
        statistics.measure_table(run, **job.args)
    half = ask(ada, f"{ADDRESS}/statistics", **SPLIT).json["data"]
    assert (half["state"], half["columns_done"], [each["name"] for each in half["columns"]]) == (
        "running",
        2,
        ["n", "word"],
    )
    assert execute(context, job.uuid) == JobState.SUCCEEDED
    assert measured == [[0, 1], [2, 3], [2, 3]]
    whole = ask(ada, f"{ADDRESS}/statistics", **SPLIT).json["data"]
    assert (whole["state"], whole["sample"], len(whole["columns"])) == ("done", False, 4)
    number = whole["columns"][0]
    assert (number["kind"], number["min"], number["max"], number["median"]) == ("integer", 0, 99, 49.5)
    assert number["histogram"]["hist"] == [5] * 20
    page = ask(ada, f"{ADDRESS}/statistics", **SPLIT, page=2, per=3).json["data"]
    assert [each["name"] for each in page["columns"]] == ["flag"]
    # Another revision with the same files has them at once, and asks for nothing.
    write({"README.md": b"# Corpus"})
    again = ask(ada, f"{ADDRESS}/statistics", **SPLIT).json["data"]
    assert (again["state"], again["commit"] != whole["commit"]) == ("done", True)
    with reading(context) as work:
        assert work.session.scalar(select(func.count()).select_from(ViewerStatistics)) == 1
        assert work.session.scalar(select(func.count()).select_from(Job).where(Job.name == "assets.measure_table")) == 1
    told = ask(ada, f"{SERVER}/statistics", **OF_SERVER)
    assert told.headers["X-Revision"] == again["commit"]
    columns = {each["column_name"]: each for each in told.json["statistics"]}
    assert {name: each["column_type"] for name, each in columns.items()} == {
        "n": "int",
        "word": "string_label",
        "text": "string_text",
        "flag": "bool",
    }
    assert columns["word"]["column_statistics"]["frequencies"] == {"=red": 50, "green": 50}
    assert columns["flag"]["column_statistics"] == {
        "nan_count": 25,
        "nan_proportion": 0.25,
        "frequencies": {"False": 25, "True": 50},
    }
    assert (told.json["num_examples"], told.json["partial"]) == (100, False)
    # What became of it: a column came, one went, one has another type.
    changed = {**{name: COLUMNS[name][:10] for name in ("n", "text")}, "flag": ["yes"] * 10, "new": [1.5] * 10}
    write({"train.parquet": as_parquet(changed)})
    told = ask(ada, f"{ADDRESS}/compare", **SPLIT, base=whole["commit"]).json["data"]
    assert (told["base"]["num_rows"], told["base"]["state"], told["is_same"]) == (100, "done", False)
    assert (told["head"]["num_rows"], told["head"]["state"]) == (10, "pending")
    assert [(each["name"], each["change"]) for each in told["columns"]] == [
        ("n", "kept"),
        ("text", "kept"),
        ("flag", "changed"),
        ("new", "added"),
        ("word", "removed"),
    ]
    assert (told["columns"][0]["base"]["max"], told["columns"][0]["head"], told["columns"][3]["base"]) == (
        99,
        None,
        None,
    )
    assert ask(ada, f"{ADDRESS}/compare", **SPLIT, base=whole["commit"], head=again["commit"]).json["data"]["is_same"]
    assert ask(ada, f"{ADDRESS}/compare", config="x", split="y", base="main").status_code == 404
    # What nobody looks at any more is forgotten.
    monkeypatch.setattr(statistics, "UNUSED_S", -10.0)
    statistics.prune_statistics(run)
    with reading(context) as work:
        assert work.session.scalar(select(func.count()).select_from(ViewerStatisticsBatch)) == 0


class _Run:
    """A run of a job that nobody looks at."""

    def __init__(self, context):
        self.context = context

    def check_cancelled(self):
        pass

    def progress(self, done, total, unit):
        pass

    def log(self, text):
        pass


@pytest.mark.any_database
def test_what_a_filter_finds_is_found_by_all_clients(ask, ada, as_user, write):
    where = "word = '=red' AND n >= 90"
    for path, query in (
        (f"{SERVER}/filter", {**OF_SERVER, "where": where, "orderby": "n DESC", "length": 2}),
        (f"{SERVER}/search", {**OF_SERVER, "query": "TEXT 9", "offset": 1, "length": 1}),
    ):
        answer = ask(ada, path, **query)
        assert answer.status_code == 200, answer.json
        assert answer.json["features"][1] == {
            "feature_idx": 1,
            "name": "word",
            "type": {"dtype": "string", "_type": "Value"},
        }
        if "where" in query:
            assert [row["row_idx"] for row in answer.json["rows"]] == [98, 96]
            assert (answer.json["num_rows_total"], answer.json["partial"]) == (5, False)
        else:
            assert answer.json["rows"] == [
                {
                    "row_idx": 90,
                    "row": {"n": 90, "word": "=red", "text": "text 90", "flag": None},
                    "truncated_cells": [],
                }
            ]
    export = ask(ada, f"{ADDRESS}/export", **SPLIT, where=where, orderby="n")
    assert export.data == b"n,word,text,flag\r\n" + b"".join(
        f"{n},'=red,text {n},{['True', 'False', '', 'True'][n % 4]}\r\n".encode() for n in range(90, 100, 2)
    )
    assert export.headers["Content-Disposition"].startswith("attachment")
    assert (export.headers["X-Rows"], "X-Partial" in export.headers) == ("5", False)
    for query in ({"where": "n = 1; DROP TABLE users"}, {"where": "(" * 5000}, {"orderby": "nope"}, {"format": "exe"}):
        refused = ask(ada, f"{ADDRESS}/export", **SPLIT, **query)
        assert (refused.status_code, "msg" in refused.json) == (400, True)
    bob = as_user("bob")
    for path in ("statistics", "export"):
        assert ask(bob, f"{ADDRESS}/{path}", **SPLIT).status_code == 404
        assert ask(ada, f"{ADDRESS}/{path}", config="default", split="nope").status_code == 404
    assert ask(bob, f"{SERVER}/filter", **OF_SERVER).status_code == 404
