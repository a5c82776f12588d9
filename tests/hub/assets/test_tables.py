"""Which files of a data set are which table. Source of the cases: datasets' documentation."""

from __future__ import annotations

import pytest

from hub.assets.service import tables


def layout_of(names, card=None):
    """Configuration -> split -> files."""
    configs = tables.configs_in(card or {}, names)
    return {
        config.name: {split: tables._match(patterns, names) for split, patterns in config.splits.items()}
        for config in configs
    }


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["data.csv"], {"train": ["data.csv"]}),
        (["train.csv", "test.csv"], {"train": ["train.csv"], "test": ["test.csv"]}),
        (["my_train_file_1.csv", "x/eval-2.csv"], {"train": ["my_train_file_1.csv"], "test": ["x/eval-2.csv"]}),
        (["training/a.csv", "val/b.csv", "c.csv"], {"train": ["training/a.csv"], "validation": ["val/b.csv"]}),
        # A folder's name counts before a file's.
        (["train/test.csv"], {"train": ["train/test.csv"]}),
        # A word within a word is none.
        (["trainer.csv", "contest.csv"], {"train": ["trainer.csv", "contest.csv"]}),
        (
            ["data/odd-00000-of-00001.parquet", "data/train-00000-of-00001-abc.parquet", "other.parquet"],
            {"train": ["data/train-00000-of-00001-abc.parquet"], "odd": ["data/odd-00000-of-00001.parquet"]},
        ),
        ([".hidden/train.csv", "__cache__/train.csv", ".gitattributes"], {}),
    ],
)
def test_names_tell_the_splits(names, splits):
    assert layout_of(names) == ({"default": splits} if splits else {})


def test_a_card_says_the_configurations():
    names = ["a/train.csv", "a/test.csv", "b/x.jsonl", "b/.y.jsonl"]
    card = {
        "configs": [
            {"config_name": "first", "data_dir": "a"},
            {"config_name": "second", "data_files": [{"split": "odd", "path": ["b/*.jsonl"]}], "default": True},
            {"config_name": "third", "data_files": "./a/te?t.csv"},
            {"config_name": "fourth", "data_dir": "./b/", "data_files": {"train": "x.jsonl", "test": "b/x.jsonl"}},
            {"config_name": "no/path", "data_files": "a/train.csv"},
            {"config_name": "..", "data_files": "a/train.csv"},
            {"config_name": "split", "data_files": [{"split": "../x", "path": "a/train.csv"}]},
            "odd",
        ]
    }
    assert layout_of(names, card) == {
        "first": {"train": ["a/train.csv"], "test": ["a/test.csv"]},
        "second": {"odd": ["b/x.jsonl"]},
        "third": {"train": ["a/test.csv"]},
        "fourth": {"train": ["b/x.jsonl"], "test": []},
    }


def test_no_pattern_takes_long():
    name = "a" * 200 + "/" + "a" * 200
    for pattern in ("*a" * 50 + "b/" + "*a" * 50 + "b", "**/**/**/" + "*a" * 100 + "b", "[" * 400, "**/" * 100 + "x"):
        assert tables._match([pattern], [name] * 100) == []
    assert tables._match(["[!b]*/*[a-b]", "x"], [name]) == [name]
