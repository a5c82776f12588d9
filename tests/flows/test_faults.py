"""What is left when a process dies at the worst moment: before or after, never between, and nothing acknowledged lost.

The moments are met by killing real processes as soon as their traces show: git's child has started, the ref has moved
on disk, the first megabytes have arrived. No product code knows of these tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.hub import pause, resume
from tests.support.lfs import LFSClient, oid_of
from tests.support.processes import accepts_connections, wait_until
from tests.support.proxy import holding_proxy

pytestmark = pytest.mark.slow
MIB = 1024 * 1024
# Where git keeps what a push has brought until its refs have moved.
QUARANTINED = "objects/tmp_objdir-*/pack/*"


@pytest.fixture
def hub(start_hub):
    return start_hub()


@pytest.fixture
def own(hub, make_checkout):
    """A repository, with a clone, on a hub that the test may ruin."""
    return make_checkout(hub.create_user("ada"))


def push_states(hub):
    return [state for (state,) in hub.rows("SELECT state FROM pushes ORDER BY id")]


def all_files(hub, folder):
    return {path for path in (hub.home / folder).rglob("*") if path.is_file()}


def make_old(paths):
    """Let the files look two days old."""
    for path in paths:
        then = path.stat().st_mtime - 2 * 86_400
        os.utime(path, (then, then))


def assert_sound(own, main):
    """The hub runs, the branch is there, git finds nothing wrong, and a fresh clone is whole."""
    repository = own.hub.repository_path(own.path)
    assert own.remote_refs()["refs/heads/main"] == main
    assert own.user.git("fsck", "--full", "--strict", cwd=repository).ok
    target = own.work_tree.with_name(f"check-{main[:8]}")
    own.user.clone(own.url, target)
    assert own.user.head(target) == main


def heavy_commit(own, noise, count=1):
    return own.user.commit(own.work_tree, {f"{number}.dat2": noise(9 * MIB) for number in range(count)})


def finished(process):
    """Wait for a client whose server is gone; its exit status."""
    process.communicate(timeout=120)
    return process.returncode


@contextlib.contextmanager
def half_a_push(own):
    """Half of a push has arrived, and no more comes; the client's process."""
    hub = own.hub
    with holding_proxy(hub.port, marker=b"/git-receive-pack ", after_bytes=4 * MIB) as proxy:
        push = own.user.start("push", proxy.address(own.address), "main", cwd=own.work_tree)
        wait_until(lambda: list(hub.repository_path(own.path).glob(QUARANTINED)), what="the push to arrive")
        assert proxy.is_holding.wait(60)
        yield push


# In the middle of a push


def test_everything_dies_while_a_push_arrives(own, hub, noise):
    before = own.remote_refs()
    pushed = heavy_commit(own, noise)
    with half_a_push(own) as push:
        hub.kill()
        assert finished(push) != 0
    repository = hub.repository_path(own.path)
    orphans = list(repository.glob("objects/tmp_objdir-*"))
    assert orphans, "nothing was killed in the middle"
    hub.start()
    assert own.remote_refs() == before
    make_old([path for orphan in orphans for path in (*orphan.rglob("*"), orphan)])
    hub.cli("gc")
    assert not any(orphan.exists() for orphan in orphans)
    own.user.push(own.work_tree, "main")
    assert_sound(own, pushed)


@pytest.mark.parametrize("who", ["worker of the web server", "web server"])
def test_the_web_server_dies_while_a_push_arrives(own, hub, noise, who):
    before = own.remote_refs()
    pushed = heavy_commit(own, noise)
    with half_a_push(own) as push:
        children = hub.git_processes()
        master, *workers = hub.program("web")
        os.kill((workers[0] if who.startswith("worker") else master).pid, signal.SIGKILL)
        assert finished(push) != 0
    wait_until(lambda: not any(child.is_running() for child in children), what="git to notice")
    # The supervisor brings it back without anybody's help.
    wait_until(hub.is_ready, timeout_s=120, what="the web server to come back")
    assert own.remote_refs() == before
    own.user.push(own.work_tree, "main")
    assert_sound(own, pushed)


def kill_once_moved(hub, ref_file, push, count):
    """Kill everything as soon as the ref file changes; whether the push was still unrecorded by then.

    count: the pushes that there were before. Once the web server has written down that this one is to be let in, it
    runs for a moment at a time only: git has its leave and moves the ref, and who is to record that stands still.
    """
    old, web, moment = ref_file.read_bytes(), hub.program("web"), threading.Event()
    wait_until(lambda: len(push_states(hub)) > count or push.poll() is not None, what="the push to be let in")
    while push.poll() is None:
        for process in web:
            pause(process)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: ref_file.read_bytes() != old, timeout_s=0.3)
            hub.kill()
            return push_states(hub)[-1] == "pending"
        for process in web:
            resume(process)
        moment.wait(0.002)
    return False


def test_everything_dies_between_the_ref_and_its_record(own, hub):
    """The ref has moved, the record has not been written: the restart writes it, and the jobs follow."""
    for attempt in range(8):
        pushed = own.user.commit(own.work_tree, {"a.txt": f"{attempt}\n"})
        ref_file = hub.repository_path(own.path) / "refs" / "heads" / "main"
        if not ref_file.exists():  # packed away by maintenance; a push writes it out again
            own.user.push(own.work_tree, "main")
            continue
        count = len(push_states(hub))
        push = own.user.start("push", "origin", "main", cwd=own.work_tree)
        was_between = kill_once_moved(hub, ref_file, push, count)
        finished(push)
        if hub.process.poll() is not None:
            hub.start()
        if was_between:
            break
    else:
        pytest.fail("no attempt met the moment between ref and record")
    assert own.remote_refs()["refs/heads/main"] == pushed
    hub.cli("reconcile")
    assert "pending" not in push_states(hub)
    [(changes,)] = hub.rows("SELECT changes FROM pushes WHERE state = 'applied' ORDER BY id DESC LIMIT 1")
    assert [(change["ref"], change["new"]) for change in json.loads(changes)] == [("refs/heads/main", pushed)]
    wait_until(
        lambda: not hub.rows("SELECT 1 FROM jobs WHERE name = 'repos.after_push' AND state IN ('queued', 'running')"),
        what="the jobs after the push",
    )
    assert_sound(own, pushed)


def test_everything_dies_at_random_moments_of_many_pushes(own, hub):
    """Whatever the client was told has happened has happened."""
    acknowledged = own.remote_refs()["refs/heads/main"]
    for round_number in range(4):
        stop = threading.Event()
        told = []

        def push_on(stop=stop, told=told, round_number=round_number):
            for number in range(40):
                if stop.is_set():
                    return
                commit = own.user.commit(own.work_tree, {"a.txt": f"{round_number}.{number}\n"})
                if own.user.push(own.work_tree, "main", check=False).ok:
                    told.append(commit)

        thread = threading.Thread(target=push_on)
        thread.start()
        wait_until(lambda told=told, enough=round_number: len(told) > enough, timeout_s=120, what="some pushes")
        wait_until(hub.git_processes, what="one under way")
        hub.kill()
        stop.set()
        thread.join()
        acknowledged = told[-1] if told else acknowledged
        hub.start()
        main = own.remote_refs()["refs/heads/main"]
        assert own.user.git("merge-base", "--is-ancestor", acknowledged, main, cwd=own.work_tree).ok
        hub.cli("reconcile")
        # A push whose refs never moved is given up only after its grace; one whose refs moved is recorded now.
        for changes, state in hub.rows("SELECT changes, state FROM pushes WHERE repository_id = 1"):
            if any(change["new"] == main for change in json.loads(changes)):
                assert state == "applied"
    assert_sound(own, main)


# In the middle of an upload


def half_an_upload(hub, action, content):
    """Open an upload by hand and send half of it; the open connection."""
    parts = urlsplit(action["href"])
    headers = {**action.get("header", {}), "Host": parts.netloc, "Content-Length": str(len(content))}
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content[: len(content) // 2])
    return connection


def assert_unseen(hub, lfs, content):
    """The object is nowhere to be had, and nothing whole lies in the store under its name."""
    assert lfs.action("download", content)["error"]["code"] == 404
    assert not [path for path in all_files(hub, "objects") if path.name == oid_of(content)]


def test_everything_dies_while_an_object_arrives(own, hub, noise):
    lfs = LFSClient(own.account.api, own.path)
    content = noise(24 * MIB)
    before = all_files(hub, "objects")
    connection = half_an_upload(hub, lfs.action("upload", content)["actions"]["upload"], content)
    wait_until(
        lambda: sum(path.stat().st_size for path in all_files(hub, "objects") - before) > 4 * MIB, what="half of it"
    )
    hub.kill()
    connection.close()
    hub.start()
    assert_unseen(hub, lfs, content)
    left = all_files(hub, "objects") - before
    assert left, "the test shows nothing when the kill leaves nothing"
    # What is younger than a day may still be on its way.
    hub.cli("gc")
    assert all_files(hub, "objects") - before == left
    make_old(left)
    hub.cli("gc")
    assert all_files(hub, "objects") == before
    lfs.upload(content)
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content


def test_an_uploader_who_goes_away_leaves_nothing(own, hub, noise):
    lfs = LFSClient(own.account.api, own.path)
    content = noise(24 * MIB)
    before = all_files(hub, "objects")
    connection = half_an_upload(hub, lfs.action("upload", content)["actions"]["upload"], content)
    wait_until(lambda: all_files(hub, "objects") != before, what="the first bytes")
    connection.close()
    wait_until(lambda: all_files(hub, "objects") == before, what="the hub to tidy up")
    assert_unseen(hub, lfs, content)


# Jobs


def job_states(hub, name):
    return dict(tuple(row) for row in hub.rows("SELECT uuid, state FROM jobs WHERE name = :name", name=name))


def test_a_job_whose_worker_is_killed_runs_again(own, hub):
    """The worker is stopped before the job is sent, and killed with what it forks as soon as it goes on."""
    worker = hub.program("worker")[0]
    hub.rest()
    pause(worker)
    own.user.commit(own.work_tree, {"a.txt": "1\n"})
    own.user.push(own.work_tree, "main")
    wait_until(lambda: "queued" in job_states(hub, "repos.after_push").values(), what="the job")
    resume(worker)
    with contextlib.suppress(TimeoutError, psutil.NoSuchProcess):
        wait_until(lambda: worker.children(), timeout_s=5, what="the job to start")
        for child in worker.children():
            child.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        worker.kill()
    # Half a minute without a sign of life goes by.
    hub.execute("UPDATE jobs SET heartbeat_at = '2026-01-01 00:00:00' WHERE state = 'running'")
    wait_until(
        lambda: set(job_states(hub, "repos.after_push").values()) == {"succeeded"}, timeout_s=120, what="the job's end"
    )


def test_jobs_outlive_a_redis_that_loses_everything(start_hub, redis_server, git_user, make_checkout):
    hub = start_hub(redis_url=redis_server.url(2))
    own = make_checkout(hub.create_user("ada"))
    workers = hub.program("worker")
    hub.rest()
    for worker in workers:
        # What it forked for a job may have ended since.
        with contextlib.suppress(ProcessLookupError):
            pause(worker)
    own.user.commit(own.work_tree, {"a.txt": "1\n"})
    own.user.push(own.work_tree, "main")
    wait_until(lambda: "queued" in job_states(hub, "repos.after_push").values(), what="the job")
    import redis

    with redis.Redis.from_url(redis_server.url(2)) as client:
        client.flushdb()
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            resume(worker)
    wait_until(
        lambda: set(job_states(hub, "repos.after_push").values()) == {"succeeded"}, timeout_s=120, what="the job's end"
    )


# No room


def test_a_full_quota_refuses_pushes_and_uploads_and_keeps_what_is_there(start_hub, make_checkout, noise):
    hub = start_hub(quota_bytes=20 * MIB)
    own = make_checkout(hub.create_user("ada"))
    first = heavy_commit(own, noise, count=1)
    own.user.push(own.work_tree, "main")
    heavy_commit(own, noise, count=3)
    refused = own.user.push(own.work_tree, "main", check=False)
    assert not refused.ok
    assert "quota" in refused.error
    lfs = LFSClient(own.account.api, own.path)
    content = noise(18 * MIB)
    answer = lfs.batch("upload", [{"oid": oid_of(content), "size": len(content)}])
    said = answer.json if answer.status >= 400 else answer.json["objects"][0]["error"]
    assert "quota" in said["message"]
    lfs.upload(noise(MIB))
    own.user.git("reset", "--quiet", "--hard", first, cwd=own.work_tree)
    assert_sound(own, first)


def test_a_full_disk_refuses_writes_and_serves_reads(start_hub, make_checkout, noise):
    hub = start_hub()
    own = make_checkout(hub.create_user("ada"))
    first = own.user.commit(own.work_tree, {"a.txt": "1\n"})
    own.user.push(own.work_tree, "main")
    hub.stop()
    hub.environment["HUB_MIN_FREE_DISK_BYTES"] = str(2**60)
    hub.start()
    own.user.commit(own.work_tree, {"a.txt": "2\n"})
    refused = own.user.push(own.work_tree, "main", check=False)
    assert not refused.ok
    assert "full" in refused.error
    content = noise(MIB)
    lfs = LFSClient(own.account.api, own.path)
    answer = lfs.batch("upload", [{"oid": oid_of(content), "size": len(content)}])
    said = answer.json if answer.status >= 400 else answer.json["objects"][0]["error"]
    assert "full" in said["message"]
    assert_sound(own, first)


# The end that is asked for


def test_stopping_lets_a_running_clone_end(own, hub, tmp_path, noise):
    heavy_commit(own, noise)
    own.user.push(own.work_tree, "main")
    with holding_proxy(hub.port, marker=b"/git-upload-pack ", after_bytes=4 * MIB) as proxy:
        clone = own.user.start("clone", "--quiet", proxy.address(own.url), str(tmp_path / "late"), cwd=tmp_path)
        assert proxy.is_holding.wait(60)
        hub.process.terminate()
        wait_until(lambda: not accepts_connections(hub.port), what="the hub to close its door")
        assert clone.poll() is None
        proxy.let_go.set()
        assert finished(clone) == 0
    assert hub.process.wait(60) == 0
    assert (tmp_path / "late" / "0.dat2").stat().st_size == 9 * MIB
