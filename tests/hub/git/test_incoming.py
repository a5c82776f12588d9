"""What a push brings, in quarantine and out of it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from hub.base.errors import Unprocessable
from hub.git.incoming import QUARANTINE_VARIABLES, check_connectivity, is_ancestor, new_objects, read_small_blobs
from hub.git.pointer import format_pointer, parse_pointer
from hub.git.types import ZERO_OID
from tests.hub.git.conftest import Sandbox, child_commands


@pytest.fixture
def quarantined(sandbox: Sandbox, tmp_path: Path) -> tuple[str, str, dict[str, str]]:
    """(what the repository has, what a push brings, the variables of the hook): objects that only wait for checks."""
    first = sandbox.commit({"old": b"1", "dir/kept": b"2"})
    work = tmp_path / "work.git"
    shutil.copytree(sandbox.path, work)
    pointer = format_pointer("a" * 64, 5)
    second = Sandbox(work).commit({"dir/sp ace": b"3" * 2000, "model.bin": pointer, "old": None})
    quarantine = tmp_path / "quarantine"
    shutil.copytree(work / "objects", quarantine)
    shutil.rmtree(work)
    for file in sandbox.path.glob("objects/??/*"):  # what the repository has is not in quarantine
        (quarantine / file.parent.name / file.name).unlink()
    return (
        first,
        second,
        {
            "GIT_OBJECT_DIRECTORY": str(quarantine),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(sandbox.path / "objects"),
            "GIT_QUARANTINE_PATH": str(quarantine),
        },
    )


def test_only_what_is_new_is_told_with_kind_size_and_path(
    sandbox: Sandbox, quarantined: tuple[str, str, dict[str, str]]
) -> None:
    first, second, env = quarantined
    found = list(new_objects(sandbox.path, [second, ZERO_OID], env=env))
    assert sorted((item.kind, item.path) for item in found) == [
        ("blob", "dir/sp ace"), ("blob", "model.bin"), ("commit", ""), ("tree", ""), ("tree", "dir"),
    ]  # fmt: skip
    sizes = {item.path: item.size_bytes for item in found if item.kind == "blob"}
    assert sizes == {"dir/sp ace": 2000, "model.bin": len(format_pointer("a" * 64, 5))}
    assert len(list(new_objects(sandbox.path, [second], not_ids=[], env=env))) == 10
    assert list(new_objects(sandbox.path, [second], not_ids=[second], env=env)) == []
    assert list(new_objects(sandbox.path, [first])) == []
    assert list(new_objects(sandbox.path, [ZERO_OID])) == []


def test_pointers_are_found_among_the_small_blobs(
    sandbox: Sandbox, quarantined: tuple[str, str, dict[str, str]]
) -> None:
    _, second, env = quarantined
    blobs = [item.oid for item in new_objects(sandbox.path, [second], env=env) if item.kind == "blob"]
    contents = dict(read_small_blobs(sandbox.path, [*blobs, "1" * 40, second], env=env))
    assert len(contents) == 1  # the large one, the absent one and the commit are left out
    pointer = parse_pointer(next(iter(contents.values())))
    assert pointer is not None
    assert pointer.oid == "a" * 64
    assert list(read_small_blobs(sandbox.path, [])) == []
    assert dict(read_small_blobs(sandbox.path, blobs, max_bytes=2000, env=env)).keys() == set(blobs)


def test_a_push_without_its_quarantine_is_seen_to_lack_objects(
    sandbox: Sandbox, quarantined: tuple[str, str, dict[str, str]]
) -> None:
    first, second, env = quarantined
    with pytest.raises(Unprocessable) as caught:
        list(new_objects(sandbox.path, [second]))
    assert caught.value.code == "object_missing"
    assert check_connectivity(sandbox.path, [second], env=env)
    assert not check_connectivity(sandbox.path, [second])
    assert check_connectivity(sandbox.path, [])
    assert is_ancestor(sandbox.path, first, second, env=env)
    assert not is_ancestor(sandbox.path, second, first, env=env)
    assert not is_ancestor(sandbox.path, first, second)


def test_a_missing_blob_is_noticed(sandbox: Sandbox) -> None:
    tree = sandbox.plant_tree(("100644", "1" * 40, b"absent"))
    commit = sandbox.plant_commit(tree)
    with pytest.raises(Unprocessable) as caught:
        list(new_objects(sandbox.path, [commit]))
    assert caught.value.code == "object_missing"
    assert not check_connectivity(sandbox.path, [commit])


def test_a_listing_that_is_left_early_ends_its_processes(sandbox: Sandbox) -> None:
    blob = sandbox.plant_blob(b"1")
    trees = [sandbox.plant_tree(*(("100644", blob, b"%d-%04d" % (at, n)) for n in range(10))) for at in range(3)]
    commit = sandbox.plant_commit(sandbox.plant_tree(*(("40000", tree, b"%d" % at) for at, tree in enumerate(trees))))
    stream = new_objects(sandbox.path, [commit])
    assert len(list(islice(stream, 2))) == 2
    stream.close()  # type: ignore[attr-defined]
    assert b"rev-list" not in child_commands()
    assert b"cat-file" not in child_commands()


def test_names_that_are_no_unicode_or_hold_a_line_break_do_not_break_the_listing(sandbox: Sandbox) -> None:
    blob, other = sandbox.plant_blob(b"1"), sandbox.plant_blob(b"2")
    tree = sandbox.plant_tree(("100644", blob, b"new\nline x"), ("100644", other, b"\xff"))
    found = {item.oid: item.path for item in new_objects(sandbox.path, [sandbox.plant_commit(tree)])}
    assert (found[blob], found[other]) == ("new", "\N{REPLACEMENT CHARACTER}")


def test_a_real_push_is_looked_at_by_a_hook_in_its_quarantine(sandbox: Sandbox, tmp_path: Path) -> None:
    """The variables are those that git really gives."""
    ready, done = tmp_path / "ready", tmp_path / "done"
    os.mkfifo(ready)
    os.mkfifo(done)
    hook = sandbox.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    script = f"env > {tmp_path}/env; cat > {tmp_path}/lines; echo > {ready}; read x < {done}; exit 1"
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    source = tmp_path / "source.git"
    subprocess.run(["git", "init", "-q", "--bare", str(source)], check=True)
    commit = Sandbox(source).commit({"a/b": b"hello"}, branch="topic")
    command = ["git", "-c", "safe.directory=*", f"--git-dir={source}", "push", "-q", str(sandbox.path), "topic"]
    waiting = os.open(ready, os.O_RDONLY | os.O_NONBLOCK)
    push = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    assert select.select([waiting], [], [], 30)[0], "the hook did not run"
    os.close(waiting)
    try:
        assert (tmp_path / "lines").read_text() == f"{ZERO_OID} {commit} refs/heads/topic\n"
        given = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
        env = {name: given[name] for name in QUARANTINE_VARIABLES}
        found = list(new_objects(sandbox.path, [commit], env=env))
        assert [item.path for item in found if item.kind == "blob"] == ["a/b"]
        assert sandbox.tip("topic") is None
    finally:
        done.write_text("\n")
        assert push.wait(timeout=30) != 0
    with pytest.raises(Unprocessable):
        list(new_objects(sandbox.path, [commit]))  # the hook refused, so nothing stayed
