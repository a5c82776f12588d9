"""The first journey: a real model goes in by git, is looked at by REST, and comes out elsewhere, equal to the byte.

Over HTTP and over SSH, on a hub as it comes and on one scaled out (PostgreSQL, external Redis, S3).
"""

from __future__ import annotations

import filecmp
import hashlib

import pytest

from tests.support.assets import MODEL_CARD, MODEL_NAME, MODEL_SIZE_BYTES, sha256_of

pytestmark = pytest.mark.slow


@pytest.fixture
def account(any_hub):
    return any_hub.new_account()


def push_model(git_user, address, work_tree, model_file):
    """Clone an empty model repository, add card and weights as a person would, and push; return the commit."""
    git_user.clone(address, work_tree)
    git_user.git("lfs", "track", "*.gguf", cwd=work_tree)
    (work_tree / MODEL_NAME).hardlink_to(model_file)
    (work_tree / "README.md").write_text(MODEL_CARD)
    git_user.git("add", ".gitattributes", "README.md", MODEL_NAME, cwd=work_tree)
    git_user.git("commit", "--quiet", "--message", "Add SmolLM2 with its card", cwd=work_tree)
    git_user.push(work_tree, "main")
    return git_user.head(work_tree)


def assert_arrived_whole(git_user, clone, model_file, commit):
    """The clone is at the commit, holds the very bytes, and git finds nothing wrong with it."""
    assert git_user.head(clone) == commit
    assert (clone / "README.md").read_text() == MODEL_CARD
    assert filecmp.cmp(clone / MODEL_NAME, model_file, shallow=False)
    assert git_user.git("fsck", "--full", "--strict", cwd=clone).ok
    assert git_user.git("lfs", "fsck", cwd=clone).ok


def test_a_real_model_goes_in_and_out_over_http(any_hub, account, git_user, model_file, tmp_path):
    path = account.create_repository("smollm2")
    commit = push_model(git_user, account.address(path), tmp_path / "work", model_file)

    # Anybody may clone what is public.
    git_user.clone(f"{any_hub.url}/{path}.git", tmp_path / "elsewhere")
    assert_arrived_whole(git_user, tmp_path / "elsewhere", model_file, commit)
    assert git_user.git("fsck", "--full", "--strict", cwd=any_hub.repository_path(path)).ok

    by_name = {entry["path"]: entry for entry in any_hub.api.get(f"/api/v1/{path}/tree?ref=main").data}
    assert set(by_name) == {".gitattributes", "README.md", MODEL_NAME}
    weights = by_name[MODEL_NAME]
    assert weights["lfs"] is True
    assert weights["size"] == MODEL_SIZE_BYTES
    assert weights["lfs_sha256"] == sha256_of(model_file)
    assert any_hub.api.get(f"/api/v1/{path}/raw/README.md?ref=main").data == MODEL_CARD
    commits = any_hub.api.get(f"/api/v1/{path}/commits?ref=main").data["commits"]
    assert commits[0]["id"] == commit

    # The weights can be read in ranges.
    start, length = 40_000_000, 1_000_000
    with model_file.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(start)
        expected = stream.read(length)
    assert magic == b"GGUF"
    address = f"/api/v1/{path}/resolve/{MODEL_NAME}?ref=main"
    answer = any_hub.api.get(address, headers={"Range": f"bytes={start}-{start + length - 1}"})
    if answer.status in (302, 307):  # S3 serves the bytes itself
        answer = any_hub.api.get(answer.headers["Location"], headers={"Range": f"bytes={start}-{start + length - 1}"})
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{start + length - 1}/{MODEL_SIZE_BYTES}"
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(expected).digest()


def test_a_real_model_goes_in_and_out_over_ssh(any_hub, account, git_user, model_file, tmp_path):
    account.add_ssh_key(git_user.create_ssh_key())
    path = account.create_repository("smollm2", private=True)
    commit = push_model(git_user, any_hub.ssh_address(path), tmp_path / "work", model_file)

    git_user.clone(any_hub.ssh_address(path), tmp_path / "elsewhere")
    assert_arrived_whole(git_user, tmp_path / "elsewhere", model_file, commit)


def test_a_stranger_sees_nothing_of_a_private_model(any_hub, account, git_user, tmp_path):
    path = account.create_repository("secret", private=True)
    stranger = any_hub.new_account()
    for api in (any_hub.api, stranger.api):
        missing = api.get(f"/api/v1/models/{account.name}/nothing")
        there = api.get(f"/api/v1/{path}")
        assert there.status == missing.status == 404
        assert there.json["code"] == missing.json["code"]
    for address in (f"{any_hub.url}/{path}.git", stranger.address(path)):
        assert not git_user.clone(address, tmp_path / "clone", check=False).ok
    git_user.create_ssh_key()
    assert not git_user.clone(any_hub.ssh_address(path), tmp_path / "clone", check=False).ok
