"""Git over SSH by the real client, against ``hub ssh``. Pushes, which need ``hub web`` too, are in ``tests/flows``."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from hub.accounts.policy import Actor
from hub.accounts.service import add_ssh_key
from hub.base.settings import environment_of
from hub.db.uow import unit_of_work
from hub.repos.models import Repository
from hub.repos.service import grant_access, update_settings
from hub.transport.ssh import load_host_key
from tests.support.processes import accepts_connections, free_port, name_of, wait_until
from tests.support.pushes import Workbench

# What differs between the databases is below this floor, and starting a server for each test takes its time.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HUB = str(Path(sys.executable).with_name("hub"))


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def bench(context, ada, make_repository):
    """A private repository of ada's."""
    return Workbench(context, make_repository(ada, "thing", private=True))


@pytest.fixture
def server(context, bench, tmp_path):
    """``hub ssh`` on the test's database; its process."""
    port = free_port()
    settings = dataclasses.replace(context.settings, ssh_port=port)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    with (tmp_path / "ssh.log").open("wb") as log:
        process = psutil.Popen([HUB, "ssh"], env=environment | environment_of(settings), stdout=log, stderr=log)
    process.port = port
    wait_until(lambda: accepts_connections(port) or process.poll() is not None, what="the SSH server")
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(90)
    assert b"Traceback" not in (tmp_path / "ssh.log").read_bytes()


@pytest.fixture
def key(context, ada, git_user):
    """Ada's key, known to the hub and used by ``git_user``."""
    public_key = git_user.create_ssh_key()
    with unit_of_work(context) as work:
        owner = work.session.merge(ada)
        add_ssh_key(work, actor=Actor.of_user(owner, via="session"), user=owner, name="laptop", public_key=public_key)
    return public_key


def address(server, path="models/ada/thing.git"):
    return f"ssh://git@127.0.0.1:{server.port}/{path}"


def ssh(server, git_user, *command, user="git"):
    """Run a command over SSH as git does."""
    client = shlex.split(git_user.environment["GIT_SSH_COMMAND"])
    return subprocess.run(
        [*client, "-p", str(server.port), f"{user}@127.0.0.1", *command],
        env=git_user.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.usefixtures("key")
class TestSignedIn:
    """With a key that the hub knows."""

    def test_each_spelling_of_the_address_clones(self, server, git_user, tmp_path, bench):
        for number, path in enumerate(("models/ada/thing.git", "models/ada/thing", "ada/thing.git", "ada/thing")):
            clone = tmp_path / f"clone{number}"
            git_user.clone(address(server, path), clone)
            assert git_user.head(clone) == bench.head, path
            assert git_user.git("fsck", cwd=clone).ok

    def test_every_protocol_version_is_spoken(self, server, git_user, bench):
        for version in ("0", "1", "2"):
            done = git_user.git(
                *("-c", f"protocol.version={version}", "ls-remote", address(server)),
                environment={"GIT_TRACE_PACKET": "1"},
            )
            assert bench.head in done.output, version
            assert (f"< version {version}" in done.error) == (version != "0")

    def test_an_archive_can_be_asked_for(self, server, git_user):
        done = git_user.git("archive", f"--remote={address(server)}", "--format=tar", "HEAD", "README.md")
        assert "README.md" in done.output

    def test_a_shell_is_refused_with_a_greeting(self, server, git_user):
        done = ssh(server, git_user)
        assert done.returncode == 1
        assert "ada" in done.stderr

    def test_another_command_is_refused(self, server, git_user):
        for command in (
            "ls",
            "git-upload-pack",
            "git-upload-pack a b",
            "git-upload-pack 'models/ada/thing",
            "git-shell -c ls",
            "git-upload-pack --help",
            "/bin/sh -c id",
            "scp -t x",
            "x" * 5000,
        ):
            done = ssh(server, git_user, command)
            assert (done.returncode, done.stdout) == (1, ""), command
            assert done.stderr.startswith("remote: "), command

    def test_another_path_is_no_repository(self, server, git_user):
        for path in ("/etc", "../../etc/passwd", "models/ada/nothing.git", "models/bob/thing.git", "/"):
            done = ssh(server, git_user, f"git-upload-pack '{path}'")
            assert done.returncode == 1, path
            assert "repository" in done.stderr
            assert path not in done.stderr or path == "/"

    def test_lfs_is_told_where_to_go_and_with_what(self, server, git_user, context):
        for operation in ("download", "upload"):
            done = ssh(server, git_user, f"git-lfs-authenticate models/ada/thing.git {operation} {'0' * 64}")
            assert done.returncode == 0, operation
            answer = json.loads(done.stdout)
            assert answer["href"] == f"{context.settings.effective_base_url}/models/ada/thing.git/info/lfs"
            assert answer["header"]["Authorization"].startswith("RemoteAuth ")
            assert answer["expires_in"] > 0
        assert ssh(server, git_user, "git-lfs-authenticate ada/thing delete").returncode == 1

    def test_an_archived_repository_takes_no_push(self, server, git_user, tmp_path, context, bench):
        git_user.clone(address(server), tmp_path / "clone")
        with unit_of_work(context) as work:
            work.session.get_one(Repository, bench.repository.id).archived_at = work.now()
        refused = git_user.push(tmp_path / "clone", "HEAD:refs/heads/side", check=False)
        assert not refused.ok
        assert "remote: This repository is archived" in refused.error

    def test_without_the_web_server_a_push_changes_nothing(self, server, git_user, tmp_path, bench):
        before = bench.refs
        git_user.clone(address(server), tmp_path / "clone")
        git_user.commit(tmp_path / "clone", {"a.txt": "x\n"})
        refused = git_user.push(tmp_path / "clone", "main", check=False)
        assert "The hub does not answer" in refused.error
        assert bench.refs == before

    def test_a_client_that_is_killed_leaves_no_git_behind(self, server, git_user, tmp_path):
        session = git_user.start("ls-remote", address(server), cwd=tmp_path, environment={"GIT_TRACE_PACKET": "0"})
        session.communicate(timeout=60)
        client = shlex.split(git_user.environment["GIT_SSH_COMMAND"])
        hanging = subprocess.Popen(
            [*client, "-p", str(server.port), "git@127.0.0.1", "git-upload-pack ada/thing"],
            env=git_user.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with hanging:
            wait_until(lambda: git_children(server), what="git to start")
            hanging.send_signal(signal.SIGKILL)
        wait_until(lambda: not git_children(server), what="git to end")

    def test_a_second_signal_ends_what_is_under_way_and_git_with_it(self, server, git_user):
        client = shlex.split(git_user.environment["GIT_SSH_COMMAND"])
        hanging = subprocess.Popen(
            [*client, "-p", str(server.port), "git@127.0.0.1", "git-upload-pack ada/thing"],
            env=git_user.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with hanging:
            wait_until(lambda: git_children(server), what="git to start")
            git = git_children(server)
            server.terminate()
            wait_until(lambda: not accepts_connections(server.port), what="the server to close its door")
            assert git_children(server)
            server.terminate()
            assert server.wait(90) == 0
            assert not any(process.is_running() for process in git)
            hanging.kill()


def git_children(server):
    return [process for process in server.children(recursive=True) if name_of(process).startswith("git")]


def test_an_unknown_key_is_refused(server, git_user):
    git_user.create_ssh_key()
    done = ssh(server, git_user, "git-upload-pack ada/thing")
    assert done.returncode == 255
    assert "Permission denied" in done.stderr


def test_only_the_user_git_is_known(server, git_user, key):
    assert ssh(server, git_user, "git-upload-pack ada/thing", user="ada").returncode == 255


def test_a_known_stranger_sees_no_private_repository(server, git_user, context, make_user, actor_of):
    eve = make_user("eve")
    with unit_of_work(context) as work:
        owner = work.session.merge(eve)
        add_ssh_key(work, actor=actor_of(owner), user=owner, name="k", public_key=git_user.create_ssh_key())
    there = ssh(server, git_user, "git-upload-pack ada/thing")
    missing = ssh(server, git_user, "git-upload-pack ada/nothing")
    assert (there.returncode, there.stderr) == (missing.returncode, missing.stderr)
    assert there.returncode == 1


def test_a_stranger_fetches_nothing_from_a_gated_repository_until_accepted(
    server, git_user, context, ada, make_user, actor_of, make_repository, tmp_path
):
    gated = make_repository(ada, "gated")
    eve = make_user("eve")
    with unit_of_work(context) as work:
        owner = work.session.merge(eve)
        add_ssh_key(work, actor=actor_of(owner), user=owner, name="k", public_key=git_user.create_ssh_key())
        update_settings(work, actor=actor_of(ada), repository_id=gated.id, gate="manual")
    for service in ("git-upload-pack", "git-upload-archive"):
        refused = ssh(server, git_user, f"{service} ada/gated")
        assert refused.returncode == 1
        assert "given on request" in refused.stderr
    with unit_of_work(context) as work:
        grant_access(work, actor=actor_of(ada), repository_id=gated.id, user="eve")
    git_user.clone(address(server, "ada/gated"), tmp_path / "clone")


@pytest.mark.usefixtures("database_url")
def test_the_host_key_is_made_once_and_is_nobody_else_s(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(load_host_key(home))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.export_public_key() for key in keys}) == 1
    assert [path.name for path in home.iterdir()] == ["ssh_host_ed25519_key"]
    assert (home / "ssh_host_ed25519_key").stat().st_mode & 0o077 == 0
