"""What only the store of plain files must keep: its directory, whatever breaks."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.base.errors import Conflict, Unavailable
from hub.base.settings import MIB, Settings
from hub.objects.file import FileStore
from hub.objects.store import create_store
from tests.support.lfs import oid_of
from tests.support.shelf import files_below

KEY = "lfs/ab/cd/abcd"
STAGED = "staging/upload"
CONTENT = os.urandom(3 * MIB)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "objects")


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """No file may grow past this: the nearest to a full disk that needs no disk of its own."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def in_chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), MIB):
        yield content[start : start + MIB]


def test_the_directory_is_the_one_in_the_settings(tmp_path):
    assert create_store(Settings(home=tmp_path)).root == tmp_path / "objects"
    assert create_store(Settings(storage_url=f"file://{tmp_path}/with%20space")).root == tmp_path / "with space"


def test_a_full_disk_is_said_and_leaves_nothing(store):
    with file_size_limit(2 * MIB), pytest.raises(Unavailable) as caught:
        store.put(KEY, in_chunks(CONTENT))
    assert caught.value.code == "disk_full"
    assert files_below(store.root) == set()
    upload_id = store.create_multipart(STAGED, part_size_bytes=len(CONTENT))
    with file_size_limit(2 * MIB), pytest.raises(Unavailable) as caught:
        store.put_part(STAGED, upload_id, 1, in_chunks(CONTENT), size_bytes=len(CONTENT))
    assert caught.value.code == "disk_full"
    assert store.list_parts(STAGED, upload_id) == []


def test_a_directory_that_cannot_be_used_is_said_to_be_away(tmp_path):
    (tmp_path / "objects").write_text("a file where the directory should be")
    store = FileStore(tmp_path / "objects")
    for attempt in (store.check, lambda: store.put(KEY, [b"x"])):
        with pytest.raises(Unavailable) as caught:
            attempt()
        assert caught.value.code == "storage_unavailable"


def test_a_process_that_is_killed_leaves_a_leftover_in_staging_only(store):
    program = (
        "import os, signal, sys; from pathlib import Path; from hub.objects.file import FileStore\n"
        "def chunks():\n"
        "    yield bytes(1024 * 1024)\n"
        "    yield bytes(1024 * 1024)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "FileStore(Path(sys.argv[1])).put('lfs/a', chunks())"
    )
    done = subprocess.run([sys.executable, "-c", program, str(store.root)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    [left] = files_below(store.root)
    assert left.startswith("staging/")
    assert store.sweep_staging(older_than=datetime.now(UTC) + timedelta(minutes=1)).count == 1
    assert files_below(store.root) == set()


def test_an_upload_is_as_old_as_its_last_part(store):
    upload_id = store.create_multipart(STAGED, part_size_bytes=MIB)
    old = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    directory = store.root / "staging" / f"upload-{upload_id}"
    for path in (directory, *directory.iterdir()):
        os.utime(path, (old, old))
    store.put_part(STAGED, upload_id, 1, [CONTENT[:MIB]], size_bytes=MIB)
    cut_off = datetime.now(UTC) - timedelta(days=1)
    assert store.sweep_staging(older_than=cut_off).count == 0
    for path in (directory, *directory.iterdir()):
        os.utime(path, (old, old))
    assert store.sweep_staging(older_than=cut_off).count == 1
    assert files_below(store.root) == set()


def test_a_forgotten_sender_changes_nothing_that_was_checked(store):
    """A part is being sent a second time while the upload is completed with what came the first time."""
    upload_id = store.create_multipart(STAGED, part_size_bytes=2 * MIB)
    parts = [
        (1, store.put_part(STAGED, upload_id, 1, in_chunks(CONTENT[: 2 * MIB]), size_bytes=2 * MIB)),
        (2, store.put_part(STAGED, upload_id, 2, [CONTENT[2 * MIB :]], size_bytes=MIB)),
    ]
    marker = store.root / "staging" / f"upload-{upload_id}" / "part-1"
    kept = marker.read_text()

    def forgotten() -> Iterator[bytes]:
        yield CONTENT[:MIB]
        marker.write_text(kept)  # as if the first sender had been the last to end
        store.complete_multipart(STAGED, upload_id, parts, size_bytes=len(CONTENT), sha256=oid_of(CONTENT))
        yield bytes(MIB)

    with pytest.raises(Conflict) as caught:
        store.put_part(STAGED, upload_id, 1, forgotten(), size_bytes=2 * MIB)
    assert caught.value.code == "upload_closed"
    assert store.digest(STAGED)[1] == oid_of(CONTENT)


def test_two_completions_at_once_both_end_well(store):
    content = os.urandom(8 * MIB)
    upload_id = store.create_multipart(STAGED, part_size_bytes=len(content))
    etag = store.put_part(STAGED, upload_id, 1, in_chunks(content), size_bytes=len(content))
    ready, outcomes = threading.Barrier(2), []

    def complete() -> None:
        ready.wait()
        outcomes.append(
            store.complete_multipart(STAGED, upload_id, [(1, etag)], size_bytes=len(content), sha256=oid_of(content))
        )

    threads = [threading.Thread(target=complete) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {info.size_bytes for info in outcomes} == {len(content)}
    assert store.digest(STAGED)[1] == oid_of(content)
    assert files_below(store.root) == {STAGED}
