"""Trees and files as huggingface_hub and the CSGHub SDK read them. CSGHub contract, sections 3.1, 3.3 and 3.4."""

from __future__ import annotations

import hashlib
import re

import pytest

from hub.accounts.policy import Actor
from hub.db.uow import reading
from hub.repos.branches import create_branch
from hub.repos.downloads import DOWNLOADS
from hub.repos.models import Repository
from tests.hub.compat.conftest import LFS_NAME, WEIGHTS, refusal

pytestmark = pytest.mark.any_database

SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
TREE = "/hf/api/models/ada/thing/tree"


def head_of(call):
    return call("GET", "/hf/api/models/ada/thing").json["sha"]


def follow(call, path):
    """All entries of a list, page by page."""
    items, pages = [], 0
    while path:
        answer = call("GET", path, None)
        assert answer.status_code == 200, answer.json
        items += answer.json
        link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', answer.headers.get("Link", ""))
        path, pages = link and link[1], pages + 1
    return items, pages


def test_every_kind_has_a_tree_at_a_commit_with_and_without_a_path(call, make_repository, people, write):
    for segment in ("models", "datasets", "spaces", "codes", "mcps", "skills"):
        kind = {"mcps": "mcpserver"}.get(segment, segment.removesuffix("s"))
        commit = write(make_repository(people["ada"], "thing", kind=kind), {"data/deep/a.txt": b"hello"})
        whole = call("GET", f"/hf/api/{segment}/ada/thing/tree/{commit}?recursive=true&expand=false", None).json
        kinds = {entry["path"]: entry["type"] for entry in whole}
        assert kinds["data"] == kinds["data/deep"] == "directory"
        assert kinds["data/deep/a.txt"] == kinds[".gitattributes"] == "file"
        below = call("GET", f"/hf/api/{segment}/ada/thing/tree/{commit}/data%2Fdeep?recursive=true", None).json
        assert [(entry["path"], entry["size"]) for entry in below] == [("data/deep/a.txt", 5)]


def test_a_tree_is_read_in_pages_and_tells_of_lfs(call, thing):
    whole, pages = follow(call, f"{TREE}/main?recursive=1&limit=2")
    assert pages == 3
    assert len(whole) == len({entry["path"] for entry in whole}) == 6
    [weights] = [entry for entry in whole if entry["path"] == LFS_NAME]
    assert weights["size"] == len(WEIGHTS)
    assert weights["lfs"] == {"oid": SHA256, "size": len(WEIGHTS), "pointerSize": weights["lfs"]["pointerSize"]}
    assert follow(call, f"{TREE}/main/data/a%20b.txt")[0][0]["size"] == 5
    assert refusal(call("GET", f"{TREE}/main/none")) == (404, "EntryNotFound")
    assert refusal(call("GET", f"{TREE}/none")) == (404, "RevisionNotFound")
    assert refusal(call("GET", f"{TREE}/main?cursor=x"))[0] == 400
    commit = head_of(call)
    expanded = {entry["path"]: entry for entry in follow(call, f"{TREE}/main?recursive=true&expand=True")[0]}
    assert expanded["data/a b.txt"]["lastCommit"]["id"] == commit
    assert expanded["README.md"]["lastCommit"]["title"] == "initial commit"


def test_paths_are_asked_by_form_or_json(call, thing):
    for how in ("json", "data"):
        assert_paths_are_found(call, how)


def assert_paths_are_found(call, how):
    asked = {"paths": ["config.json", "data", "none", LFS_NAME], "expand": "True"}
    answer = call("POST", "/hf/api/models/ada/thing/paths-info/main", None, **{how: asked})
    found = {entry["path"]: entry for entry in answer.json}
    assert {path: entry["type"] for path, entry in found.items()} == {
        "config.json": "file",
        "data": "directory",
        LFS_NAME: "file",
    }
    assert found["data"]["lastCommit"]["title"] == "Files"
    many = {"paths": [f"{number}" for number in range(1001)]}
    assert refusal(call("POST", "/hf/api/models/ada/thing/paths-info/main", **{how: many}))[0] == 413


def test_a_head_tells_all_and_a_get_sends_any_range(call, thing):
    for base in ("/csg/ada/thing", "/csg/models/ada/thing", "/hf/ada/thing", "/ms/ada/thing"):
        assert_sends_files(call, base)


def assert_sends_files(call, base):
    commit, content = head_of(call), {"config.json": b"{}\n", LFS_NAME: WEIGHTS}
    for name, data in content.items():
        head = call("HEAD", f"{base}/resolve/main/{name}", None)
        assert head.status_code == 200
        assert head.headers["X-Repo-Commit"] == commit
        assert int(head.headers["Content-Length"]) == len(data)
        assert head.headers["Accept-Ranges"] == "bytes"
        assert re.search(r'filename="[^"]+";', head.headers["Content-Disposition"])
        whole = call("GET", f"{base}/resolve/{commit}/{name}", None)
        assert (whole.data, whole.headers["ETag"]) == (data, head.headers["ETag"])
        part = call("GET", f"{base}/resolve/main/{name}", None, headers={"Range": "bytes=2-"})
        assert (part.status_code, part.data) == (206, data[2:])
        assert part.headers["Accept-Ranges"] == "bytes"
        assert part.headers["Content-Range"] == f"bytes 2-{len(data) - 1}/{len(data)}"
        past = call("GET", f"{base}/resolve/main/{name}", None, headers={"Range": f"bytes={len(data)}-"})
        assert past.status_code == 416
        assert past.headers["Content-Range"] == f"bytes */{len(data)}"
    lfs = call("HEAD", f"{base}/resolve/main/{LFS_NAME}", None)
    assert lfs.headers["ETag"] == lfs.headers["X-Linked-Etag"] == f'"{SHA256}"'
    assert lfs.headers["X-Linked-Size"] == str(len(WEIGHTS))


def test_a_file_of_a_snapshot_takes_few_queries(call, thing, count_queries):
    commit = head_of(call)
    for name, most in (("config.json", 2), (LFS_NAME, 4)):
        for method in ("HEAD", "GET"):
            with count_queries() as queries:
                assert call(method, f"/hf/ada/thing/resolve/{commit}/{name}").status_code == 200
            assert len(queries) <= most, queries


def test_a_file_that_is_not_there_is_told_with_the_commit_that_lacks_it(call, thing):
    for name in ("none.txt", "data", "data/none"):
        answer = call("GET", f"/hf/ada/thing/resolve/main/{name}", None)
        assert refusal(answer) == (404, "EntryNotFound")
        assert answer.headers["X-Repo-Commit"] == head_of(call)
    assert refusal(call("GET", "/hf/ada/thing/resolve/none/config.json")) == (404, "RevisionNotFound")
    assert refusal(call("GET", "/hf/ada/none/resolve/main/config.json")) == (404, "RepoNotFound")
    old_probe = "/hf/api/datasets/ada/none/resolve/main/.huggingface.yaml"
    assert refusal(call("GET", old_probe)) == (404, "RepoNotFound")
    old_probe = "/hf/api/models/ada/thing/resolve/main/.huggingface.yaml"
    assert refusal(call("GET", old_probe)) == (404, "EntryNotFound")
    assert call("GET", "/hf/ada/thing/resolve/main/a%00b").status_code == 400


def test_a_revision_with_slashes_is_found_encoded_or_not(call, context, thing, people, write):
    actor = Actor.of_user(people["ada"], via="session")
    create_branch(context, actor=actor, repository_id=thing.id, name="feature/x")
    create_branch(context, actor=actor, repository_id=thing.id, name="feature/y/z")
    commit = write(thing, {"x/only.txt": b"here"}, branch="feature/x")
    # huggingface_hub encodes the slash, the CSGHub SDK does not.
    for revision in ("feature%2Fx", "feature/x", "refs%2Fheads%2Ffeature%2Fx", "refs/heads/feature/x"):
        answer = call("GET", f"/csg/ada/thing/resolve/{revision}/x/only.txt", None)
        assert (answer.data, answer.headers.get("X-Repo-Commit")) == (b"here", commit), revision
        assert [entry["path"] for entry in call("GET", f"{TREE}/{revision}/x", None).json] == ["x/only.txt"], revision
        assert call("GET", f"{TREE}/{revision}", None).status_code == 200, revision
    assert refusal(call("GET", "/csg/ada/thing/resolve/feature/none/x/only.txt")) == (404, "RevisionNotFound")


def test_downloads_are_counted_from_the_first_byte_on(call, client, context, thing):
    address = f"/csg/ada/thing/resolve/main/{LFS_NAME}"
    etag = call("GET", address).headers["ETag"]  # 1
    call("GET", address, headers={"Range": "bytes=0-9"})  # 2
    call("GET", f"/api/v1/models/ada/thing/resolve/{LFS_NAME}")  # 3
    call("GET", address, headers={"Range": "bytes=10-"})
    call("GET", address, headers={"If-None-Match": etag})
    call("HEAD", address)
    context[DOWNLOADS].write()
    with reading(context) as work:
        assert work.session.get(Repository, thing.id).download_count == 3


def test_a_content_in_lfs_is_one_file_of_a_day_by_its_address_and_by_git_lfs(call, context, thing):
    oid = hashlib.sha256(WEIGHTS).hexdigest()
    fetch = f"/hf/ada/thing.git/info/lfs/objects/{oid}"
    call("GET", fetch, "bob", headers={"Range": "bytes=1-9"})
    call("HEAD", fetch, "bob")
    for _ in range(2):
        call("GET", fetch, "bob", headers={"Range": "bytes=0-9"})
        call("GET", fetch, "ada")
        call("GET", f"/hf/ada/thing/resolve/main/{LFS_NAME}", "ada")
        call("GET", "/hf/ada/thing/resolve/main/config.json", "ada")
        context[DOWNLOADS].write()
    found = call("GET", "/api/v1/models/ada/thing/downloads?days=1").json["data"]
    assert [(day["downloads"], day["clients"]) for day in found["days"]] == [(3, 2)]
    assert found["files"] == [{"path": LFS_NAME, "downloads": 2}, {"path": "config.json", "downloads": 1}]
    # What git-lfs fetches belongs to a clone, which has been counted.
    with reading(context) as work:
        assert work.session.get(Repository, thing.id).download_count == 4
