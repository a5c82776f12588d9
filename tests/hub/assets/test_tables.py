"""Which files of a data set are which table. Source of the cases: datasets' documentation."""

from __future__ import annotations

import pytest

from hub.assets.service import tables
from hub.base.errors import TooLarge


def layout_of(names, card=None):
    """Configuration -> split -> files."""
    effort = tables.Effort()
    configs = tables.configs_in(card or {}, names, effort)
    return {
        config.name: {split: tables._match(patterns, names, effort) for split, patterns in config.splits.items()}
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


def match(patterns, names):
    return tables._match(patterns, names, tables.Effort())


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**", ["a", "a/b", "a/b/c"]),
        ("a/**", ["a/b", "a/b/c"]),
        ("**/a/*", ["a/b"]),
        ("**/b", ["a/b"]),
        ("**/a/**/c", ["a/b/c"]),
        ("**/**/*b*", ["a/b"]),
        ("*/*", ["a/b"]),
        ("a", ["a"]),
        ("**/?/**/?/c", ["a/b/c"]),
        ("[!b]*/*[a-b]", ["a/b"]),
        ("a/b/c/**", []),
        ("**/**", ["a", "a/b", "a/b/c"]),
        ("a/**/**/c", ["a/b/c"]),
        ("**/b/**/**/*", ["a/b/c"]),
    ],
)
def test_patterns_are_read_part_by_part(pattern, names):
    assert match([pattern], ["a", "a/b", "a/b/c"]) == names


def test_no_pattern_takes_long():
    name = "a" * 200 + "/" + "a" * 200
    for pattern in ("*a" * 50 + "b/" + "*a" * 50 + "b", "**/**/**/" + "*a" * 100 + "b", "[" * 400, "**/" * 100 + "x"):
        assert match([pattern], [name] * 100) == []
    # However many "**" there are, a part of a name is tried once for each part of the pattern.
    deep = "a/" * (tables.MAX_PARTS - 1) + "b"
    assert match(["**/a/" * 15 + "q"], [deep]) == []
    assert match(["**/a/" * 15 + "b"], [deep]) == [deep]
    assert match(["**"], [deep, f"a/{deep}"]) == [deep]
    assert match(["*/" * tables.MAX_PARTS + "**"], [deep]) == []
    with pytest.raises(TooLarge):
        tables._match(["**/*"], [deep], tables.Effort(100))
