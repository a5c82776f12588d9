"""Large files listed, copied to another repository, and removed for good. Hugging Face contract, section 7.5."""

from __future__ import annotations

import hashlib
import re

import pytest

from hub.accounts.policy import Actor
from hub.db.uow import unit_of_work
from hub.repos.branches import set_protected_branch
from hub.repos.lfs.service import receive_object
from tests.hub.compat.conftest import LFS_NAME, WEIGHTS, inline, refusal

SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
FILES = "/hf/api/models/ada/thing/lfs-files"


@pytest.fixture
def stray(context, thing, people):
    """An object that no commit names."""
    oid = hashlib.sha256(b"stray").hexdigest()
    actor = Actor.of_user(people["ada"], via="session")
    receive_object(context, actor=actor, repository_id=thing.id, oid=oid, size_bytes=5, chunks=[b"stray"])
    return oid


def remove(call, *oids, as_="ada", rewrite=True):
    body = {"deletions": {"sha": list(oids), "rewriteHistory": rewrite}}
    return call("POST", f"{FILES}/batch", as_, json=body)


def listed(call):
    return {found["fileOid"]: found for found in call("GET", FILES).json}


@pytest.mark.any_database
def test_the_list_is_paged_and_for_those_who_write(call, thing, stray):
    items, path = [], f"{FILES}?limit=1"
    while path:
        answer = call("GET", path)
        items += answer.json
        link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', answer.headers.get("Link", ""))
        path = link and link[1]
    assert [item["oid"] for item in items] == sorted([SHA256, stray])
    named = {item["fileOid"]: (item["filename"], item["ref"], item["size"]) for item in items}
    assert named == {SHA256: (LFS_NAME, "refs/heads/main", len(WEIGHTS)), stray: ("", None, 5)}
    assert all(item["pushedAt"].endswith("Z") for item in items)
    for who, status in ((None, 401), ("bob", 403), ("reader", 403)):
        assert refusal(call("GET", FILES, who))[0] == status


def test_copies_move_no_byte(call, send_commit, thing, make_repository, people, stray):
    target = make_repository(people["bob"], "copy", kind="dataset", private=True)
    files = [{"sha256": oid, "xetHash": "f" * 64, "filename": "x"} for oid in (SHA256, stray, "c" * 64, "odd")]
    body = {"target": {"type": "dataset", "name": "bob/copy"}, "files": files}
    answer = call("POST", f"{FILES}/duplicate", "bob", json=body)
    assert answer.status_code == 200, answer.text
    assert [failed["sha256"] for failed in answer.json["failed"]] == ["c" * 64, "odd"]
    pointer = {"path": "model.bin", "algo": "sha256", "oid": SHA256}
    done = send_commit("/hf/api/datasets/bob/copy/commit/main", ("lfsFile", pointer), as_="bob")
    assert done.status_code == 200, done.text
    assert call("GET", "/hf/datasets/bob/copy/resolve/main/model.bin", "bob").data == WEIGHTS
    assert call("POST", f"{FILES}/duplicate", "bob", json=body).json == answer.json
    # Not out of what one may not read, nor into it.
    back = {"target": {"name": "ada/thing"}, "files": files[:1]}
    for path, who in (("/hf/api/datasets/bob/copy/lfs-files/duplicate", "ada"), (f"{FILES}/duplicate", "ada")):
        assert refusal(call("POST", path, who, json=back if "bob" in path else body)) == (404, "RepoNotFound")
    assert refusal(call("POST", f"{FILES}/duplicate", None, json=body | {"target": {"name": "ada/thing"}}))[0] == 401
    assert target.id != thing.id


def test_what_is_removed_is_in_no_commit_any_more(call, send_commit, thing, stray, people):
    send_commit("/hf/api/models/ada/thing/commit/main", inline("later.txt", b"later"))
    before = call("GET", "/hf/api/models/ada/thing").json["sha"]
    assert refusal(remove(call, SHA256, as_="bob"))[0] == 403
    done = remove(call, SHA256, "c" * 64, "odd")
    assert (done.status_code, done.json) == (200, {"success": True})
    assert {*listed(call)} == {stray}
    assert call("GET", "/hf/api/models/ada/thing").json["sha"] != before
    names = {item["path"] for item in call("GET", "/hf/api/models/ada/thing/tree/main").json}
    assert LFS_NAME not in names
    assert "later.txt" in names
    titles = [item["title"] for item in call("GET", "/hf/api/models/ada/thing/commits/main").json]
    assert titles[:2] == ["Change", "Files"]
    assert remove(call, SHA256).status_code == 200
    assert remove(call, stray, rewrite=False).status_code == 200
    assert listed(call) == {}


@pytest.mark.any_database
def test_what_is_removed_is_in_no_pull_request_either(call, send_commit, thing, context, people):
    pulls = "/hf/api/models/ada/thing/discussions"
    where = "/hf/api/models/ada/thing/commit"
    for number, pointer in ((1, None), (2, SHA256)):
        opened = call("POST", pulls, "bob", json={"title": "Mine", "description": "", "pullRequest": True})
        assert opened.json["num"] == number
        if pointer:
            lfs = {"path": "again.bin", "algo": "sha256", "oid": pointer}
            assert send_commit(f"{where}/refs%2Fpr%2F2", ("lfsFile", lfs), as_="bob").status_code == 200
    call("POST", f"{pulls}/2/status", "bob", json={"status": "closed"})
    assert remove(call, SHA256).status_code == 200
    for ref in ("main", "refs/pr/1", "refs/pr/2"):
        tree = call("GET", f"/hf/api/models/ada/thing/tree/{ref.replace('/', '%2F')}").json
        assert not [item for item in tree if "lfs" in item]
    # One without commits has still none, and goes on from where the base is now.
    assert call("POST", f"{pulls}/1/merge").status_code == 409
    done = send_commit(f"{where}/refs%2Fpr%2F1", inline("mine.txt", b"mine"), as_="bob")
    assert done.status_code == 200, done.text
    assert call("POST", f"{pulls}/1/merge").status_code == 200
    titles = [item["title"] for item in call("GET", "/hf/api/models/ada/thing/commits/main").json]
    assert titles[:2] == ["Change", "Files"]


@pytest.mark.any_database
def test_a_protected_branch_keeps_its_history_and_its_files(call, thing, context, people):
    actor = Actor.of_user(people["ada"], via="session")
    with unit_of_work(context) as work:
        set_protected_branch(work, actor=actor, repository_id=thing.id, pattern="main")
    assert refusal(remove(call, SHA256))[0] == 403
    assert {*listed(call)} == {SHA256}
    assert remove(call, SHA256, rewrite=False).status_code == 200
    gone = call("GET", f"/hf/ada/thing/resolve/main/{LFS_NAME}", None)
    assert refusal(gone) == (404, "EntryNotFound")
