"""Changes file by file, within limits."""

from __future__ import annotations

import os
import time

import pytest

from hub.base.errors import NotFound
from hub.git.diff import diff, diff_commit
from hub.git.pointer import format_pointer
from hub.git.reader import open_repository
from hub.git.types import EXECUTABLE_MODE, ZERO_OID, DiffLimits, FileChange, FileDiff
from tests.hub.git.conftest import Sandbox

LINES = b"".join(b"line %d\n" % number for number in range(20))


def _files(sandbox: Sandbox, *, limits: DiffLimits | None = None) -> dict[str, FileDiff]:
    return {file.new_path: file for file in diff_commit(sandbox.path, "main", limits=limits or DiffLimits()).files}


def test_a_change_is_told_line_by_line(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1\n2\n3\n", "same": b"x"})
    second = sandbox.commit({"a": b"1\ntwo\n3\nend"})
    result = diff(sandbox.path, first, second)
    assert (result.stat.files, result.stat.additions, result.stat.deletions) == (1, 2, 1)
    (file,) = result.files
    assert (file.status, file.old_path, file.new_path, file.is_binary, file.is_truncated) == (
        "modified", "a", "a", False, False,
    )  # fmt: skip
    (hunk,) = file.hunks
    assert (hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines) == (1, 3, 1, 4)
    assert [(line.origin, line.old_number, line.new_number, line.text, line.has_newline) for line in hunk.lines] == [
        (" ", 1, 1, "1", True),
        ("-", 2, None, "2", True),
        ("+", None, 2, "two", True),
        (" ", 3, 3, "3", True),
        ("+", None, 4, "end", False),
    ]


def test_the_first_commit_adds_everything_and_a_deletion_leaves_nothing(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1\n", "dir/b": b"2\n"})
    added = _files(sandbox)
    assert {path: (file.status, file.old_oid, file.old_mode, file.additions) for path, file in added.items()} == {
        "a": ("added", ZERO_OID, 0, 1),
        "dir/b": ("added", ZERO_OID, 0, 1),
    }
    sandbox.commit({"a": None})
    deleted = _files(sandbox)["a"]
    assert (deleted.status, deleted.new_oid, deleted.new_mode, deleted.deletions) == ("deleted", ZERO_OID, 0, 1)
    assert len(diff(sandbox.path, None, first).files) == 2
    with pytest.raises(NotFound):
        diff(sandbox.path, "none", first)


def test_a_file_that_moved_and_changed_a_little_is_renamed(sandbox: Sandbox) -> None:
    sandbox.commit({"old": LINES, "exact": b"same\n" * 5})
    sandbox.commit({"old": None, "dir/new": LINES + b"more\n", "exact": None, "copy": b"same\n" * 5})
    files = _files(sandbox)
    assert (files["dir/new"].status, files["dir/new"].old_path, files["dir/new"].additions) == ("renamed", "old", 1)
    assert 80 <= files["dir/new"].similarity < 100
    assert (files["copy"].status, files["copy"].old_path, files["copy"].similarity) == ("renamed", "exact", 100)
    assert list(files["copy"].hunks) == []


def test_modes_links_and_submodules_are_told(sandbox: Sandbox) -> None:
    sandbox.commit({"run": b"1\n"})
    sandbox.commit(changes=[FileChange("put", "run", b"1\n", mode=EXECUTABLE_MODE)])
    changed = _files(sandbox)["run"]
    assert (changed.status, changed.old_mode, changed.new_mode) == ("modified", 0o100644, 0o100755)
    link = sandbox.plant_tree(("120000", sandbox.plant_blob(b"target"), b"run"), ("160000", "1" * 40, b"sub"))
    sandbox.plant_commit(link, str(sandbox.tip("main")), branch="main")
    files = _files(sandbox)
    assert (files["run"].status, files["run"].new_mode) == ("type_changed", 0o120000)
    assert (files["sub"].status, files["sub"].new_mode) == ("added", 0o160000)


def test_binary_and_lfs_content_has_no_lines(sandbox: Sandbox) -> None:
    sandbox.commit({"b": b"\0" + os.urandom(1000), "m": format_pointer("a" * 64, 10), "becomes": b"text\n"})
    sandbox.commit(
        {"b": b"\0" + os.urandom(1000), "m": format_pointer("b" * 64, 99), "becomes": format_pointer("c" * 64, 1)}
    )
    files = _files(sandbox)
    assert (files["b"].is_binary, list(files["b"].hunks), files["b"].old_lfs) == (True, [], None)
    before, after = files["m"].old_lfs, files["m"].new_lfs
    assert before is not None
    assert after is not None
    assert (before.oid, before.size_bytes, after.oid, after.size_bytes) == ("a" * 64, 10, "b" * 64, 99)
    assert (list(files["m"].hunks), files["m"].additions) == ([], 0)
    assert (files["becomes"].old_lfs, files["becomes"].new_lfs is None) == (None, False)


def test_limits_cut_files_lines_and_sizes_and_say_so(sandbox: Sandbox) -> None:
    sandbox.commit({f"file-{number}": LINES for number in range(5)})
    result = diff_commit(sandbox.path, "main", limits=DiffLimits(files=2))
    assert (len(result.files), result.stat.files, result.is_truncated) == (2, 5, True)
    short = _files(sandbox, limits=DiffLimits(lines_per_file=10))["file-0"]
    assert (short.is_truncated, short.additions) == (True, 20)
    assert sum(len(hunk.lines) for hunk in short.hunks) <= 10
    small = _files(sandbox, limits=DiffLimits(bytes_per_file=50))["file-0"]
    assert (small.is_truncated, list(small.hunks)) == (True, [])
    total = _files(sandbox, limits=DiffLimits(lines=50))
    assert [file.is_truncated for file in total.values()] == [False, False, True, True, True]


def test_thousands_of_changed_files_are_looked_at_in_bounded_time(sandbox: Sandbox) -> None:
    def tree(offset: int) -> str:
        blobs = [_store_blob(sandbox, b"%d\n" % (number + offset)) for number in range(3000)]
        return sandbox.plant_tree(*(("100644", blob, b"%05d-%d" % (at, offset)) for at, blob in enumerate(blobs)))

    first = sandbox.plant_commit(tree(0))
    second = sandbox.plant_commit(tree(5000), first, branch="main")
    started = time.process_time()
    result = diff_commit(sandbox.path, second)
    assert (len(result.files), result.stat.files, result.is_truncated) == (300, 6000, True)
    assert time.process_time() - started < 5


def _store_blob(sandbox: Sandbox, data: bytes) -> str:
    with open_repository(sandbox.path) as repository:
        return str(repository.create_blob(data))
