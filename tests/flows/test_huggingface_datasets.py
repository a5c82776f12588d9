"""The library datasets, unmodified, on a running hub. Contract: hf-hub-api.md, section 13."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hub import Account, HubServer
from tests.support.huggingface import HuggingFace
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with scratch_directory("datasets") as directory, HubServer(directory / "home", {"ssh_port": 0}) as server:
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


# Real tables out of the package vega_datasets, each as one of the forms in which people publish theirs.
PUBLISH = """
import os, pandas, vega_datasets
from huggingface_hub import HfApi

folder = os.path.join(os.path.dirname(vega_datasets.__file__), "_data")
tables = {
    "csv": pandas.read_csv(f"{folder}/seattle-weather.csv"),
    "json": pandas.read_json(f"{folder}/cars.json"),
    "parquet": pandas.concat([pandas.read_csv(f"{folder}/airports.csv")] * 8, ignore_index=True),
}
os.makedirs("tables/data", exist_ok=True)
api = HfApi()
for form, table in tables.items():
    name, path = f"{given['owner']}/{given['word']}-{form}", f"tables/table.{form}"
    if form == "csv":
        path = f"{folder}/seattle-weather.csv"
    elif form == "json":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    api.create_repo(name, repo_type="dataset", private=True)
    half = {"csv": "train.csv", "json": "train.jsonl", "parquet": "data/train-00000-of-00001.parquet"}[form]
    api.upload_file(path_or_fileobj=path, path_in_repo=half, repo_id=name, repo_type="dataset")
answer({form: [len(table), sorted(table.columns)] for form, table in tables.items()})
"""

LOAD = """
from datasets import load_dataset

found = {}
for form in ("csv", "json", "parquet"):
    name = f"{given['owner']}/{given['word']}-{form}"
    whole = load_dataset(name, split="train")
    streamed = load_dataset(name, split="train", streaming=True)
    found[form] = [
        len(whole), sorted(whole.column_names),
        list(streamed.take(3)) == [whole[number] for number in range(3)],
        next(iter(streamed.skip(len(whole) - 1))) == whole[len(whole) - 1],
    ]
    if form == "json":
        target = f"{given['owner']}/{given['word']}-pushed"
        shards = {"train": 3, "test": 1}
        whole.train_test_split(test_size=0.25, seed=1).push_to_hub(target, private=True, num_shards=shards)
        again = load_dataset(target)
        found["pushed"] = {split: [len(rows), rows.column_names == whole.column_names] for split, rows in again.items()}
        names = [*again["train"]["Name"], *again["test"]["Name"]]
        found["same"] = sorted(names) == sorted(whole["Name"])
        whole.push_to_hub(target, "other", split="validation")
        found["configs"] = len(load_dataset(target, "other", split="validation"))
answer(found)
"""


@pytest.mark.parametrize("xet", [True, False], ids=["xet-below", "lfs-at-root"])
def test_tables_are_published_loaded_streamed_and_pushed(hub, account, tmp_path, xet):
    client = HuggingFace(tmp_path / "a", hub.url + ("/hf" if xet else ""), account.token, xet=xet)
    word = "xet" if xet else "lfs"
    tables = client.python(PUBLISH, owner=account.name, word=word)
    reader = client.with_(home=tmp_path / "b")
    found = reader.python(LOAD, owner=account.name, word=word)
    for form, (count, columns) in tables.items():
        assert found[form] == [count, columns, True, True], form
    assert found["pushed"] == {"train": [304, True], "test": [102, True]}
    assert found["same"] is True
    assert found["configs"] == tables["json"][0]
    files = account.api.get(f"/hf/api/datasets/{account.name}/{word}-pushed/tree/main?recursive=true").json
    assert {f"data/train-{number:05}-of-00003.parquet" for number in range(3)} <= {file["path"] for file in files}
