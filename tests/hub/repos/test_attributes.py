"""The rules of .gitattributes, held against the git program itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.repos.attributes import LFSRules, lfs_line

PATTERNS = [
    "*.bin filter=lfs diff=lfs merge=lfs -text",
    "*.txt text",
    "saved_model/**/* filter=lfs",
    "*tfevents* filter=lfs",
    "*.lfs.* filter=lfs",
    "/root-only.dat filter=lfs",
    "folder/*.csv filter=lfs",
    "folder/keep.csv -filter",
    "deep/**/x.raw filter=lfs",
    "data[0-9].json filter=lfs",
    "with[[:space:]]space.md filter=lfs",
    "# a comment",
    "*.other filter=other",
    "[!a]only.q filter=lfs",
    "a*b*c.st filter=lfs",
    "tree/** filter=lfs",
    "**/any/leaf filter=lfs",
    "/one/*/three filter=lfs",
    "dir-only/ filter=lfs",
    "x**y.dd filter=lfs",
]
PATHS = [
    *("a.bin", "x/y/a.bin", "a.BIN", "a.txt", "saved_model/a", "saved_model/x/a", "saved_model/x/y/a", "saved_model"),
    *("x/events.out.tfevents.1", "a.lfs.b", "root-only.dat", "x/root-only.dat", "folder/a.csv", "folder/x/a.csv"),
    *("folder/keep.csv", "a.csv", "deep/x.raw", "deep/a/x.raw", "deep/a/b/x.raw", "x.raw", "data1.json", "dataX.json"),
    *("abc.st", "aXbYc.st", "aXcYb.st", "tree", "tree/a", "tree/a/b", "any/leaf", "q/any/leaf", "q/w/any/leaf/e"),
    *("one/two/three", "one/two/2/three", "x/one/two/three", "dir-only/a", "dir-only", "xzy.dd", "x/y.dd", "xy.dd"),
    *("with space.md", "withXspace.md", "a.other", "only.q", "bonly.q", "aonly.q"),
]


def git_says(folder: Path, attributes: str, paths: list[str]) -> dict[str, bool]:
    """What `git check-attr` thinks of the paths."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / ".gitattributes").write_text(attributes)
    printed = subprocess.run(
        ["git", "-C", folder, "check-attr", "-z", "--stdin", "filter"],
        input="".join(f"{path}\0" for path in paths),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return {printed[at]: printed[at + 2] == "lfs" for at in range(0, len(printed) - 2, 3)}


def test_rules_say_what_git_says(tmp_path: Path) -> None:
    attributes = "\n".join(PATTERNS) + "\n"
    rules = LFSRules.parse(attributes.encode())
    assert {path: rules.matches(path) for path in PATHS} == git_says(tmp_path / "r", attributes, PATHS)


@pytest.mark.parametrize("path", ["a b.xyz", "x/star*.q", "[odd].t", "q?uestion", "plain", "back\\slash", "ünï"])
def test_a_line_for_one_path_matches_just_that_path(tmp_path: Path, path: str) -> None:
    others = [f"sub/{path}", f"{path}x", "starfish.q", "x/starfish.q", "o.t", "qquestion"]
    rules = LFSRules.parse(lfs_line(path).encode())
    assert rules.matches(path)
    assert {name: rules.matches(name) for name in [path, *others]} == git_says(
        tmp_path / "r", lfs_line(path), [path, *others]
    )


def test_preupload_compares_without_case() -> None:
    assert LFSRules.parse(b"*.Bin filter=lfs\n", is_folded=True).matches("model.bin")
    assert not LFSRules.parse(b"*.bin filter=lfs\n").matches("Model.BIN")


@pytest.mark.timeout(60)  # a matcher that backtracks would take longer than the universe is old
def test_a_pattern_made_to_be_slow_is_not() -> None:
    hostile = "*a" * 500 + "b filter=lfs\n" + "**/" * 30 + "x filter=lfs\n"
    assert not LFSRules.parse(hostile.encode()).matches("/".join(["a" * 200] * 5))


@given(st.binary(max_size=200))
def test_no_content_breaks_the_parser(data: bytes) -> None:
    LFSRules.parse(data).matches("a/b.bin")


@given(st.text(alphabet="*?[]!^\\/ab:-", max_size=20))
def test_no_pattern_breaks_the_matcher(pattern: str) -> None:
    LFSRules.parse(f"{pattern} filter=lfs\n".encode()).matches("a/b/ab")
