"""Who may ask the supervisor, and what becomes of questions that nobody should ask."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import hub
from hub.base.errors import Invalid, Unavailable
from hub.cli.processes import WAITING_SUPERVISOR
from hub.compute.local import rpc
from hub.compute.local.places import socket_address
from hub.compute.spec import Kind, Mount, WorkloadSpec
from tests.hub.compute.programs import serving
from tests.support.compute import LocalCompute
from tests.support.hub import HUB
from tests.support.processes import stop, wait_until
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.any_database

_CONNECT = """
import os, socket, sys
os.setgroups([])
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(60)
    connection.connect(sys.argv[1])
    try:
        connection.sendall(b'{"call": "node", "arguments": {}}\\n')
        print(connection.recv(100) or "nothing")
    except (ConnectionResetError, BrokenPipeError):
        print("nothing")
"""


@pytest.fixture(scope="module")
def compute() -> Iterator[LocalCompute]:
    """One supervisor for all of these: none of the questions makes it run anything. Its path is a long one."""
    with scratch_directory("supervisor") as directory:
        found = LocalCompute(directory / ("a-long-name" * 9))
        try:
            yield found.start()
        finally:
            found.close()


def ask(compute: LocalCompute, call: str, **arguments: Any) -> Any:
    return rpc.call(compute.places.root, call, arguments, timeout_s=60)


def test_its_socket_and_all_its_files_are_the_owners_alone(compute: LocalCompute) -> None:
    assert compute.places.root.stat().st_mode & 0o077 == 0
    assert (compute.places.root / "supervisor.sock").stat().st_mode & 0o177 == 0
    assert compute.places.state.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_not_answered_even_if_the_files_let_them(compute: LocalCompute) -> None:
    path = compute.places.root / "supervisor.sock"
    for opened, mode in ((compute.places.root, 0o755), (compute.settings.home, 0o755), (path, 0o666)):
        opened.chmod(mode)
    with socket_address(compute.places.root) as address:
        done = subprocess.run(
            [sys.executable, "-c", _CONNECT, address],
            pass_fds=[int(address.split("/")[4])],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.stdout.strip() == "nothing", done.stderr
    assert "compute_peer_refused" in compute.log_path.read_text()
    assert compute.driver.nodes()  # we still are


def test_questions_that_make_no_sense_are_refused_and_the_next_one_is_answered(compute: LocalCompute) -> None:
    with socket.socket(socket.AF_UNIX) as connection, socket_address(compute.places.root) as address:
        connection.settimeout(60)
        connection.connect(address)
        stream = connection.makefile("rb")
        for line in (b"", b"[]", b'{"call": 1}', b"\xff\xfe", b"[" * 100_000, b'{"call": "run", "arguments": {}}'):
            connection.sendall(line + b"\n")
            assert json.loads(stream.readline())["error"]["code"] == "call_invalid", line
        connection.sendall(b'{"call": "names", "arguments": {}}\n')
        assert json.loads(stream.readline()) == {"result": []}
        stream.close()
    with socket.socket(socket.AF_UNIX) as connection, socket_address(compute.places.root) as address:
        connection.settimeout(60)
        connection.connect(address)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(20):
                connection.sendall(b"x" * 1024 * 1024)
    assert ask(compute, "names") == []


def test_a_specification_is_checked_again_whoever_sends_it(compute: LocalCompute) -> None:
    good = serving().to_json()
    rest: dict[str, Any] = {"secrets": {}, "sealed": "", "mounts": {}}
    for change in (
        {"argv": ["python", "a\0b"]},
        {"argv": []},
        {"argv": ["x"] * 5000},
        {"argv": ["\ud800"]},
        {"environment": {"A": "b\0c"}},
        {"environment": {"A B": "c"}},
        {"environment": {f"A{n}": "x" * 100_000 for n in range(20)}},
        {"svc_name": "../../etc"},
        {"svc_name": "a/b"},
        {"task_id": 0},
        {"task_id": "1"},
        {"kind": "shell"},
        {"resources": {"memory_bytes": -1}},
        {"mounts": [{"target": "../x", "kind": "model", "path": "a/b", "commit_id": "0" * 40}]},
        {"nothing": 1},
    ):
        with pytest.raises(Invalid) as caught:
            ask(compute, "run", spec=good | change, **rest)
        assert caught.value.code == "spec_invalid", change
    with pytest.raises(Invalid):
        ask(compute, "run", spec=good | {"image": "only", "argv": []}, **rest)
    mounted = WorkloadSpec("m", Kind.JOB, 1, argv=("true",), mounts=(Mount("model", "model", "a/b", "0" * 40),))
    with pytest.raises(Invalid):
        compute.driver.run(mounted, secrets={})
    assert ask(compute, "names") == []


def test_without_a_supervisor_that_is_said_and_two_of_them_are_not_allowed(
    compute: LocalCompute, tmp_path: Path
) -> None:
    absent = LocalCompute(tmp_path)
    assert (absent.driver.names(), absent.driver.statuses(["a"])) == (set(), {})  # nothing was ever run here
    with pytest.raises(Unavailable) as caught:
        absent.driver.nodes()
    assert caught.value.code == "compute_unavailable"
    done = subprocess.run([HUB, "supervisor"], env=compute.variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.strip() == "hub: Another supervisor of workloads runs on this home."
    assert compute.driver.nodes()


def test_a_hub_that_never_ran_anything_has_no_more_than_a_doorkeeper(tmp_path: Path) -> None:
    absent = LocalCompute(tmp_path)
    place = str(Path(hub.__file__).parent.parent)
    process = subprocess.Popen(
        WAITING_SUPERVISOR, env=absent.variables | {"PYTHONPATH": place}, stderr=subprocess.DEVNULL
    )
    try:
        wait_until((absent.places.root / "supervisor.sock").exists, what="the socket")
        assert absent.driver.names() == set()
        absent.driver.stop("anything")
        assert "hub.compute.local" not in psutil.Process(process.pid).cmdline()
        assert absent.driver.nodes()  # the first real question
        assert "hub.compute.local" in psutil.Process(process.pid).cmdline()
    finally:
        assert stop(process) == 0
