"""Commits, merges and ref transactions, judged by the real git."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.base.errors import Conflict, HubError, Invalid, NotFound, Unprocessable
from hub.base.names import MAX_PATH_PARTS
from hub.git.repository import get_commit
from hub.git.types import EXECUTABLE_MODE, LINK_MODE, ZERO_OID, FileChange, RefChange, Signature
from hub.git.write import MAX_MESSAGE_BYTES, build_commit, merge, update_refs
from tests.hub.git.conftest import ADA, Sandbox


def _build(sandbox: Sandbox, parent: str | None, *changes: FileChange, message: str = "Change") -> str:
    return build_commit(sandbox.path, parent=parent, changes=changes, author=ADA, committer=ADA, message=message)


def _refused(sandbox: Sandbox, parent: str | None, *changes: FileChange, error: type[HubError] = Invalid) -> str:
    with pytest.raises(error) as caught:
        _build(sandbox, parent, *changes)
    return caught.value.code


def test_a_commit_holds_what_was_put_and_is_sound(sandbox: Sandbox) -> None:
    commit = _build(
        sandbox,
        None,
        FileChange("put", "README.md", b"# Hi\r\n"),
        FileChange("put", "/src/deep/er/main.py", b"print()\n", mode=EXECUTABLE_MODE),
        FileChange("put", "src.txt", b""),
        message="First\r\n\r\nBody",
    )
    sandbox.move("refs/heads/main", commit)
    sandbox.git("fsck", "--strict")
    listed = sandbox.git("ls-tree", "-r", commit).split("\n")
    assert [line.split()[0] + " " + line.split("\t")[1] for line in listed if line] == [
        "100644 README.md",
        "100644 src.txt",
        "100755 src/deep/er/main.py",
    ]
    assert sandbox.git("show", f"{commit}:README.md") == "# Hi\r\n"
    described = get_commit(sandbox.path, commit)
    assert (described.title, described.body, described.parent_ids) == ("First", "Body", ())
    assert described.author == ADA
    assert described.author.when.utcoffset() == ADA.when.utcoffset()


def test_only_what_changes_differs_from_the_parent(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a/one": b"1", "a/two": b"2", "b/three": b"3", "run": b"x"})
    second = _build(sandbox, first, FileChange("put", "a/two", b"22"), FileChange("delete", "b/three"))
    assert sandbox.git("diff-tree", "-r", "--name-status", first, second).split() == ["M", "a/two", "D", "b/three"]
    assert sandbox.git("ls-tree", "--name-only", second).split() == ["a", "run"]  # git knows no empty directory


def test_the_deepest_path_that_is_allowed_is_written(sandbox: Sandbox) -> None:
    deep = "a/" * (MAX_PATH_PARTS - 1) + "a"
    commit = _build(sandbox, None, FileChange("put", deep, b"1"))
    moved = _build(sandbox, commit, FileChange("move", "b", source_path=deep))
    assert [sandbox.git("ls-tree", "-r", "--name-only", each).strip() for each in (commit, moved)] == [deep, "b"]
    assert _refused(sandbox, commit, FileChange("put", f"{deep}/a", b"1")) == "path_invalid"


def test_an_update_keeps_the_executable_bit_until_told_otherwise(sandbox: Sandbox) -> None:
    first = _build(sandbox, None, FileChange("put", "run", b"1", mode=EXECUTABLE_MODE))
    kept = _build(sandbox, first, FileChange("put", "run", b"2"))
    dropped = _build(sandbox, kept, FileChange("put", "run", b"2", mode=0o100644))
    assert [sandbox.git("ls-tree", commit).split()[0] for commit in (kept, dropped)] == ["100755", "100644"]


def test_files_and_directories_are_moved_and_copied(sandbox: Sandbox) -> None:
    first = sandbox.commit({"data/x": b"x", "data/y": b"y", "top": b"t"})
    second = _build(
        sandbox,
        first,
        FileChange("copy", "data2", source_path="data"),
        FileChange("put", "data2/x", b"changed"),
        FileChange("move", "moved/x", source_path="data/x"),
        FileChange("move", "README", source_path="top"),
    )
    assert sandbox.git("ls-tree", "-r", "--name-only", second).split() == [
        "README", "data/y", "data2/x", "data2/y", "moved/x",
    ]  # fmt: skip
    assert sandbox.git("show", f"{second}:moved/x") == "x"
    assert sandbox.git("show", f"{second}:data2/x") == "changed"


def test_content_comes_from_a_held_blob_or_from_a_file_on_disk(sandbox: Sandbox, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"\0\r\n" * 1_000_000)
    blob = sandbox.plant_blob(b"held")
    commit = _build(sandbox, None, FileChange("put", "a", blob_oid=blob), FileChange("put", "b", source_file=large))
    assert sandbox.git("show", f"{commit}:a") == "held"
    assert sandbox.git("cat-file", "-s", f"{commit}:b").strip() == "3000000"


def test_a_directory_is_deleted_with_all_below_it(sandbox: Sandbox) -> None:
    first = sandbox.commit({"d/e/f": b"1", "d/g": b"2", "h": b"3"})
    second = _build(sandbox, first, FileChange("delete_dir", "d"))
    assert sandbox.git("ls-tree", "-r", "--name-only", second).split() == ["h"]
    assert sandbox.git("ls-tree", _build(sandbox, second, FileChange("delete", "h"))) == ""


def test_steps_apply_in_order_so_that_a_file_can_make_way_for_a_directory(sandbox: Sandbox) -> None:
    first = sandbox.commit({"x": b"file", "d/f": b"1"})
    second = _build(
        sandbox,
        first,
        FileChange("delete", "x"),
        FileChange("put", "x/y", b"below"),
        FileChange("delete", "d/f"),
        FileChange("put", "d", b"file now"),
    )
    assert sandbox.git("ls-tree", "-r", "--name-only", second).split() == ["d", "x/y"]


@pytest.mark.parametrize(
    "change",
    [
        FileChange("put", "file/below", b""),
        FileChange("put", "dir", b""),
        FileChange("delete", "dir"),
        FileChange("delete_dir", "file"),
        FileChange("copy", "dir", source_path="file"),
        FileChange("move", "dir/sub", source_path="dir"),
        FileChange("move", "file", source_path="file"),
        FileChange("copy", "file/x", source_path="dir"),
    ],
    ids=str,
)
def test_a_file_and_a_directory_cannot_be_one(sandbox: Sandbox, change: FileChange) -> None:
    first = sandbox.commit({"file": b"1", "dir/inner": b"2"})
    assert _refused(sandbox, first, change) == "path_conflict"


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../b", "a//b", ".git/config", "a/.GIT/x", "GIT~1", "a\0b", "a\\b", "", "x" * 256, "a/" * 600 + "b"],
    ids=repr,
)
def test_no_path_leads_out_or_harms_a_clone(sandbox: Sandbox, path: str) -> None:
    first = sandbox.commit({"file": b"1"})
    for change in (FileChange("put", path, b""), FileChange("move", path, source_path="file")):
        assert _refused(sandbox, first, change) == "path_invalid"
    assert _refused(sandbox, first, FileChange("copy", "b", source_path=path)) == "path_invalid"


def test_new_names_that_some_systems_take_for_one_are_refused(sandbox: Sandbox) -> None:
    first = sandbox.commit({"docs/Readme": b"1"})
    assert _refused(sandbox, first, FileChange("put", "docs/README", b"")) == "path_case_clash"
    assert _refused(sandbox, first, FileChange("put", "Docs/other", b"")) == "path_case_clash"
    twins = (FileChange("put", "caf\u00e9", b"1"), FileChange("put", "cafe\u0301", b"2"))
    assert _refused(sandbox, first, *twins) == "path_case_clash"
    renamed = _build(sandbox, first, FileChange("move", "docs/README", source_path="docs/Readme"))
    assert sandbox.git("ls-tree", "-r", "--name-only", renamed).split() == ["docs/README"]


def test_a_clash_that_is_there_already_hinders_no_other_change(sandbox: Sandbox) -> None:
    blob = sandbox.plant_blob(b"1")
    tree = sandbox.plant_tree(("100644", blob, b"A"), ("100644", blob, b"a"))
    first = sandbox.plant_commit(tree, branch="main")
    second = _build(sandbox, first, FileChange("put", "b", b"2"), FileChange("put", "a", b"2"))
    assert sandbox.git("ls-tree", "--name-only", second).split() == ["A", "a", "b"]


@pytest.mark.parametrize(
    "change, code",
    [
        (FileChange("put", "a"), "change_invalid"),
        (FileChange("put", "a", b"1", blob_oid="0" * 40), "change_invalid"),
        (FileChange("put", "a", b"1", mode=LINK_MODE), "mode_invalid"),
        (FileChange("copy", "a"), "change_invalid"),
        (FileChange("chmod", "a"), "change_invalid"),  # type: ignore[arg-type]
    ],
)
def test_a_change_that_says_nothing_clear_is_refused(sandbox: Sandbox, change: FileChange, code: str) -> None:
    assert _refused(sandbox, sandbox.commit({"file": b"1"}), change) == code


def test_what_is_not_there_cannot_be_deleted_copied_or_pointed_at(sandbox: Sandbox) -> None:
    first = sandbox.commit({"dir/file": b"1"})
    for change in (
        FileChange("delete", "none"),
        FileChange("delete", "dir/file/below"),
        FileChange("delete_dir", "none/sub"),
        FileChange("move", "x", source_path="none"),
    ):
        assert _refused(sandbox, first, change, error=NotFound) == "entry_not_found"
    twice = (FileChange("delete", "dir/file"), FileChange("delete", "dir/file"))
    assert _refused(sandbox, first, *twice, error=NotFound) == "entry_not_found"
    for oid in ("1" * 40, "zz", first):
        assert _refused(sandbox, first, FileChange("put", "x", blob_oid=oid), error=Unprocessable) == "object_missing"
    for parent in ("1" * 40, "main", sandbox.plant_blob(b"no commit")):
        assert _refused(sandbox, parent, FileChange("put", "x", b""), error=Unprocessable) == "object_missing"


def test_changes_that_change_nothing_make_no_commit(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"})
    assert _refused(sandbox, first) == "nothing_to_commit"
    assert _refused(sandbox, None) == "nothing_to_commit"
    assert _refused(sandbox, first, FileChange("put", "a", b"1")) == "nothing_to_commit"
    assert _refused(sandbox, first, FileChange("put", "b", b"1"), FileChange("delete", "b")) == "nothing_to_commit"


@pytest.mark.parametrize(
    "message", ["", " \n ", "a\0b", "x" * (MAX_MESSAGE_BYTES + 1)], ids=["", "blank", "NUL", "long"]
)
def test_a_commit_needs_a_message(sandbox: Sandbox, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        _build(sandbox, None, FileChange("put", "a", b""), message=message)
    assert caught.value.code == "message_invalid"


def test_a_signature_that_git_could_not_store_is_made_fit(sandbox: Sandbox) -> None:
    odd = Signature("Eve <evil>\n", "e@x>\nparent 0", datetime(2026, 1, 1, tzinfo=UTC))
    empty = Signature(" . ", "", datetime(2026, 1, 1, tzinfo=UTC))
    commit = build_commit(
        sandbox.path, parent=None, changes=[FileChange("put", "a", b"")], author=odd, committer=empty, message="m"
    )
    sandbox.move("refs/heads/main", commit)
    sandbox.git("fsck", "--strict")
    described = get_commit(sandbox.path, commit)
    assert (described.author.name, described.author.email) == ("Eve evil", "e@xparent 0")
    assert (described.committer.name, described.committer.email) == ("unknown", "unknown")


def test_a_file_whose_name_is_no_unicode_is_kept_and_can_be_deleted(sandbox: Sandbox) -> None:
    blob = sandbox.plant_blob(b"1")
    tree = sandbox.plant_tree(("100644", blob, b"caf\xe9"), ("100644", blob, b"plain"))
    first = sandbox.plant_commit(tree, branch="main")
    kept = _build(sandbox, first, FileChange("put", "plain", b"2"))
    assert sandbox.git("-c", "core.quotePath=true", "ls-tree", "--name-only", kept).split() == ['"caf\\351"', "plain"]
    gone = _build(sandbox, first, FileChange("delete", "caf\N{REPLACEMENT CHARACTER}"))
    assert sandbox.git("ls-tree", "--name-only", gone).split() == ["plain"]


names = st.sampled_from(["a", "b", "c", "a-", "a.b"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
steps = st.lists(
    st.one_of(
        st.builds(FileChange, st.just("put"), paths, st.binary(max_size=2)),
        st.builds(FileChange, st.sampled_from(["delete", "delete_dir"]), paths),
        st.builds(FileChange, st.sampled_from(["copy", "move"]), paths, source_path=paths),
    ),
    max_size=8,
)


def _apply_to_plain_files(files: dict[str, bytes], change: FileChange) -> dict[str, bytes]:
    """What a change means, on a dictionary; raises KeyError or ValueError where it must be refused."""

    def below(path: str) -> dict[str, bytes]:
        return {name: data for name, data in files.items() if name.startswith(f"{path}/")}

    def check_free(path: str) -> None:
        parts = path.split("/")
        if any("/".join(parts[:depth]) in files for depth in range(1, len(parts))):
            raise ValueError(path)

    path, source = change.path, change.source_path or ""
    if change.action == "put":
        check_free(path)
        if below(path):
            raise ValueError(path)
        return {**files, path: change.content or b""}
    if change.action in ("delete", "delete_dir"):
        gone = {path: files[path]} if path in files else below(path)
        if not gone or (path in files) != (change.action == "delete"):
            raise KeyError(path)
        return {name: data for name, data in files.items() if name not in gone}
    if path == source or path.startswith(f"{source}/"):
        raise ValueError(path)
    moved = {source: files[source]} if source in files else below(source)
    if not moved:
        raise KeyError(source)
    if change.action == "move":
        files = {name: data for name, data in files.items() if name not in moved}
    check_free(path)
    if below(path) or (path in files and source not in moved):
        raise ValueError(path)
    return {**files, **{path + name.removeprefix(source): data for name, data in moved.items()}}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(changes=steps)
def test_any_changes_end_as_they_would_on_plain_files(sandbox: Sandbox, changes: list[FileChange]) -> None:
    start = {"a/b": b"1", "b": b"2", "c/a/b": b"3"}
    first = _build(sandbox, None, *(FileChange("put", path, data) for path, data in start.items()))
    expected: dict[str, bytes] | None = start
    try:
        for change in changes:
            expected = _apply_to_plain_files(expected or {}, change)
    except (KeyError, ValueError):
        expected = None
    try:
        commit = _build(sandbox, first, *changes)
    except Invalid as error:
        assert (error.code == "nothing_to_commit") == (expected == start) or expected is None, error
    except NotFound:
        assert expected is None
    else:
        listed = sandbox.git("ls-tree", "-r", commit).splitlines()
        stored = {line.split("\t")[1]: line.split()[2] for line in listed}
        assert expected is not None
        assert stored == {path: _blob_id(data) for path, data in expected.items()}


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


def test_refs_move_together_or_not_at_all(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"})
    second = _build(sandbox, first, FileChange("put", "a", b"2"))
    with pytest.raises(Conflict) as caught:
        update_refs(
            sandbox.path,
            [RefChange("refs/heads/new", ZERO_OID, second), RefChange("refs/heads/main", second, first)],
        )
    assert caught.value.code == "ref_changed"
    assert sandbox.git("for-each-ref", "--format=%(refname) %(objectname)").split() == ["refs/heads/main", first]
    update_refs(
        sandbox.path, [RefChange("refs/heads/new", ZERO_OID, first), RefChange("refs/heads/main", first, second)]
    )
    update_refs(
        sandbox.path, [RefChange("refs/heads/new", first, ZERO_OID), RefChange("refs/tags/v1", ZERO_OID, second)]
    )
    assert sandbox.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/main", "refs/tags/v1"]
    update_refs(sandbox.path, [])


@pytest.mark.parametrize(
    "ref, old, new, code",
    [
        ("refs/heads/main", ZERO_OID, "first", "ref_changed"),
        ("refs/heads/none", "first", "first", "ref_changed"),
        ("refs/heads/none", "first", ZERO_OID, "ref_changed"),
        ("refs/heads/main/sub", ZERO_OID, "first", "ref_name_conflict"),
        ("refs/heads/new", ZERO_OID, "1" * 40, "object_missing"),
        ("refs/heads/../x", ZERO_OID, "first", "ref_invalid"),
        ("HEAD", ZERO_OID, "first", "ref_invalid"),
        ("refs/heads/x\ny", ZERO_OID, "first", "ref_invalid"),
        ("refs/heads/x", ZERO_OID, "main", "ref_invalid"),
    ],
)
def test_a_ref_change_that_cannot_be_is_refused_with_its_reason(
    sandbox: Sandbox, ref: str, old: str, new: str, code: str
) -> None:
    first = sandbox.commit({"a": b"1"})
    values: dict[str, Any] = {"first": first}
    with pytest.raises(HubError) as caught:
        update_refs(sandbox.path, [RefChange(ref, values.get(old, old), values.get(new, new))])
    assert caught.value.code == code


def test_of_two_writers_at_once_exactly_one_wins(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"0"})
    commits = [_build(sandbox, first, FileChange("put", "a", b"%d" % number)) for number in range(1, 9)]
    results: list[str] = []

    def write(commit: str) -> None:
        try:
            update_refs(sandbox.path, [RefChange("refs/heads/main", first, commit)])
            results.append(commit)
        except Conflict as error:
            results.append(error.code)

    threads = [threading.Thread(target=write, args=(commit,)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[-7:] == ["ref_changed"] * 7
    assert sandbox.tip("main") in results


def test_hooks_of_a_repository_do_not_run(sandbox: Sandbox) -> None:
    hook = sandbox.path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert sandbox.commit({"a": b"1"}) == sandbox.tip("main")


def test_two_sides_are_merged(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1\n2\n3\n", "b": b"1"})
    ours = sandbox.commit({"a": b"one\n2\n3\n"})
    theirs = sandbox.commit({"a": b"1\n2\nthree\n", "c/d": b"new"}, branch="side", parent=first)
    merged = merge(sandbox.path, ours, theirs, author=ADA, committer=ADA, message="Merge side")
    assert get_commit(sandbox.path, merged).parent_ids == (ours, theirs)
    assert sandbox.git("show", f"{merged}:a") == "one\n2\nthree\n"
    squashed = merge(sandbox.path, ours, theirs, author=ADA, committer=ADA, message="Squash", squash=True)
    assert get_commit(sandbox.path, squashed).parent_ids == (ours,)
    assert get_commit(sandbox.path, squashed).tree_id == get_commit(sandbox.path, merged).tree_id
    assert sandbox.tip("main") == ours


def test_a_merge_that_people_must_decide_names_the_files(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1\n", "gone": b"1\n", "same": b"1\n"})
    ours = sandbox.commit({"a": b"2\n", "gone": None})
    theirs = sandbox.commit({"a": b"3\n", "gone": b"2\n"}, branch="side", parent=first)
    with pytest.raises(Conflict) as caught:
        merge(sandbox.path, ours, theirs, author=ADA, committer=ADA, message="Merge")
    assert caught.value.code == "merge_conflict"
    assert caught.value.details["paths"] == ["a", "gone"]


def test_what_the_base_has_already_is_not_merged(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"})
    second = sandbox.commit({"a": b"2"})
    for base, head in ((second, first), (second, second)):
        with pytest.raises(Invalid) as caught:
            merge(sandbox.path, base, head, author=ADA, committer=ADA, message="Merge")
        assert caught.value.code == "nothing_to_commit"
    forward = merge(sandbox.path, first, second, author=ADA, committer=ADA, message="Merge")
    assert get_commit(sandbox.path, forward).parent_ids == (first, second)


def test_commits_are_written_while_upkeep_removes_empty_folders(sandbox: Sandbox) -> None:
    """As ``git prune-packed`` does after a repack, between libgit2's making a folder and its use of it."""
    is_over = threading.Event()

    def remove_empty_folders() -> None:
        folders = [sandbox.path / "objects" / f"{number:02x}" for number in range(256)]
        while not is_over.is_set():
            for folder in folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    upkeep = threading.Thread(target=remove_empty_folders)
    upkeep.start()
    try:
        commit = None
        for number in range(40):
            commit = _build(sandbox, commit, *(FileChange("put", f"{number}/{i}", b"%d" % i) for i in range(8)))
    finally:
        is_over.set()
        upkeep.join()
    sandbox.move("refs/heads/main", commit)
    assert sandbox.git("rev-list", "--count", "main").strip() == "40"
    sandbox.git("fsck", "--strict")
