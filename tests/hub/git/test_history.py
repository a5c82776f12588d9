"""The log, who touched what last, blame and comparison, judged by the real git."""

from __future__ import annotations

import pytest

from hub.base.errors import Invalid, NotFound, TooLarge
from hub.git.history import MAX_BLAME_BYTES, blame, compare, count_commits, last_commits, log, merge_base
from hub.git.repository import maintain
from hub.git.types import FileChange, RefChange
from hub.git.write import merge, update_refs
from tests.hub.git.conftest import ADA, Sandbox


def test_the_log_is_paged_newest_first(sandbox: Sandbox) -> None:
    ids = [sandbox.commit({"a": b"%d" % number}, message=f"Number {number}") for number in range(5)]
    commits, has_more = log(sandbox.path, "main", limit=2)
    assert ([commit.id for commit in commits], has_more) == ([ids[4], ids[3]], True)
    assert commits[0].title == "Number 4"
    commits, has_more = log(sandbox.path, "main", offset=3, limit=2)
    assert ([commit.id for commit in commits], has_more) == ([ids[1], ids[0]], False)
    assert log(sandbox.path, "main", offset=99) == ([], False)
    assert count_commits(sandbox.path, "main") == 5
    with pytest.raises(NotFound):
        log(sandbox.path, "none")


def test_the_log_of_a_path_tells_only_of_it_however_it_is_spelled(sandbox: Sandbox) -> None:
    odd = ":(glob)*/x [1]"
    first = sandbox.commit({"a": b"1", f"dir/{odd}": b"1"})
    sandbox.commit({"a": b"2"})
    third = sandbox.commit({f"dir/{odd}": b"2"})
    for path in (f"dir/{odd}", "dir"):
        assert [commit.id for commit in log(sandbox.path, "main", file_path=path)[0]] == [third, first]
        assert count_commits(sandbox.path, "main", file_path=path) == 2
    assert log(sandbox.path, "main", file_path="*") == ([], False)
    assert log(sandbox.path, "main", file_path="--all") == ([], False)


@pytest.mark.parametrize("with_graph", [False, True])
def test_each_entry_knows_the_commit_that_touched_it_last(sandbox: Sandbox, with_graph: bool) -> None:
    sandbox.commit({"old": b"1", "dir/a": b"1", "dir/b": b"1", "dir/caf\u00e9 x": b"1", ":odd": b"1"}, message="one")
    sandbox.commit({"dir/a": b"2"}, message="two")
    sandbox.commit({"dir/sub/deep": b"1"}, message="three")
    sandbox.commit({"dir/gone": b"1"}, message="four")
    sandbox.commit({"dir/gone": None, "top": b"1"}, message="five")
    if with_graph:
        maintain(sandbox.path)
    root = last_commits(sandbox.path, "main")
    assert root.is_complete
    assert {name: commit.title for name, commit in root.commits.items()} == {
        "old": "one", "dir": "five", "top": "five", ":odd": "one",
    }  # fmt: skip
    inner = last_commits(sandbox.path, "main", "dir")
    assert {name: commit.title for name, commit in inner.commits.items()} == {
        "a": "two", "b": "one", "sub": "three", "caf\u00e9 x": "one",
    }  # fmt: skip
    some = last_commits(sandbox.path, "main", "dir", ["a", "none"])
    assert (list(some.commits), some.is_complete) == (["a"], True)


def test_a_merge_counts_only_where_it_differs_from_both_sides(sandbox: Sandbox) -> None:
    first = sandbox.commit({"ours": b"1", "theirs": b"1", "both": b"1\n2\n3\n4\n5\n"}, message="base")
    ours = sandbox.commit({"ours": b"2", "both": b"one\n2\n3\n4\n5\n"}, message="ours")
    theirs = sandbox.commit(
        {"theirs": b"2", "both": b"1\n2\n3\n4\nfive\n"}, branch="side", parent=first, message="theirs"
    )
    merged = merge(sandbox.path, ours, theirs, author=ADA, committer=ADA, message="merge")
    update_refs(sandbox.path, [RefChange("refs/heads/main", ours, merged)])
    found = last_commits(sandbox.path, "main").commits
    assert {name: commit.title for name, commit in found.items()} == {
        "ours": "ours",
        "theirs": "theirs",
        "both": "merge",
    }


def test_an_octopus_merge_is_read(sandbox: Sandbox) -> None:
    first = sandbox.commit({"base": b"1"}, message="base")
    sides = [
        sandbox.commit({f"side-{n}": b"1"}, branch=f"side-{n}", parent=first, message=f"side {n}") for n in range(3)
    ]
    names = [f"100644 blob {sandbox.plant_blob(b'1')}\t{name}\n" for name in ("base", "side-0", "side-1", "side-2")]
    tree = sandbox.git("mktree", input="".join(names).encode()).strip()
    octopus = sandbox.plant_commit(tree, *sides, branch="main")
    assert len(log(sandbox.path, "main")[0][0].parent_ids) == 3
    found = last_commits(sandbox.path, octopus).commits
    assert {name: commit.title for name, commit in found.items()} == {
        "base": "base", "side-0": "side 0", "side-1": "side 1", "side-2": "side 2",
    }  # fmt: skip


def test_a_search_for_last_commits_that_meets_its_limit_says_so(sandbox: Sandbox) -> None:
    sandbox.commit({"old": b"1", "new": b"1"}, message="one")
    sandbox.commit({"new": b"2"}, message="two")
    by_count = last_commits(sandbox.path, "main", max_commits=1)
    assert (list(by_count.commits), by_count.is_complete) == (["new"], False)
    by_time = last_commits(sandbox.path, "main", time_budget_s=0)
    assert by_time.is_complete == (len(by_time.commits) == 2)
    with pytest.raises(NotFound):
        last_commits(sandbox.path, "main", "none")
    with pytest.raises(Invalid):
        last_commits(sandbox.path, "main", "old")


def test_blame_tells_each_line_its_commit_and_the_name_the_file_had(sandbox: Sandbox) -> None:
    first = sandbox.commit({"old name": b"1\n2\n3\n"})
    second = sandbox.commit({"old name": b"1\ntwo\n3\n"})
    third = sandbox.commit(changes=[FileChange("move", "dir/new", source_path="old name")])
    fourth = sandbox.commit({"dir/new": b"1\ntwo\n3\n4"})
    hunks = blame(sandbox.path, "main", "dir/new")
    assert [(hunk.first_line, hunk.line_count, hunk.commit.id, hunk.original_path) for hunk in hunks] == [
        (1, 1, first, "old name"),
        (2, 1, second, "old name"),
        (3, 1, first, "old name"),
        (4, 1, fourth, "dir/new"),
    ]
    part = blame(sandbox.path, "main", "dir/new", first_line=2, last_line=99)
    assert [hunk.first_line for hunk in part] == [2, 3, 4]
    assert blame(sandbox.path, "main", "dir/new", first_line=9) == []
    assert [hunk.commit.id for hunk in blame(sandbox.path, third, "dir/new", first_line=3)] == [first]


def test_blame_refuses_what_has_no_lines(sandbox: Sandbox) -> None:
    sandbox.commit({"dir/empty": b"", "large": b"x\n" * (MAX_BLAME_BYTES // 2 + 1)})
    assert blame(sandbox.path, "main", "dir/empty") == []
    for path, error in (("none", NotFound), ("", NotFound), ("dir", Invalid), ("large", TooLarge)):
        with pytest.raises(error):
            blame(sandbox.path, "main", path)


def test_two_revisions_are_compared_from_where_they_parted(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a": b"1\n"})
    ours = sandbox.commit({"b": b"1\n"})
    side = [sandbox.commit({"a": b"%d\n" % n}, branch="side", parent=base if n == 2 else None) for n in (2, 3)]
    comparison = compare(sandbox.path, "main", "side")
    assert (comparison.base, comparison.head, comparison.merge_base) == (ours, side[1], base)
    assert (comparison.ahead, comparison.behind) == (2, 1)
    assert [commit.id for commit in comparison.commits] == [side[1], side[0]]
    assert [file.new_path for file in comparison.diff.files] == ["a"]
    assert merge_base(sandbox.path, "side", "main") == base
    few = compare(sandbox.path, "main", "side", commit_limit=1)
    assert (len(few.commits), few.ahead) == (1, 2)


def test_histories_that_share_nothing_are_compared_with_nothing(sandbox: Sandbox) -> None:
    sandbox.commit({"a": b"1\n"})
    other = sandbox.plant_commit(sandbox.git("rev-parse", "main^{tree}").strip(), branch="other")
    comparison = compare(sandbox.path, "main", other)
    assert (comparison.merge_base, comparison.ahead, comparison.behind) == (None, 1, 1)
    assert [file.status for file in comparison.diff.files] == ["added"]
    assert merge_base(sandbox.path, "main", "other") is None
