"""One answer for all who want the same, kept for those who come later."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from hub.base.errors import Unavailable
from hub.git.packcache import PackCache, cache_key
from tests.support.processes import wait_until

KEY = cache_key("uuid", "digest", b"request")
MIB = 1024 * 1024


@pytest.fixture
def cache(tmp_path):
    return PackCache(tmp_path / "packs", 64 * MIB)


class Writer:
    """Stands for git: ``cat``, which writes what the test hands it."""

    def __init__(self):
        self.processes = []
        self.ended = threading.Event()

    def start(self, stream):
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=stream, start_new_session=True)
        self.processes.append(process)
        return process

    @property
    def process(self):
        return self.processes[-1]

    def write(self, data, *, end=False):
        self.process.stdin.write(data)
        self.process.stdin.flush()
        if end:
            self.process.stdin.close()

    def fail(self):
        """End as a process does that something killed."""
        self.process.kill()

    def follow(self, cache, key=KEY, timeout_s=60.0):
        assert cache.takes(1)
        return cache.follow(key, self.start, self.ended.set, timeout_s=timeout_s)


@pytest.fixture
def writer():
    writer = Writer()
    yield writer
    for process in writer.processes:
        process.kill()
        process.stdin.close()
        process.wait()


def read_beside(follower):
    """Read to the end in another thread; the list of pieces, and the thread."""
    pieces = []
    thread = threading.Thread(target=lambda: pieces.extend(follower), daemon=True)
    thread.start()
    return pieces, thread


def is_kept(cache, key=KEY):
    stream = cache.open(key)
    if stream is not None:
        stream.close()
    return stream is not None


def drafts(tmp_path):
    return [path.name for path in (tmp_path / "packs").rglob("*.part")]


def test_the_bytes_come_while_they_are_written(cache, writer):
    follower = writer.follow(cache)
    writer.write(b"first")
    assert next(follower) == b"first"
    writer.write(b"second" + b"0000", end=True)
    assert b"".join(follower) == b"second0000"
    assert writer.ended.wait(10)


def test_a_finished_answer_is_kept_for_the_next(cache, writer, tmp_path):
    follower = writer.follow(cache)
    writer.write(b"pack0000", end=True)
    assert b"".join(follower) == b"pack0000"
    with cache.open(KEY) as stream:
        assert stream.read() == b"pack0000"
    assert not drafts(tmp_path)


def test_all_who_come_at_once_share_one_process(cache, writer):
    followers = [writer.follow(cache) for _ in range(5)]
    writer.write(b"a" * MIB)
    followers += [writer.follow(cache) for _ in range(3)]
    reading = [read_beside(follower) for follower in followers]
    writer.write(b"b" * MIB + b"0000", end=True)
    for pieces, thread in reading:
        thread.join(20)
        assert b"".join(pieces) == b"a" * MIB + b"b" * MIB + b"0000"
    assert len(writer.processes) == 1


def test_another_request_repository_or_state_of_refs_is_another_answer(cache, writer):
    keys = {
        KEY,
        cache_key("other", "digest", b"request"),
        cache_key("uuid", "other", b"request"),
        cache_key("uuid", "digest", b"other"),
    }
    assert len(keys) == 4
    for key in sorted(keys):
        writer.follow(cache, key).close()
    assert len(writer.processes) == 4


@pytest.mark.parametrize("content", [b"", b"pack", b"000", b"pack0001"])
def test_an_answer_that_does_not_end_as_one_does_is_not_kept(cache, writer, tmp_path, content):
    follower = writer.follow(cache)
    writer.write(content, end=True)
    assert b"".join(follower) == content
    assert writer.ended.wait(10)
    assert not is_kept(cache)
    assert not drafts(tmp_path)


def test_the_answer_of_a_process_that_failed_is_not_kept(cache, writer, tmp_path):
    follower = writer.follow(cache)
    writer.write(b"half0000")
    assert next(follower) == b"half0000"
    writer.fail()
    assert list(follower) == []
    assert writer.ended.wait(10)
    assert not is_kept(cache)
    assert not drafts(tmp_path)


def test_the_leaving_of_the_first_reader_does_not_concern_the_others(cache, writer):
    first, second = writer.follow(cache), writer.follow(cache)
    writer.write(b"pack")
    first.close()
    first.close()
    writer.write(b"0000", end=True)
    assert b"".join(second) == b"pack0000"
    assert is_kept(cache)


def test_when_the_last_reader_leaves_the_process_ends(cache, writer, tmp_path):
    followers = [writer.follow(cache), writer.follow(cache)]
    writer.write(b"pack")
    for follower in followers:
        follower.close()
    assert writer.ended.wait(10)
    assert writer.process.poll() is not None
    assert not is_kept(cache)
    assert not drafts(tmp_path)


def test_after_everybody_left_one_can_ask_anew(cache, writer):
    writer.follow(cache).close()
    follower = writer.follow(cache)
    writer.write(b"pack0000", end=True)
    assert b"".join(follower) == b"pack0000"
    assert len(writer.processes) == 2


def test_a_closed_reader_gives_no_more(cache, writer):
    follower = writer.follow(cache)
    writer.write(b"pack0000", end=True)
    assert writer.ended.wait(10)
    follower.close()
    assert list(follower) == []


def test_what_cannot_be_started_is_told_to_all_who_wait_and_may_be_tried_again(cache, writer):
    asked, go = threading.Event(), threading.Event()
    errors = []

    def refuse(_stream):
        asked.set()
        go.wait(10)
        raise Unavailable("Too busy.", code="git_busy")

    def follow():
        try:
            cache.follow(KEY, refuse, writer.ended.set, timeout_s=60)
        except Unavailable as error:
            errors.append(error.code)

    assert cache.takes(1)
    threads = [threading.Thread(target=follow, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert asked.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert errors == ["git_busy"] * 3
    assert not writer.ended.is_set()
    follower = writer.follow(cache)
    writer.write(b"0000", end=True)
    assert b"".join(follower) == b"0000"


def test_a_process_that_takes_too_long_is_ended(cache, writer):
    follower = writer.follow(cache, timeout_s=0.05)
    assert list(follower) == []
    assert writer.process.poll() is not None


def make(cache, writer, name, size_bytes):
    """A finished answer of that size; its key."""
    key = cache_key(name, "digest", b"request")
    follower = writer.follow(cache, key)
    writer.write(b"x" * (size_bytes - 4) + b"0000", end=True)
    for _ in follower:
        pass
    return key


def test_an_answer_above_a_quarter_of_the_cache_is_not_kept(cache, writer):
    assert is_kept(cache, make(cache, writer, "fits", 16 * MIB))
    assert not is_kept(cache, make(cache, writer, "large", 16 * MIB + 1))


def test_the_cache_stays_within_its_size_and_forgets_what_was_asked_for_least(tmp_path, writer):
    cache = PackCache(tmp_path / "packs", 8 * MIB)
    keys = [make(cache, writer, str(number), 2 * MIB) for number in range(4)]
    for age, key in enumerate(reversed(keys)):
        path = tmp_path / "packs" / key[:2] / key
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    assert is_kept(cache, keys[0])  # asked for again: now the youngest
    make(cache, writer, "more", 2 * MIB)
    assert [is_kept(cache, key) for key in keys] == [True, False, True, True]


def test_an_answer_that_is_thrown_out_is_sent_to_its_end(tmp_path, writer):
    cache = PackCache(tmp_path / "packs", 8 * MIB)
    with cache.open(make(cache, writer, "old", 2 * MIB)) as stream:
        for path in (tmp_path / "packs").rglob("*"):
            if path.is_file():
                path.unlink()
        assert len(stream.read()) == 2 * MIB


def test_drafts_that_a_killed_process_left_are_removed_in_time(cache, tmp_path):
    assert cache.takes(1)
    old, young = tmp_path / "packs" / "old.part", tmp_path / "packs" / "young.part"
    for draft in (old, young):
        draft.write_bytes(b"x")
    os.utime(old, (1_700_000_000, 1_700_000_000))
    cache.shrink()
    assert not old.exists()
    assert young.exists()


def test_what_would_not_be_kept_is_not_begun(tmp_path):
    assert not PackCache(tmp_path / "off", 0).takes(1)
    assert not PackCache(tmp_path / "small", 4 * MIB).takes(MIB + 1)
    assert PackCache(tmp_path / "small", 4 * MIB).takes(MIB)
    assert not PackCache(tmp_path / "full", 4 * MIB, min_free_bytes=1 << 60).takes(1)


def test_nobody_else_on_the_machine_reads_the_cache(cache, tmp_path):
    assert cache.takes(1)
    assert (tmp_path / "packs").stat().st_mode & 0o077 == 0


def test_many_short_answers_leave_nothing_behind(cache, writer, tmp_path):
    for number in range(30):
        make(cache, writer, str(number % 7), 100)
    wait_until(lambda: not drafts(tmp_path), what="the drafts to go")
    open_files = [os.readlink(path.path) for path in os.scandir("/proc/self/fd") if os.path.islink(path.path)]
    assert not [name for name in open_files if name.endswith(".part") or ".part (deleted)" in name]
