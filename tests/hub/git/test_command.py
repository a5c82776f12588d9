"""How git is run: what it inherits, how it fails, how it ends."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.base.errors import NotFound, Unavailable
from hub.git.command import (
    GitError,
    git_environment,
    hooks_path,
    open_git,
    run_git,
    server_config,
    stream_git,
    terminate,
)
from hub.git.repository import repository_size_bytes
from hub.git.tree import list_tree
from tests.hub.git.conftest import Sandbox, child_commands


def test_git_inherits_nothing_that_could_change_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_CONFIG_COUNT", "GIT_SSH_COMMAND", "EDITOR", "HUB_SECRET_KEY", "LD_PRELOAD"):
        monkeypatch.setenv(name, "bad")
    environment = git_environment({"GIT_PROTOCOL": "version=2"})
    assert "bad" not in environment.values()
    assert environment["GIT_PROTOCOL"] == "version=2"
    assert environment["PATH"] == os.environ["PATH"]


def test_the_settings_of_all_repositories_are_known_to_git(sandbox: Sandbox) -> None:
    listed = run_git(sandbox.path, "config", "--list", "--show-origin").decode().splitlines()
    command_line = {line.split("\t")[1].lower() for line in listed if line.startswith("command line:")}
    assert {"gc.auto=0", "receive.fsckobjects=true", "transfer.hiderefs=refs/hub/"} <= command_line
    assert "core.hookspath=/dev/null" in command_line
    assert len(command_line) == len(server_config()) // 2
    assert f"core.hooksPath={hooks_path()}" in server_config(hooks=hooks_path())
    sandbox.git("config", "receive.fsckObjects", "false")
    assert run_git(sandbox.path, "config", "receive.fsckObjects") == b"true\n"


def test_a_failure_keeps_its_words_for_the_log(sandbox: Sandbox) -> None:
    with pytest.raises(GitError) as caught:
        run_git(sandbox.path, "cat-file", "-p", "none")
    assert caught.value.returncode == 128
    assert "none" in caught.value.stderr
    assert str(sandbox.path) not in str(caught.value)
    assert run_git(sandbox.path, "cat-file", "-p", "none", check=False) == b""


def test_a_missing_repository_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run_git(tmp_path / "none.git", "rev-parse", "HEAD")


def test_a_missing_git_program_is_told(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        run_git(sandbox.path, "version")
    assert caught.value.code == "git_missing"


def test_git_that_takes_too_long_is_ended(sandbox: Sandbox) -> None:
    with pytest.raises(Unavailable) as caught:
        run_git(sandbox.path, "-c", "alias.wait=!sleep 60", "wait", timeout_s=0.2)
    assert caught.value.code == "git_timeout"
    assert b"sleep" not in child_commands()


def test_ending_git_ends_what_it_started(sandbox: Sandbox, tmp_path: Path) -> None:
    process = open_git(sandbox.path, "-c", f"alias.wait=!echo $$ > {tmp_path}/pid; echo up; sleep 60; true", "wait")
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    child = int((tmp_path / "pid").read_text())
    terminate(process)
    terminate(process)
    assert process.returncode is not None
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_stream_that_is_left_or_out_of_time_is_no_failure(sandbox: Sandbox) -> None:
    sandbox.commit({f"f{number}": b"%d" % number for number in range(50)})
    with stream_git(sandbox.path, "rev-list", "--objects", "--all") as stream:
        assert stream.readline()
    with stream_git(sandbox.path, "-c", "alias.wait=!sleep 60", "wait", limit_s=0.1) as stream:
        assert stream.read() == b""
    with pytest.raises(GitError), stream_git(sandbox.path, "rev-list", "none") as stream:
        stream.read()
    with stream_git(sandbox.path, "cat-file", "--batch-check", lines=[b"main^{tree}"]) as stream:
        assert b" tree " in stream.read()


def test_on_an_event_loop_git_runs_cooperatively_and_never_off_the_loop(sandbox: Sandbox) -> None:
    """In a process of its own, because gevent changes the whole process."""
    sandbox.commit({"a": os.urandom(2_000_000)})
    script = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from pathlib import Path
from hub.base.offload import offload
from hub.git import archive, history, incoming, repository, tree
path = Path(sys.argv[1])
ticks = []
timer = gevent.get_hub().loop.timer(0.001, 0.001)
timer.start(lambda: ticks.append(1))
commit = offload(repository.resolve_revision, path, "main")
entry = offload(tree.get_entry, path, "main", "a")
assert sum(map(len, tree.open_blob_range(path, entry.oid, 5, 1_900_000))) == 1_900_000
assert sum(map(len, archive.archive(path, "main", "tar.gz"))) > 1_900_000
assert len(list(incoming.new_objects(path, [commit], not_ids=[]))) == 3
assert history.last_commits(path, "main").is_complete and len(history.log(path, "main")[0]) == 1
assert len(ticks) > 5, ticks
try:
    offload(history.count_commits, path, "main")
except RuntimeError as error:
    print("refused:", error)
"""
    root = Path(__file__).resolve().parents[3]
    finished = subprocess.run(
        [sys.executable, "-c", script, str(sandbox.path)], capture_output=True, cwd=root, timeout=60, check=False
    )
    assert finished.stdout.startswith(b"refused:"), finished.stderr.decode()


def _push(source: Sandbox, target: Sandbox, *refspecs: str) -> subprocess.CompletedProcess[bytes]:
    """Push by the real client into a receive-pack that runs with the hub's settings."""
    receive = shlex.join(["git", *server_config(), "receive-pack"])
    command = ["git", "-c", "safe.directory=*", f"--git-dir={source.path}", "push", f"--receive-pack={receive}"]
    environment = git_environment({"GIT_CONFIG_COUNT": "0"})
    return subprocess.run([*command, str(target.path), *refspecs], capture_output=True, env=environment, check=False)


def test_a_push_is_checked_kept_as_one_pack_and_cannot_touch_hidden_refs(
    sandbox: Sandbox, make_sandbox: Callable[[str], Sandbox]
) -> None:
    source = make_sandbox("source.git")
    commit = source.commit({"a/b": b"1", "c": b"2"})
    assert _push(source, sandbox, "main").returncode == 0
    assert len(list(sandbox.path.glob("objects/pack/*.pack"))) == 1
    assert not list(sandbox.path.glob("objects/??/*"))
    hidden = _push(source, sandbox, "main:refs/hub/x")
    assert hidden.returncode != 0
    assert b"deny updating a hidden ref" in hidden.stderr
    sandbox.move("refs/hub/y", commit)
    upload = shlex.join(["git", *server_config(), "upload-pack"])
    listed = source.git("ls-remote", f"--upload-pack={upload}", str(sandbox.path))
    assert [line.split("\t")[1] for line in listed.splitlines()] == ["HEAD", "refs/heads/main"]


@pytest.mark.parametrize("name", [b".git", b"..", b"GIT~1", b"a/b"])
def test_a_push_of_a_tree_that_would_harm_a_clone_is_refused(
    sandbox: Sandbox, make_sandbox: Callable[[str], Sandbox], name: bytes
) -> None:
    source = make_sandbox("source.git")
    source.plant_commit(source.plant_tree(("100644", source.plant_blob(b"1"), name)), branch="main")
    pushed = _push(source, sandbox, "main")
    assert pushed.returncode != 0, pushed.stderr
    assert sandbox.tip("main") is None
    assert repository_size_bytes(sandbox.path) < 1000  # nothing stayed


def test_an_old_history_with_padded_modes_may_come_in(sandbox: Sandbox, make_sandbox: Callable[[str], Sandbox]) -> None:
    source = make_sandbox("source.git")
    inner = source.plant_tree(("100644", source.plant_blob(b"1"), b"f"))
    commit = source.plant_commit(source.plant_tree(("040000", inner, b"dir")), branch="main")
    assert _push(source, sandbox, "main").returncode == 0
    assert sandbox.tip("main") == commit
    assert [entry.kind for entry in list_tree(sandbox.path, "main").entries] == ["dir"]


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_client_may_ask_for_a_commit_that_is_no_tip(
    sandbox: Sandbox, make_sandbox: Callable[[str], Sandbox], version: str
) -> None:
    first = sandbox.commit({"a": b"1"})
    sandbox.commit({"a": b"2"})
    client = make_sandbox("client.git")
    upload = shlex.join(["git", *server_config(), "upload-pack"])
    client.git("-c", f"protocol.version={version}", "fetch", f"--upload-pack={upload}", str(sandbox.path), first)
    assert client.git("cat-file", "-t", first).strip() == "commit"
