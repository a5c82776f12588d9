"""Data sets as tables, as the library ``datasets`` asks. Hugging Face contract, section 13."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import select

from hub.assets.service.parquet import convert
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job
from hub.repos.models import Repository
from tests.hub.compat.conftest import refusal

pytestmark = pytest.mark.any_database


def as_parquet(rows):
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


@pytest.fixture
def corpus(context, make_repository, people, write):
    """ada/corpus with two splits of Parquet, converted."""
    repository = make_repository(people["ada"], "corpus", kind="dataset")
    files = {f"data/{split}-00000-of-00001.parquet": as_parquet([{"a": split}]) for split in ("train", "test")}
    write(repository, files)
    convert(context, repository_id=repository.id)
    return repository


@pytest.fixture
def ask(call):
    """``ask("/hf/info?dataset=ada/corpus")``: of the host beside the hub's."""
    return lambda path, as_=None: call("GET", path, as_, base_url="http://datasets-server.localhost")


def test_the_host_beside_the_hubs_tells_the_tables(ask, call, corpus, write, context):
    head = call("GET", "/api/datasets/ada/corpus").json["sha"]
    for prefix, place in (("", ""), ("/hf", "hf/")):
        answer = ask(f"{prefix}/parquet?dataset=ada/corpus")
        assert answer.headers["X-Revision"] == head
        assert {name: answer.json[name] for name in ("partial", "pending", "failed")} == {
            "partial": False,
            "pending": [],
            "failed": [],
        }
        train, test = answer.json["parquet_files"]
        assert (train["config"], train["split"], train["filename"], test["split"]) == (
            "default",
            "train",
            "0000.parquet",
            "test",
        )
        address = (
            f"http://localhost/{place}datasets/ada/corpus/resolve/refs%2Fconvert%2Fparquet/default/train/0000.parquet"
        )
        assert train["url"] == address
        file = call("GET", address.removeprefix("http://localhost"), None)
        assert parquet.read_table(io.BytesIO(file.data)).to_pylist() == [{"a": "train"}]
        assert len(file.data) == train["size"]
    splits = ask("/splits?dataset=ada/corpus").json["splits"]
    assert splits[1] == {"dataset": "ada/corpus", "config": "default", "split": "test"}
    info = ask("/info?dataset=ada/corpus")
    assert info.headers["X-Revision"] == head
    told = info.json["dataset_info"]["default"]
    assert told["features"] == {"a": {"dtype": "string", "_type": "Value"}}
    assert (told["splits"]["test"]["name"], told["splits"]["test"]["num_examples"]) == ("test", 1)
    assert ask("/info?dataset=ada/corpus&config=default").json["dataset_info"] == told
    assert refusal(ask("/info?dataset=ada/corpus&config=none"))[0] == 404
    assert all(ask("/is-valid?dataset=ada/corpus").json.values())
    assert not any(ask("/is-valid?dataset=ada/corpus&config=none").json.values())
    # What is not of the tables changes nothing.
    later = write(corpus, {"notes.txt": b"More"})
    assert ask("/info?dataset=ada/corpus").headers["X-Revision"] == later
    assert refusal(ask("/rows?dataset=ada/corpus"))[0] == 400
    for path in (
        "/rows?dataset=ada/corpus&config=a&split=b",
        "/",
        "/parquet?dataset=ada/none",
        "/hf/parquet?dataset=none",
    ):
        assert refusal(ask(path))[0] == 404, path
    assert refusal(ask("/parquet"))[0] == 400


def test_tables_that_were_converted_are_no_promise_of_types(ask, context, make_repository, people, write):
    repository = make_repository(people["ada"], "texts", kind="dataset")
    assert refusal(ask("/parquet?dataset=ada/texts"))[0] == 404
    head = write(repository, {"train.csv": b"a,b\n1,x\n", "test.csv": b"a,b\n1,2,3\n"})
    with reading(context) as work:
        names = work.session.scalars(select(Job.name).where(Job.subject_id == repository.id)).all()
    assert "assets.convert_parquet" in names
    convert(context, repository_id=repository.id)
    answer = ask("/parquet?dataset=ada/texts")
    assert answer.headers["X-Revision"] == head
    assert [(failure["split"], bool(failure["error"])) for failure in answer.json["failed"]] == [("test", True)]
    info = ask("/info?dataset=ada/texts")
    assert info.json["dataset_info"]["default"]["splits"]["train"]["num_examples"] == 1
    assert "X-Revision" not in info.headers


def test_tables_lie_below_the_data_sets_own_address(call, context, corpus, thing):
    found = call("GET", "/hf/api/datasets/ada/corpus/parquet", None).json
    url = "http://localhost/hf/api/datasets/ada/corpus/parquet/default/test/0.parquet"
    assert found["default"]["test"] == [url]
    assert call("GET", "/hf/api/datasets/ada/corpus/parquet/default", None).json == found["default"]
    assert call("GET", "/hf/api/datasets/ada/corpus/parquet/default/test", None).json == [url]
    path = url.removeprefix("http://localhost")
    assert parquet.read_table(io.BytesIO(call("GET", path, None).data)).to_pylist() == [{"a": "test"}]
    assert call("HEAD", path, None).status_code == 200
    for missing in ("parquet/none", "parquet/default/none", "parquet/default/test/1.parquet"):
        assert refusal(call("GET", f"/api/datasets/ada/corpus/{missing}", None)) == (404, "EntryNotFound")
    assert refusal(call("GET", "/api/models/ada/thing/parquet", None))[0] == 404
    refs = call("GET", "/api/datasets/ada/corpus/refs", None).json
    assert [ref["name"] for ref in refs["converts"]] == ["parquet"]


def test_rows_are_told_by_their_numbers(ask, call, corpus, write):
    rows = [{"n": number, "text": "x" * number} for number in range(300)]
    head = write(
        corpus, {"data/train-00000-of-00001.parquet": as_parquet(rows), "data/test-00000-of-00001.parquet": b""}
    )
    table = "dataset=ada/corpus&config=default&split=train"
    page = ask(f"/hf/rows?{table}&offset=150&length=3")
    assert page.headers["X-Revision"] == head
    assert page.json["features"][0] == {"feature_idx": 0, "name": "n", "type": {"dtype": "int64", "_type": "Value"}}
    assert [row["row_idx"] for row in page.json["rows"]] == [150, 151, 152]
    assert page.json["rows"][0] == {"row_idx": 150, "row": rows[150], "truncated_cells": []}
    assert (page.json["num_rows_total"], page.json["partial"]) == (300, False)
    assert refusal(ask(f"/rows?{table}&length=101"))[0] == 400
    assert refusal(ask("/rows?dataset=ada/corpus&config=default&split=test"))[0] == 422
    first = ask(f"/first-rows?{table}").json
    assert (len(first["rows"]), first["truncated"], first["split"]) == (100, True, "train")
    size = ask("/size?dataset=ada/corpus").json
    assert size["size"]["dataset"]["num_rows"] == size["size"]["splits"][0]["num_rows"] == 300
    assert size["size"]["configs"][0]["num_columns"] == 2
    assert [each["split"] for each in size["failed"]] == ["test"]
    splits = ask("/splits?dataset=ada/corpus").json
    assert ([each["split"] for each in splits["splits"]], splits["pending"]) == (["train", "test"], [])
    assert splits["failed"][0]["error"]["error"]


def test_tables_are_for_those_who_get_the_content(ask, call, context, corpus):
    paths = [f"/{name}?dataset=ada/corpus" for name in ("parquet", "info", "splits", "size", "is-valid")]
    paths += [f"/{name}?dataset=ada/corpus&config=default&split=train" for name in ("rows", "first-rows")]
    with unit_of_work(context) as work:
        work.session.get(Repository, corpus.id).gate = "manual"
    assert {refusal(ask(path)) for path in paths} == {(401, "GatedRepo")}
    assert {refusal(ask(path, "bob")) for path in paths} == {(403, "GatedRepo")}
    address = "/api/datasets/ada/corpus/parquet"
    assert refusal(call("GET", address, "bob")) == refusal(call("GET", f"{address}/default/test/0.parquet", "bob"))
    assert ask(paths[0], "ada").status_code == 200
    with unit_of_work(context) as work:
        row = work.session.get(Repository, corpus.id)
        row.gate, row.is_private = "", True
    assert {refusal(ask(path, "bob")) for path in paths} == {(404, "RepoNotFound")}
