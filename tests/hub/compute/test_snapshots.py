"""Repositories as directories: whole, shared, read-only, and never a step outside."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pygit2
import pytest

from hub.accounts.policy import SYSTEM
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.errors import NotFound, Unavailable
from hub.base.settings import Settings
from hub.compute.models import Workload
from hub.compute.service.starting import start_workload
from hub.compute.snapshots import digest_of, is_allowed, make_snapshot, remove_tree, snapshots_path, sweep_snapshots
from hub.compute.spec import Mount
from hub.db.uow import reading
from hub.git.repository import find_revision
from hub.objects.store import STORE, create_store
from hub.repos.files import FileEdit, commit_files
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from tests.hub.compute.programs import serving
from tests.support.jobs import run_now

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]

WEIGHTS = b"w" * 100_000


@pytest.fixture
def repository(make_user: Any, make_repository: Any) -> Repository:
    """A model with a plain file, one in a folder, and one in LFS."""
    made: Repository = make_repository(make_user(), "bert")
    return made


@pytest.fixture
def mount(context: Context, repository: Repository) -> Mount:
    """Its tip."""
    edits = [
        FileEdit("config.json", content=b"{}"),
        FileEdit("deep/er/vocab.txt", content=b"a\nb\n"),
        FileEdit("model.safetensors", content=WEIGHTS),
    ]
    made = commit_files(context, actor=SYSTEM, repository_id=repository.id, message="files", edits=edits)
    return Mount("model", "model", "ada/bert", made.commit_id, repository_id=repository.id)


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_files_of_a_commit_are_there_whole_once_and_cannot_be_changed(context: Context, mount: Mount) -> None:
    told: list[tuple[int, int]] = []
    snapshot = make_snapshot(context, mount, progress=lambda done, total: told.append((done, total)))
    files = _files(snapshot.path)
    assert set(files) == {".gitattributes", "README.md", "config.json", "deep/er/vocab.txt", "model.safetensors"}
    assert files["model.safetensors"] == WEIGHTS
    assert files["deep/er/vocab.txt"] == b"a\nb\n"
    assert told[-1] == (sum(map(len, files.values())),) * 2
    assert snapshot.size_bytes < len(WEIGHTS)  # what is in LFS was not copied
    oid = hashlib.sha256(WEIGHTS).hexdigest()
    stored = next(info.key for info in context[STORE].list("lfs/") if oid in info.key)
    kept = context[STORE].local_path(stored)
    assert kept is not None
    weights = snapshot.path / "model.safetensors"
    assert os.stat(weights).st_ino == os.stat(kept).st_ino or weights.read_bytes() == kept.read_bytes()
    assert all(os.stat(path).st_mode & 0o222 == 0 for path in (weights, weights.parent, snapshot.path / "config.json"))
    again = make_snapshot(context, mount)
    assert (again.path, again.is_new) == (snapshot.path, False)
    assert [path.name for path in snapshots_path(context.settings).iterdir() if not path.name.startswith(".")] == [
        digest_of(mount)
    ]


def test_two_at_once_make_it_once_and_patterns_choose(context: Context, mount: Mount) -> None:
    chosen = Mount("model", "model", "ada/bert", mount.commit_id, mount.repository_id, ("*.json", "deep/"))
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(make_snapshot(context, chosen).is_new)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, True]
    assert set(_files(make_snapshot(context, chosen).path)) == {"config.json", "deep/er/vocab.txt"}
    assert digest_of(chosen) != digest_of(mount)
    assert is_allowed("a/b.bin", ["*.bin"])
    assert not is_allowed("a/b.bin", ["a/*.json", "b*"])


def _hostile_commit(path: Path, outside: Path) -> str:
    """A commit that no git would make: names that lead out, links that do, and two things of one name."""
    repository = pygit2.Repository(str(path))

    def write(content: bytes) -> pygit2.Oid:
        return repository.create_blob(content)

    def tree(*entries: tuple[str, bytes, pygit2.Oid]) -> pygit2.Oid:
        raw = b"".join(mode.encode() + b" " + name + b"\0" + oid.raw for mode, name, oid in entries)
        return repository.odb.write(pygit2.enums.ObjectType.TREE, raw)

    evil = write(b"evil")
    up = tree(("100644", b"evil", evil))
    root = tree(
        ("40000", b"..", up),
        ("100644", b"../evil", evil),
        ("100644", b"/evil", evil),
        ("40000", b".git", up),
        ("100644", b"a\\b", evil),
        ("100644", b"\xff", evil),
        ("120000", b"absolute", write(str(outside).encode())),
        ("120000", b"chain", write(b"inside/up")),
        ("120000", b"dangling", write(b"nowhere")),
        ("100644", b"double", evil),
        ("40000", b"double", up),
        ("100755", b"good.sh", write(b"#!/bin/sh\n")),
        ("120000", b"hop", write(b"way/../../..")),
        ("40000", b"inside", tree(("120000", b"up", write(b"../..")), ("100644", b"x", write(b"x")))),
        ("120000", b"link", write(b"inside/x")),
        ("120000", b"long", write(b"x" * 5000)),
        ("120000", b"loop", write(b"loop")),
        ("160000", b"sub", evil),
        ("120000", b"way", write(b"inside")),
    )
    who = pygit2.Signature("x", "x@example.org")
    commit = repository.create_commit("refs/heads/hostile", who, who, "hostile", root, [])
    repository.free()
    return str(commit)


def test_no_name_and_no_link_leads_out(context: Context, repository: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    commit = _hostile_commit(repository_path(context.settings, repository), outside)
    snapshot = make_snapshot(context, Mount("m", "model", "ada/bert", commit, repository.id))
    root = os.path.realpath(snapshot.path)
    found = {str(path.relative_to(snapshot.path)) for path in snapshot.path.rglob("*")}
    assert found == {"double", "good.sh", "inside", "inside/x", "link", "way"}
    assert (snapshot.path / "link").read_bytes() == b"x"
    assert os.access(snapshot.path / "good.sh", os.X_OK)
    for path in snapshot.path.rglob("*"):
        assert os.path.realpath(path).startswith(root + "/")
    assert len(snapshot.left_out) == 15
    beside = {path.name for path in snapshots_path(context.settings).iterdir() if not path.name.startswith(".")}
    assert beside == {snapshot.path.name}
    assert [path.name for path in outside.iterdir()] == ["secret"]
    remove_tree(snapshot.path)  # follows no link
    assert (outside / "secret").exists()


def test_what_cannot_be_made_leaves_nothing(context: Context, mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Mount("m", "model", "ada/bert", "b" * 40, mount.repository_id)
    for odd in (unknown, Mount("m", "model", "ada/none", mount.commit_id)):
        with pytest.raises(NotFound):
            make_snapshot(context, odd)
    oid = hashlib.sha256(WEIGHTS).hexdigest()
    stored = next(info.key for info in context[STORE].list("lfs/") if oid in info.key)
    context[STORE].delete(stored)
    with pytest.raises((NotFound, Unavailable)):
        make_snapshot(context, mount)
    left = [path.name for path in snapshots_path(context.settings).iterdir() if not path.name.startswith(".lock-")]
    assert left == []


def test_a_full_disk_is_said_so(context: Context, repository: Repository) -> None:
    tip = find_revision(repository_path(context.settings, repository), "refs/heads/main")
    assert tip is not None
    context.settings = dataclasses.replace(context.settings, min_free_disk_bytes=1 << 60)
    with pytest.raises(Unavailable) as caught:
        make_snapshot(context, Mount("m", "model", "ada/bert", tip, repository.id))
    assert caught.value.code == "disk_full"


def test_only_what_nobody_needs_is_swept(
    context: Context,
    clock: FixedClock,
    mount: Mount,
    repository: Repository,
    make_workload: Callable[..., Workload],
    run_jobs: Callable[[], list[str]],
) -> None:
    with reading(context) as work:
        owner = work.session.get_one(Repository, repository.id).created_by
        assert owner is not None
        _ = owner.namespace.path
    workload = make_workload(owner, serving(mounts=(mount,)))
    start_workload(context, actor=SYSTEM, workload_id=workload.id)
    run_jobs()
    with reading(context) as work:
        assert work.session.get_one(Workload, workload.id).word == "Running"
    other = make_snapshot(context, Mount("m", "model", "ada/bert", mount.commit_id, repository.id, ("*.json",)))
    used = snapshots_path(context.settings) / digest_of(mount)
    for path in (other.path, used):
        os.utime(path, (clock.now().timestamp(),) * 2)
    assert sweep_snapshots(context, set()) == []  # too young
    clock.advance(context.settings.compute_snapshot_ttl_s + 1)
    run_now(context, "compute.sweep")
    assert (used.is_dir(), other.path.is_dir()) == (True, False)


@pytest.fixture
def s3_settings(settings: Settings, s3_storage_url: str) -> Settings:
    """Those of a hub whose contents lie in S3."""
    return dataclasses.replace(settings, storage_url=s3_storage_url)


def test_contents_come_from_s3_as_well(
    context: Context, s3_settings: Settings, make_user: Any, make_repository: Any
) -> None:
    """Streamed, and only whole where every byte is the right one."""
    context.settings = s3_settings
    context._values[STORE.name] = create_store(s3_settings)
    made = make_repository(make_user(), "bert")
    edits = [FileEdit("model.safetensors", content=WEIGHTS)]
    commit = commit_files(context, actor=SYSTEM, repository_id=made.id, message="w", edits=edits).commit_id
    context[STORE].check()
    snapshot = make_snapshot(context, Mount("m", "model", "ada/bert", commit, made.id))
    assert (snapshot.path / "model.safetensors").read_bytes() == WEIGHTS
    assert snapshot.size_bytes >= len(WEIGHTS)
    assert context[STORE].local_path("lfs/x") is None
