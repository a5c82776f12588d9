"""The driver ``local`` with bubblewrap, on machines that have it: what a workload sees, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from hub.compute.local.isolation import find_isolation, sandbox_options
from hub.compute.spec import Kind, Mount, WorkloadSpec
from hub.compute.states import Code
from tests.hub.compute.local_programs import family
from tests.hub.compute.programs import job, serving
from tests.support.compute import LocalCompute
from tests.support.processes import wait_until

pytestmark = pytest.mark.any_database

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="this machine has no bubblewrap")

_LOOK = """
import json, os, sys
def can_write(path):
    try:
        open(path, "w").close()
        return True
    except OSError:
        return False
print(json.dumps({"root": sorted(os.listdir("/")), "environment": dict(os.environ), "argv": sys.argv[1:],
    "cwd": os.getcwd(), "model": open(sys.argv[1] + "/config.json").read(), "pids": len(
    [name for name in os.listdir("/proc") if name.isdigit()]),
    "home": os.path.exists(sys.argv[2]), "writes": [can_write(sys.argv[1] + "/x"), can_write("/usr/x"), can_write("x")],
    "capabilities": [line for line in open("/proc/self/status") if line.startswith("CapEff")]}))
"""


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[LocalCompute]:
    """A supervisor whose workloads run in sandboxes."""
    compute = LocalCompute(tmp_path / "home", {"compute_isolation": "auto", "compute_stop_grace_s": 1})
    try:
        yield compute.start()
    finally:
        compute.close()


def test_the_level_is_the_strongest_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_isolation("none").level == 1
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\nexit 1\n")  # as where the kernel allows no user namespaces
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert find_isolation("auto").level == 1
    assert "not a border" in find_isolation("auto").words


def test_a_program_is_seen_with_its_environment(tmp_path: Path) -> None:
    """An engine lies in an environment of its own, made with a Python that may not be the hub's."""

    def seen(program: str) -> set[str]:
        options = sandbox_options(work=tmp_path / "work", mounts={}, environment={}, devices=False, program=program)
        return {path for word, path in pairwise(options) if word == "--ro-bind"}

    for folder in ("engine/bin", "python/bin", "plain"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "engine" / "pyvenv.cfg").write_text(f"home = {tmp_path}/python/bin\nversion = 3.11.7\n")
    usual = seen("")
    assert seen("python3") == usual
    assert seen(f"{tmp_path}/engine/bin/python") - usual == {f"{tmp_path}/engine", f"{tmp_path}/python"}
    assert seen(f"{tmp_path}/plain/llama-server") - usual == {f"{tmp_path}/plain"}


@needs_bwrap
def test_it_sees_its_own_directory_its_mounts_and_nothing_of_the_hub(boxed: LocalCompute, tmp_path: Path) -> None:
    [node] = boxed.driver.nodes()
    assert node.isolation.startswith("3:")
    assert node.labels["isolation_level"] == "3"
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "config.json").write_text("{}")
    spec = WorkloadSpec(
        "look",
        Kind.JOB,
        1,
        argv=(sys.executable, "-c", _LOOK, "{mount:model}", str(boxed.settings.home), "{work}/out"),
        secrets=("TOKEN",),
        mounts=(Mount("model", "model", "a/b", "0" * 40),),
    )
    boxed.driver.run(spec, secrets={"TOKEN": "in-no-command-line"}, mounts={"model": snapshot})
    wait_until(lambda: boxed.driver.statuses(["look"])["look"].code is Code.SUCCEEDED, what="the look")
    [text] = [line.text for line in boxed.driver.logs("look") if line is not None and line.stream == "stdout"]
    seen = json.loads(text)
    assert seen["cwd"] == "/sandbox"
    assert seen["argv"][::2] == ["/mnt/model", "/sandbox/out"]
    assert seen["model"] == "{}"
    assert not seen["home"]
    assert not {"var", "boot", "sys"} & set(seen["root"])
    assert seen["writes"] == [False, False, True]
    assert seen["pids"] <= 3
    assert seen["environment"]["TOKEN"] == "******"  # it was there; what is printed is masked
    assert seen["environment"]["HOME"] == "/sandbox/home"
    assert not [name for name in seen["environment"] if name.startswith("HUB_")]
    assert seen["capabilities"] == ["CapEff:\t0000000000000000\n"]
    assert (boxed.places.work("look", 0) / "x").exists()


@needs_bwrap
def test_it_serves_fails_is_adopted_and_ends_with_all_it_started(boxed: LocalCompute) -> None:
    def status(name: str) -> Code:
        return boxed.driver.statuses([name])[name].code

    boxed.driver.run(serving(), secrets={})
    boxed.driver.run(family(), secrets={})
    boxed.driver.run(job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", svc_name="shot"), secrets={})
    boxed.driver.run(job("raise SystemExit(3)", svc_name="bad"), secrets={})
    wait_until(lambda: status("web") is Code.RUNNING, what="the service")
    wait_until(lambda: status("shot") is Code.FAILED and status("bad") is Code.FAILED, what="the jobs")
    assert boxed.driver.statuses(["shot"])["shot"].reason == "Signal:SIGKILL"
    assert boxed.driver.statuses(["bad"])["bad"].reason == "ExitCode:3"
    record = boxed.record("web")
    boxed.kill()
    boxed.start()
    wait_until(lambda: status("web") is Code.RUNNING, what="the service to be adopted")
    assert boxed.record("web") == record
    wait_until(lambda: status("family") is Code.RUNNING, what="the family")
    members = boxed.members("family")
    assert len(members) >= 5  # the sandbox's two, and its own three
    boxed.driver.stop("family")
    boxed.driver.stop("web")
    wait_until(lambda: {status("family"), status("web")} == {Code.STOPPED}, what="both to stop")
    assert not [process for process in members if process.is_running() and process.status() != "zombie"]
