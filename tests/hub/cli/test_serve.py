"""``hub serve`` as a process: what it starts, what it survives, and how it ends."""

import os
import signal
import socket
import subprocess
from contextlib import suppress

import psutil
import pytest
import redis

from tests.support.hub import HUB, HubServer
from tests.support.processes import accepts_connections, command_of, free_port, is_alive, name_of, wait_until
from tests.support.servers import scratch_directory

# What all processes of a `hub serve` without work may take together, pages that they share counted once; `make bench`
# measures it, and the start.
MAX_IDLE_BYTES = 350 * 1000 * 1000


def wait_ready(server):
    wait_until(server.is_ready, timeout_s=120, what="the hub to be ready again")


def find(server, name):
    """The processes of one of the hub's programs, the first one first."""
    if name == "redis":
        return [process for process in server.processes() if is_redis(process)]
    return server.program(name)


def is_redis(process):
    return is_alive(process) and name_of(process) == "redis-server"


def run_serve(server, **settings):
    """A ``hub serve`` that is expected to end by itself: (status, what it said)."""
    environment = server.environment | {f"HUB_{key.upper()}": str(value) for key, value in settings.items()}
    done = subprocess.run([HUB, "serve"], env=environment, cwd=server.home, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_it_says_where_it_answers_and_how_to_begin(hub_server):
    answers = f"The hub answers at  {hub_server.url}"
    wait_until(lambda: answers in hub_server.log_path.read_text(), what="the greeting")
    said = hub_server.log_path.read_text()
    assert "hub user create NAME" in said
    assert "hub token create NAME" in said
    assert f"git clone {hub_server.url}/models/NAMESPACE/NAME.git" in said


def test_the_secrets_of_its_redis_are_its_owners_alone(hub_server):
    run = hub_server.home / "run"
    assert run.stat().st_mode & 0o077 == 0
    assert (run / "redis.url").stat().st_mode & 0o077 == 0
    assert (run / "redis.sock").stat().st_mode & 0o077 == 0


def test_a_second_one_on_the_same_home_is_refused(hub_server):
    status, said = run_serve(hub_server, port=free_port(), ssh_port=0)
    assert status == 1
    assert f"A hub already runs on {hub_server.home} (process {hub_server.process.pid})" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_named(hub_server, tmp_path):
    status, said = run_serve(hub_server, home=tmp_path, port=hub_server.port, ssh_port=0)
    assert status == 1
    assert f"Port {hub_server.port} on 127.0.0.1 is taken" in said
    assert "HUB_PORT" in said
    status, said = run_serve(hub_server, home=tmp_path, port=free_port(), ssh_port=hub_server.ssh_port)
    assert status == 1
    assert "HUB_SSH_PORT" in said


def test_an_address_that_is_not_ours_is_named(hub_server, tmp_path):
    status, said = run_serve(hub_server, home=tmp_path, host="192.0.2.1")
    assert status == 1
    assert "cannot listen on 192.0.2.1" in said


def test_a_database_that_cannot_be_migrated_stops_the_start(hub_server, tmp_path):
    (tmp_path / "hub.db").write_bytes(b"this is no database" * 100)
    status, said = run_serve(hub_server, home=tmp_path, port=free_port(), ssh_port=0)
    assert status == 1
    assert "could not be set up" in said


def test_a_fresh_one_rests_in_the_memory_that_was_promised_and_then_serves_ssh():
    with scratch_directory("fresh") as directory:
        server = HubServer(directory / "home")
        server.spawn()
        try:
            wait_ready(server)
            wait_until(lambda: find(server, "ssh"), what="SSH")
            wait_until(lambda: "worker_started" in server.log_path.read_text(), what="the worker")
            # It rests when the jobs of its start have ended; what it takes is told when it never does.
            sizes = []

            def rests():
                sizes[:] = sizes_of(server)
                return sum(size_bytes for size_bytes, _line in sizes) <= MAX_IDLE_BYTES

            with suppress(TimeoutError):
                wait_until(rests)
            # Nobody came over SSH yet: the first one starts its server, and is served by it.
            [waiting] = find(server, "ssh")
            with socket.create_connection(("127.0.0.1", server.ssh_port), timeout=60) as client:
                assert client.recv(100) == b"SSH-2.0-hub\r\n"
            assert [process.pid for process in find(server, "ssh")] == [waiting.pid]
        finally:
            assert server.stop() == 0
    assert sum(size_bytes for size_bytes, _line in sizes) <= MAX_IDLE_BYTES, sizes


def sizes_of(server):
    """What each process has for itself, with its part of what it shares, and its command line."""
    sizes = []
    for process in server.processes():
        with suppress(psutil.NoSuchProcess):
            sizes.append((process.memory_full_info().pss, command_of(process)))
    return sizes


def test_every_killed_process_is_started_again(start_hub):
    server = start_hub()
    for name in ("worker", "ssh", "redis", "web"):
        wait_until(lambda name=name: find(server, name), what=name)
        before = find(server, name)[0]
        before.kill()
        wait_until(lambda before=before: not is_alive(before), what=f"{name} to be gone")
        wait_until(lambda name=name: find(server, name), timeout_s=120, what=f"another {name} in its place")
        wait_ready(server)
        assert find(server, name)[0].pid != before.pid
    wait_until(lambda: accepts_connections(server.ssh_port), what="SSH")
    web_worker = server.program("web")[-1]
    web_worker.kill()
    wait_until(lambda: not is_alive(web_worker), what="the web worker to be gone")
    wait_ready(server)


def test_all_end_when_it_is_told_to_stop(start_hub):
    server = start_hub()
    family = server.processes()
    assert len(family) >= 6
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(90) == 0
    assert [process for process in family if is_alive(process)] == []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", server.port))


def test_all_end_when_it_is_killed_and_it_starts_again_at_once(start_hub):
    server = start_hub()
    server.create_user("ada")
    family = server.processes()
    server.process.kill()
    server.process.wait(10)
    server.start()
    wait_until(lambda: not [process for process in family if is_alive(process)], what="the old ones to be gone")
    # It may have been the old web server that said so at first.
    wait_ready(server)
    assert [user["name"] for user in server.cli_json("user", "list")] == ["ada"]


def test_a_reload_brings_new_web_workers(start_hub):
    server = start_hub(ssh_port=0)
    master, worker = server.program("web")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not is_alive(worker), what="the old worker to be gone")
    assert is_alive(master)
    wait_ready(server)


def test_a_home_with_a_long_path_gets_its_redis_by_port_and_password(tmp_path):
    with scratch_directory("long") as directory:
        home = directory / ("long-" * 30)
        with HubServer(home, {"ssh_port": 0}) as server:
            url = (home / "run" / "redis.url").read_text()
            assert url.startswith("redis://:")
            with redis.Redis.from_url(url) as client:
                assert client.ping()
            port = redis.connection.parse_url(url)["port"]
            with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
                client.ping()
            assert server.is_ready()


def test_a_redis_that_was_left_behind_is_ended_first(start_hub):
    server = start_hub(ssh_port=0)
    leftover = find(server, "redis")[0]
    # The supervisor's death would end it; this one is kept from hearing of it, as a machine without prctl would.
    os.kill(leftover.pid, signal.SIGSTOP)
    server.process.kill()
    server.process.wait(10)
    wait_until(lambda: not accepts_connections(server.port), what="the old web server to go")
    assert is_alive(leftover)
    starting = subprocess.Popen([HUB, "serve"], env=server.environment, cwd=server.home)
    try:
        wait_until(lambda: not is_alive(leftover), what="the leftover to be ended")
        server.process = starting
        wait_ready(server)
    finally:
        starting.terminate()
        starting.wait(90)


def test_nothing_of_an_external_redis_is_started(start_hub, redis_url):
    server = start_hub(redis_url=redis_url, ssh_port=0)
    assert find(server, "redis") == []
    assert not (server.home / "run" / "redis.sock").exists()


def test_without_job_workers_a_scheduler_runs_alone(start_hub):
    server = start_hub(job_workers=0, ssh_port=0)
    wait_until(lambda: server.program("scheduler"), what="the scheduler")
    assert server.program("worker") == []
