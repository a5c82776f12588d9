"""Git's smart protocol as the real client speaks it, and as one speaks it that is old, cut off or up to no good."""

from __future__ import annotations

import gzip
import os
import signal
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.http import HTTPClient, basic
from tests.support.processes import wait_until

MIB = 1024 * 1024


def pkt(line: bytes) -> bytes:
    return f"{len(line) + 4:04x}".encode() + line


# Versions and ways to clone


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_every_protocol_version_clones_and_pushes(checkout, tmp_path, version):
    options = ("-c", f"protocol.version={version}")
    commit = checkout.user.commit(checkout.work_tree, {"a.txt": f"version {version}\n"})
    checkout.user.git(*options, "push", "origin", "main", cwd=checkout.work_tree)
    trace = {"GIT_TRACE_PACKET": "1"}
    done = checkout.user.git(*options, "clone", checkout.address, tmp_path / "clone", environment=trace)
    assert checkout.user.head(tmp_path / "clone") == commit
    spoken = {"0": "version 0", "1": "< version 1", "2": "< version 2"}[version]
    assert (spoken in done.error) == (version != "0")


def test_a_shallow_clone_is_deepened_and_made_whole(checkout, tmp_path):
    for number in range(4):
        checkout.user.commit(checkout.work_tree, {"a.txt": f"{number}\n"})
    checkout.user.push(checkout.work_tree, "main")
    clone = tmp_path / "clone"
    checkout.user.clone(checkout.address, clone, "--depth=1")
    count = ("rev-list", "--count", "HEAD")
    assert checkout.user.git(*count, cwd=clone).output.strip() == "1"
    checkout.user.git("fetch", "--deepen=2", cwd=clone)
    assert checkout.user.git(*count, cwd=clone).output.strip() == "3"
    checkout.user.git("fetch", "--unshallow", cwd=clone)
    assert checkout.user.git(*count, cwd=clone).output == checkout.user.git(*count, cwd=checkout.work_tree).output
    assert checkout.user.git("fsck", "--strict", cwd=clone).ok


def test_a_partial_clone_fetches_blobs_when_it_needs_them(checkout, tmp_path, noise):
    old = noise(100_000)
    checkout.user.commit(checkout.work_tree, {"big.dat2": old})
    checkout.user.commit(checkout.work_tree, {"big.dat2": b"small now\n"})
    checkout.user.push(checkout.work_tree, "main")
    clone = tmp_path / "clone"
    checkout.user.clone(checkout.address, clone, "--filter=blob:none")
    missing = checkout.user.git("rev-list", "--objects", "--all", "--missing=print", cwd=clone).output
    assert "?" in missing
    shown = checkout.user.git("cat-file", "-s", "HEAD~1:big.dat2", cwd=clone).output
    assert int(shown) == len(old)


def test_a_request_may_come_gzipped(checkout):
    """git gzips its requests past 1 KiB; here by hand, so that the header is certain."""
    head = checkout.remote_refs()["refs/heads/main"]
    body = pkt(f"want {head} ofs-delta no-progress\n".encode()) + b"0000" + pkt(b"done\n")
    headers = {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"}
    api = HTTPClient(checkout.url)
    answer = api.post("/git-upload-pack", body=gzip.compress(body), headers=headers)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-git-upload-pack-result"
    assert answer.body.startswith(b"0008NAK\nPACK")
    api.close()


def test_a_gzipped_request_that_is_not_gzip_is_refused(checkout):
    headers = {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"}
    api = HTTPClient(checkout.url)
    assert api.post("/git-upload-pack", body=b"0000", headers=headers).status == 400
    api.close()


def test_many_refs_make_git_itself_gzip_its_request(checkout, tmp_path):
    for number in range(40):
        checkout.user.commit(checkout.work_tree, {"a.txt": f"{number}\n"})
        checkout.user.git("branch", f"b{number}", cwd=checkout.work_tree)
    checkout.user.push(checkout.work_tree, "--all")
    clone = tmp_path / "clone"
    checkout.user.clone(checkout.address, clone)
    assert len(checkout.user.git("branch", "--remotes", cwd=clone).output.splitlines()) == 42


def test_a_big_push_goes_out_in_chunks(checkout, tmp_path, noise):
    """Past http.postBuffer (1 MiB) git sends a chunked body of unknown length."""
    files = {f"part{number}.dat2": noise(3 * MIB) for number in range(4)}
    commit = checkout.user.commit(checkout.work_tree, files)
    done = checkout.user.git("push", "origin", "main", cwd=checkout.work_tree, environment={"GIT_CURL_VERBOSE": "1"})
    assert "chunked" in done.error.lower()
    checkout.user.clone(checkout.address, tmp_path / "clone")
    assert checkout.user.head(tmp_path / "clone") == commit
    assert (tmp_path / "clone" / "part3.dat2").read_bytes() == files["part3.dat2"]
    assert checkout.user.git("fsck", "--full", cwd=checkout.hub.repository_path(checkout.path)).ok


@pytest.mark.parametrize(
    "shape", ["/models/{ns}/{name}.git", "/models/{ns}/{name}", "/{ns}/{name}.git"], ids=["full", "bare", "short"]
)
def test_each_shape_of_address_clones(checkout, tmp_path, shape):
    _, namespace, name = checkout.path.split("/")
    address = checkout.hub.url + shape.format(ns=namespace, name=name)
    checkout.user.clone(address, tmp_path / "clone")
    assert (tmp_path / "clone" / "README.md").exists()


@pytest.mark.parametrize("collection", ["datasets", "codes", "spaces", "prompts", "skills", "mcpservers", "mcps"])
def test_every_kind_is_a_repository(account, git_user, tmp_path, collection):
    name = f"thing-{collection}"
    api = "mcps" if collection.startswith("mcp") else collection
    fields = {"sdk": "gradio", "resource_id": 1, "cluster_id": "local"} if collection == "spaces" else {}
    account.create_repository(name, collection=api, **fields)
    path = f"{collection}/{account.name}/{name}"
    git_user.clone(account.address(path), tmp_path / "work")
    commit = git_user.commit(tmp_path / "work", {"a.txt": "content\n"})
    git_user.push(tmp_path / "work", "main")
    assert git_user.git("ls-remote", account.address(path), "HEAD").output.split()[0] == commit


# Who may


def test_a_stranger_reads_what_is_public_and_writes_nothing(checkout, hub_server, tmp_path):
    stranger = hub_server.new_account()
    checkout.user.clone(checkout.url, tmp_path / "anonymous")
    checkout.user.clone(stranger.address(checkout.path), tmp_path / "stranger")
    before = checkout.remote_refs()
    for clone in ("anonymous", "stranger"):
        checkout.user.commit(tmp_path / clone, {"a.txt": "mine now\n"})
        assert not checkout.user.push(tmp_path / clone, "main", check=False).ok
    assert checkout.remote_refs() == before


def test_a_private_repository_answers_like_none(make_checkout, account, hub_server, git_user, tmp_path):
    private = make_checkout(account, private=True)
    stranger = hub_server.new_account()
    there = git_user.clone(stranger.address(private.path), tmp_path / "a", check=False)
    nothing = git_user.clone(stranger.address("models/" + account.name + "/nothing"), tmp_path / "b", check=False)
    assert not there.ok
    assert there.error.replace(private.path, "PATH").replace(stranger.token, "T") == nothing.error.replace(
        f"models/{account.name}/nothing", "PATH"
    ).replace(stranger.token, "T")
    # Without a credential git must be asked for one in both cases, so that the owner gets to type it.
    for path in (private.path, f"models/{account.name}/nothing"):
        answer = hub_server.api.get(f"/{path}.git/info/refs?service=git-upload-pack")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_the_token_counts_and_not_the_name_beside_it(make_checkout, account, git_user, tmp_path):
    private = make_checkout(account, private=True)
    address = private.address.replace(f"//{account.name}:", "//somebody-else:")
    assert git_user.clone(address, tmp_path / "clone").ok


def test_a_password_works_as_a_token_does(make_checkout, account, git_user, tmp_path):
    private = make_checkout(account, private=True)
    assert git_user.clone(account.address(private.path, token=account.password), tmp_path / "clone").ok


@pytest.mark.parametrize("secret", ["wrong", "0" * 32, "%00", "x" * 5000], ids=["word", "hex", "nul", "long"])
def test_a_wrong_secret_is_refused_and_asked_for_again(checkout, secret):
    answer = checkout.hub.api.get(
        f"/{checkout.path}.git/info/refs?service=git-receive-pack",
        headers={"Authorization": basic(checkout.account.name, secret)},
    )
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_token_for_reading_does_not_push(checkout, hub_server, tmp_path):
    token = hub_server.new_token(checkout.account.name, scope="read")
    address = checkout.account.address(checkout.path, token=token)
    before = checkout.remote_refs()
    checkout.user.clone(address, tmp_path / "clone")
    checkout.user.commit(tmp_path / "clone", {"a.txt": "no\n"})
    refused = checkout.user.push(tmp_path / "clone", "main", check=False)
    assert not refused.ok
    assert checkout.remote_refs() == before


# Refs


def test_branches_and_tags_come_and_go(checkout):
    work = checkout.work_tree
    commit = checkout.user.commit(work, {"a.txt": "1\n"})
    checkout.user.git("tag", "--annotate", "v1.0", "--message", "One", cwd=work)
    checkout.user.push(work, "main", "main:refs/heads/side", "v1.0")
    refs = checkout.remote_refs()
    assert refs["refs/heads/side"] == refs["refs/heads/main"] == refs["refs/tags/v1.0^{}"] == commit
    checkout.user.push(work, "--delete", "side", "v1.0")
    assert set(checkout.remote_refs()) == {"HEAD", "refs/heads/main"}


def test_the_default_branch_cannot_be_deleted_away(checkout):
    checkout.user.push(checkout.work_tree, "main:refs/heads/side")
    refused = checkout.user.push(checkout.work_tree, "--delete", "main", check=False)
    assert not refused.ok
    assert "refs/heads/main" in checkout.remote_refs()


def test_a_branch_may_be_forced_unless_it_is_protected(checkout):
    work = checkout.work_tree
    checkout.user.commit(work, {"a.txt": "1\n"})
    checkout.user.push(work, "main:refs/heads/side")
    checkout.user.git("commit", "--amend", "--quiet", "--message", "Again", cwd=work)
    assert not checkout.user.push(work, "main:refs/heads/side", check=False).ok
    checkout.user.push(work, "--force", "main:refs/heads/side")
    assert checkout.remote_refs()["refs/heads/side"] == checkout.user.head(work)


def test_a_protected_branch_takes_no_force_and_no_deletion(checkout):
    work, user = checkout.work_tree, checkout.user
    user.commit(work, {"a.txt": "1\n"})
    user.push(work, "main:refs/heads/release/1")
    added = checkout.account.api.put(f"/api/v1/{checkout.path}/protected_branches/release/*", {})
    assert added.status in (200, 201), added.body
    before = checkout.remote_refs()["refs/heads/release/1"]
    user.git("commit", "--amend", "--quiet", "--message", "Again", cwd=work)
    forced = user.push(work, "--force", "main:refs/heads/release/1", check=False)
    assert not forced.ok
    assert "remote:" in forced.error
    assert "protected" in forced.error
    assert not user.push(work, "--delete", "release/1", check=False).ok
    assert checkout.remote_refs()["refs/heads/release/1"] == before
    user.git("reset", "--quiet", "--hard", before, cwd=work)
    user.commit(work, {"a.txt": "2\n"})
    assert user.push(work, "main:refs/heads/release/1").ok


def test_of_two_pushes_at_once_one_wins_and_the_other_is_rejected_by_git(checkout, tmp_path):
    user = checkout.user
    clones = []
    for name in ("one", "two"):
        user.clone(checkout.address, tmp_path / name)
        user.commit(tmp_path / name, {"a.txt": f"{name}\n"})
        clones.append(tmp_path / name)
    pushes = [user.start("push", "origin", "main", cwd=clone) for clone in clones]
    errors = [push.communicate(timeout=120)[1].decode() for push in pushes]
    assert sorted(push.returncode == 0 for push in pushes) == [False, True]
    loser = next(error for push, error in zip(pushes, errors, strict=True) if push.returncode)
    assert "rejected" in loser
    winner = next(clone for push, clone in zip(pushes, clones, strict=True) if push.returncode == 0)
    assert checkout.remote_refs()["refs/heads/main"] == user.head(winner)
    late = clones[1 - clones.index(winner)]
    user.git("pull", "--rebase", "--quiet", "--strategy-option=theirs", "origin", "main", cwd=late)
    assert user.push(late, "main").ok


def test_an_atomic_push_moves_all_refs_or_none(checkout, hub_server, tmp_path):
    user, work = checkout.user, checkout.work_tree
    user.commit(work, {"a.txt": "1\n"})
    refused = user.push(work, "--atomic", "main", "main:refs/pull/1/head", check=False)
    assert not refused.ok
    assert checkout.remote_refs()["refs/heads/main"] != user.head(work)


@pytest.mark.parametrize(
    "ref", ["refs/pull/1/head", "refs/pr/1", "refs/hub/secret", "refs/notes/x", "refs/keep", "refs/meta/config"]
)
def test_only_branches_and_tags_can_be_pushed(checkout, ref):
    refused = checkout.user.push(checkout.work_tree, f"main:{ref}", check=False)
    assert not refused.ok
    assert ref not in checkout.remote_refs()


def test_a_branch_that_differs_only_in_case_is_refused(checkout):
    checkout.user.push(checkout.work_tree, "main:refs/heads/Feature")
    refused = checkout.user.push(checkout.work_tree, "main:refs/heads/feature", check=False)
    assert not refused.ok
    assert "remote:" in refused.error
    assert "refs/heads/feature" not in checkout.remote_refs()


def test_two_branches_of_one_push_that_differ_only_in_case_are_refused(checkout):
    refused = checkout.user.push(checkout.work_tree, "main:refs/heads/Side", "main:refs/heads/side", check=False)
    assert not refused.ok
    assert {"refs/heads/Side", "refs/heads/side"} - set(checkout.remote_refs())


# What is in it


def test_a_large_file_outside_of_lfs_is_refused_and_told_how(checkout, noise):
    before = checkout.remote_refs()
    checkout.user.commit(checkout.work_tree, {"data/large.dat2": noise(11 * MIB)})
    refused = checkout.user.push(checkout.work_tree, "main", check=False)
    assert not refused.ok
    said = "\n".join(line for line in refused.error.splitlines() if line.startswith("remote:"))
    assert "data/large.dat2" in said
    assert "git lfs" in said.lower()
    assert checkout.remote_refs() == before


def test_a_large_file_counts_even_when_a_later_commit_removes_it(checkout, noise):
    checkout.user.commit(checkout.work_tree, {"large.dat2": noise(11 * MIB)})
    checkout.user.git("rm", "--quiet", "large.dat2", cwd=checkout.work_tree)
    checkout.user.git("commit", "--quiet", "--message", "Remove", cwd=checkout.work_tree)
    assert not checkout.user.push(checkout.work_tree, "main", check=False).ok


def test_a_pointer_to_an_object_that_nobody_uploaded_is_refused(checkout):
    oid = "ab" * 32
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n"
    before = checkout.remote_refs()
    checkout.user.commit(checkout.work_tree, {"weights.dat2": pointer})
    refused = checkout.user.push(checkout.work_tree, "main", check=False)
    assert not refused.ok
    assert "remote:" in refused.error
    assert oid[:8] in refused.error
    assert checkout.remote_refs() == before


@pytest.mark.parametrize("name", [".GIT/config", "git~1/x", ".git\u200c/x"], ids=["case", "short", "ignorable"])
def test_a_tree_with_a_dangerous_path_is_refused(checkout, name):
    user, work = checkout.user, checkout.work_tree
    blob = user.git("hash-object", "-w", "--stdin", cwd=work, input=b"x\n").output.strip()
    folder, _, file = name.partition("/")
    inner = user.git("mktree", cwd=work, input=f"100644 blob {blob}\t{file}\n".encode()).output.strip()
    tree = user.git("mktree", "--missing", cwd=work, input=f"040000 tree {inner}\t{folder}\n".encode()).output.strip()
    commit = user.git("commit-tree", tree, "-m", "Trap", "-p", "HEAD", cwd=work).output.strip()
    before = checkout.remote_refs()
    assert not user.push(work, f"{commit}:refs/heads/main", check=False).ok
    assert checkout.remote_refs() == before


def test_a_corrupt_pack_is_refused_and_stores_nothing(checkout):
    head = checkout.remote_refs()["refs/heads/main"]
    command = f"{head} {'12' * 20} refs/heads/main\0 report-status\n".encode()
    for pack in (b"", b"PACK", b"PACK" + b"\0\0\0\2\0\0\0\1" + os.urandom(200), b"JUNK" * 100):
        answer = checkout.account.api.post(
            f"/{checkout.path}.git/git-receive-pack",
            body=pkt(command) + b"0000" + pack,
            headers={"Content-Type": "application/x-git-receive-pack-request"},
        )
        assert answer.status in (200, 400)
        assert b"unpack ok" not in answer.body
    assert checkout.remote_refs()["refs/heads/main"] == head
    assert checkout.user.git("fsck", "--full", cwd=checkout.hub.repository_path(checkout.path)).ok


@pytest.mark.parametrize(
    "body", [b"zzzz", b"0003", b"fff1" + b"x" * 20, b"0009want", b"\0" * 64], ids=["hex", "short", "long", "cut", "nul"]
)
@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_bytes_that_are_no_packet_lines_are_refused(checkout, service, body):
    answer = checkout.account.api.post(
        f"/{checkout.path}.git/{service}", body=body, headers={"Content-Type": f"application/x-{service}-request"}
    )
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert b"PACK" not in answer.body
    assert checkout.hub.is_ready()


# Who goes away


def send_cut_off(checkout, path, body, announced):
    """Open a connection by hand, announce more than is sent, and leave; return when the bytes are out."""
    parts = urlsplit(checkout.hub.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        head = [
            f"POST /{checkout.path}.git/{path} HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Authorization: {basic(checkout.account.name, checkout.account.token)}",
            f"Content-Type: application/x-{path}-request",
            f"Content-Length: {announced}",
        ]
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        wait_until(checkout.hub.git_processes, what="git to start")


def test_a_pusher_who_goes_away_leaves_no_git_behind_and_changes_nothing(checkout):
    before = checkout.remote_refs()
    head = before["refs/heads/main"]
    command = f"{head} {'12' * 20} refs/heads/main\0 report-status\n".encode()
    send_cut_off(checkout, "git-receive-pack", pkt(command) + b"0000PACK\0\0\0\2\0\0\0\1", 50_000_000)
    wait_until(lambda: not checkout.hub.git_processes(), what="git to end")
    assert checkout.remote_refs() == before


def test_a_cloner_who_goes_away_leaves_no_git_behind(checkout, tmp_path, noise):
    for number in range(6):
        checkout.user.commit(checkout.work_tree, {f"{number}.dat2": noise(8 * MIB)})
    checkout.user.push(checkout.work_tree, "main")
    head = checkout.remote_refs()["refs/heads/main"]
    request = pkt(f"want {head}\n".encode()) + b"0000" + pkt(b"done\n")
    parts = urlsplit(checkout.hub.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(
            f"POST /{checkout.path}.git/git-upload-pack HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Content-Type: application/x-git-upload-pack-request\r\n"
            f"Content-Length: {len(request)}\r\n\r\n".encode()
            + request
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    wait_until(lambda: not checkout.hub.git_processes(), what="git to end")


def test_an_interrupted_git_push_changes_nothing(checkout, noise):
    before = checkout.remote_refs()
    checkout.user.commit(checkout.work_tree, {f"{n}.dat2": noise(9 * MIB) for n in range(5)})
    push = checkout.user.start("push", "origin", "main", cwd=checkout.work_tree)
    wait_until(lambda: checkout.hub.git_processes() or push.poll() is not None, what="the push to arrive")
    os.killpg(push.pid, signal.SIGKILL)
    push.communicate()
    wait_until(lambda: not checkout.hub.git_processes(), what="git to end")
    after = checkout.remote_refs()
    # Killed early, nothing happened; killed after the last byte, all of it did.
    assert after in (
        before,
        {**before, **dict.fromkeys(("HEAD", "refs/heads/main"), checkout.user.head(checkout.work_tree))},
    )
    assert checkout.user.git("fsck", "--full", cwd=checkout.hub.repository_path(checkout.path)).ok
    assert checkout.user.push(checkout.work_tree, "main").ok


# SSH speaks the same


def test_ssh_takes_and_refuses_what_http_does(checkout, hub_server, tmp_path, noise):
    user, account = checkout.user, checkout.account
    account.add_ssh_key(user.create_ssh_key())
    address = hub_server.ssh_address(checkout.path)
    user.clone(address, tmp_path / "clone", "--depth=1")
    user.clone(address, tmp_path / "partial", "--filter=blob:none")
    commit = user.commit(tmp_path / "clone", {"a.txt": "by ssh\n"})
    user.push(tmp_path / "clone", "main")
    assert checkout.remote_refs()["refs/heads/main"] == commit
    user.commit(tmp_path / "clone", {"large.dat2": noise(11 * MIB)})
    refused = user.push(tmp_path / "clone", "main", check=False)
    assert not refused.ok
    assert "git lfs" in refused.error.lower()
    assert checkout.remote_refs()["refs/heads/main"] == commit


def test_ssh_gives_no_shell_and_knows_no_other_command(checkout, hub_server, git_user):
    import shlex
    import subprocess

    git_user.create_ssh_key()
    key = git_user.environment["GIT_SSH_COMMAND"]
    for command in ("ls /", "git-upload-pack '/etc'", "git-upload-pack '../../etc/passwd'", "git-shell", "true; id"):
        done = subprocess.run(
            [*shlex.split(key), "-p", str(hub_server.ssh_port), "git@127.0.0.1", command],
            env=git_user.environment,
            capture_output=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode != 0
        assert b"uid=" not in done.stdout
        assert b"root:" not in done.stdout
