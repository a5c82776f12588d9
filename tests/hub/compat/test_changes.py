"""Commits, uploads and repositories as huggingface_hub makes them. CSGHub contract, sections 2.4, 3.5 to 3.7."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.base.errors import HubError
from hub.http import ndjson
from hub.http.ndjson import read_commit
from hub.repos.uploads import _root
from tests.hub.compat.conftest import LFS_NAME, WEIGHTS, inline, refusal

pytestmark = pytest.mark.any_database

API = "/hf/api/models/ada/thing"
COMMIT = f"{API}/commit/main"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


def paths_of(call, revision="main"):
    return {entry["path"] for entry in call("GET", f"{API}/tree/{revision}?recursive=true").json}


def test_one_commit_holds_all_that_was_sent(call, context, thing, send_commit):
    before = call("GET", API).json["sha"]
    answer = send_commit(
        COMMIT,
        inline("new/b.txt", b"b" * 1000),
        inline("empty.bin", b""),
        ("lfsFile", {"path": "again.bin", "algo": "sha256", "oid": SHA256, "size": len(WEIGHTS)}),
        ("lfsFile", {"path": "unsized.bin", "algo": "sha256", "oid": SHA256}),
        ("copyFile", {"path": "copy.json", "srcPath": "config.json"}),
        ("copyFile", {"path": "old.json", "srcPath": "config.json", "srcRevision": before}),
        ("copyFile", {"path": "old.bin", "srcPath": LFS_NAME, "srcRevision": before}),
        ("deletedFile", {"path": "config.json"}),
        ("deletedFolder", {"path": "data/"}),
        summary="Many",
        description="of all sorts",
        parentCommit=before[:12],
    )
    assert answer.status_code == 200, answer.json
    oid = answer.json["commitOid"]
    assert answer.json["success"] is True
    assert answer.json["commitUrl"] == f"http://localhost/hf/ada/thing/commit/{oid}"
    assert oid == call("GET", API).json["sha"] != before
    [commit, *_] = call("GET", f"{API}/commits/main").json
    assert (commit["title"], commit["message"]) == ("Many", "of all sorts")
    found = paths_of(call)
    assert not {"config.json", "data"} & found
    assert call("GET", "/hf/ada/thing/resolve/main/new/b.txt").data == b"b" * 1000
    assert call("GET", "/hf/ada/thing/resolve/main/copy.json").data == b"{}\n"
    assert call("GET", "/hf/ada/thing/resolve/main/old.json").data == b"{}\n"
    for name in ("again.bin", "unsized.bin", "old.bin", LFS_NAME):
        assert call("GET", f"/hf/ada/thing/resolve/main/{name}").data == WEIGHTS
    twice = send_commit(COMMIT, inline("new/b.txt", b"first"), inline("a.txt", b"a"), inline("new/b.txt", b"b" * 1000))
    assert twice.status_code == 200, twice.json
    oid = twice.json["commitOid"]
    assert call("GET", "/hf/ada/thing/resolve/main/new/b.txt").data == b"b" * 1000
    # The CSGHub SDK's paths are forgiven.
    assert send_commit("/csg/api/models/ada/thing/commit/main", inline("./a.txt", b"a")).json["commitOid"] == oid
    # The same once more changes nothing, and is no fault.
    again = send_commit(COMMIT, inline("new/b.txt", b"b" * 1000))
    assert again.json["commitOid"] == oid
    assert not [*_root(context).glob("*")]


def test_a_copy_from_another_revision_is_the_same_blob(call, thing, send_commit, count_queries):
    before = call("GET", API).json["sha"]
    [blob] = call("POST", f"{API}/paths-info/main", json={"paths": ["config.json"]}).json
    rules = inline(".gitattributes", b"*.json filter=lfs diff=lfs merge=lfs -text\n")
    assert send_commit(COMMIT, rules, ("deletedFile", {"path": "config.json"})).status_code == 200

    def copies(count):
        steps = [("copyFile", {"path": f"{count}/{n}.json", "srcPath": "config.json", "srcRevision": before})
                 for n in range(count)]  # fmt: skip
        with count_queries() as counted:
            assert send_commit(COMMIT, *steps).status_code == 200
        return len(counted)

    assert copies(1) == copies(20)
    # Nothing is written but trees: the new name does not even make an object for LFS of what Git has.
    [copied] = call("POST", f"{API}/paths-info/main", json={"paths": ["20/19.json"]}).json
    assert (copied["oid"], copied.get("lfs")) == (blob["oid"], None)
    for source in ("data", "none"):
        folder = ("copyFile", {"path": "x", "srcPath": source, "srcRevision": before})
        assert refusal(send_commit(COMMIT, folder)) == (404, "EntryNotFound")


def test_a_refused_commit_says_why_and_changes_nothing(call, context, thing, send_commit):
    before, tree = call("GET", API).json["sha"], paths_of(call)
    a = inline("a.txt", b"a")
    assert refusal(send_commit(COMMIT, a, parentCommit="0" * 40))[0] == 412
    unknown = "1" * 64
    missing = send_commit(COMMIT, a, ("lfsFile", {"path": "x.bin", "algo": "sha256", "oid": unknown, "size": 3}))
    assert refusal(missing) == (400, None)
    assert unknown in missing.json["error"]
    gone = send_commit(COMMIT, a, ("deletedFile", {"path": "none"}))
    assert refusal(gone) == (404, "EntryNotFound")
    assert "A file with this name doesn't exist" in gone.headers["X-Error-Message"]
    assert refusal(send_commit(f"{API}/commit/none", a)) == (404, "RevisionNotFound")
    for path in ("../x", "/abs.txt", "d/", "./x", "a//b"):
        assert refusal(send_commit(COMMIT, inline(path, b"a")))[0] == 400, path
    assert refusal(send_commit(COMMIT, ("copyFile", {"path": "x", "srcPath": "/config.json"})))[0] == 400
    assert refusal(send_commit(COMMIT))[0] == 400
    assert refusal(send_commit(COMMIT, a, as_="bob"))[0] == 403
    assert refusal(send_commit(COMMIT, a, as_="reader"))[0] == 403
    assert refusal(send_commit(COMMIT, a, as_=None))[0] == 401
    assert (call("GET", API).json["sha"], paths_of(call)) == (before, tree)
    assert not [*_root(context).glob("*")]


@pytest.mark.settings(max_blob_size_bytes=10_000)
def test_a_line_has_a_limit_and_a_large_file_becomes_lfs(call, thing, send_commit, monkeypatch):
    content = b"x" * 20_000
    assert send_commit(COMMIT, inline("large.txt", content)).status_code == 200
    assert "X-Linked-Size" in call("HEAD", "/hf/ada/thing/resolve/main/large.txt").headers
    assert ndjson.line_limit(10_000) >= 28 * 1024 * 1024
    monkeypatch.setattr(ndjson, "MIN_LINE_BYTES", 15_000)
    monkeypatch.setattr(ndjson, "_MAX_OTHER_BYTES", 0)
    assert refusal(send_commit(COMMIT, inline("a.txt", b"y" * 15_000)))[0] == 413


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.recursive(
                st.one_of(st.none(), st.integers(), st.text(max_size=5)),
                lambda inner: st.dictionaries(
                    st.sampled_from(["key", "value", "path", "content", "oid", "size", "summary", "srcPath"]), inner
                ),
                max_leaves=6,
            ).map(lambda value: json.dumps(value).encode()),
            st.fixed_dictionaries(
                {
                    "key": st.sampled_from(["header", "file", "lfsFile", "deletedFile", "copyFile", "other"]),
                    "value": st.dictionaries(
                        st.sampled_from(["path", "content", "encoding", "oid", "size", "summary", "srcPath"]),
                        st.one_of(st.none(), st.text(max_size=8), st.integers(), st.just("YQ==")),
                    ),
                }
            ).map(lambda value: json.dumps(value).encode()),
        ),
        max_size=5,
    )
)
def test_no_body_is_so_odd_that_it_is_more_than_refused(tmp_path, lines):
    import io

    class Raw(io.BytesIO, io.RawIOBase):
        """A body as werkzeug hands it out."""

    try:
        asked = read_commit(Raw(b"\n".join(lines)), tmp_path, max_line_bytes=10_000, max_steps=3)
    except HubError:
        return
    assert asked.message
    assert len(asked.steps) <= 3


def test_preupload_says_how_each_file_is_sent(call, thing, write):
    write(thing, {".gitignore": b"*.log\n"})
    blob = hashlib.sha1(b"blob 3\0{}\n", usedforsecurity=False).hexdigest()
    asked = [
        {"path": "config.json", "size": 3, "sample": base64.b64encode(b"{}\n").decode()},
        {"path": "NEW.BIN", "size": 10},
        {"path": "empty.bin", "size": 0},
        {"path": LFS_NAME, "size": 10},
        {"path": "huge.txt", "size": 50 * 1024 * 1024},
        {"path": "run.log", "size": 3},
        {"path": "data", "size": 3},
    ]
    for segment in ("hf/api/models/ada/thing/preupload/main", "csg/api/models/ada/thing/preupload/main"):
        files = {file["path"]: file for file in call("POST", f"/{segment}", json={"files": asked}).json["files"]}
        assert {path: file["uploadMode"] for path, file in files.items()} == {
            "config.json": "regular",
            "NEW.BIN": "lfs",
            # git-lfs keeps no pointer to nothing, and the SDK cannot upload a file without parts.
            "empty.bin": "regular",
            LFS_NAME: "lfs",
            "huge.txt": "lfs",
            "run.log": "regular",
            "data": "regular",
        }
        assert (files["config.json"]["oid"], files[LFS_NAME]["oid"], files["NEW.BIN"]["oid"]) == (blob, SHA256, None)
        assert files["data"]["isDir"] is True
        assert [path for path, file in files.items() if file["shouldIgnore"]] == ["run.log"]
    given = {"files": asked, "gitIgnore": "*.json\n"}
    answer = call("POST", f"{API}/preupload/main", json=given).json["files"]
    assert [file["path"] for file in answer if file["shouldIgnore"]] == ["config.json"]
    assert refusal(call("POST", f"{API}/preupload/none", json={"files": asked})) == (404, "RevisionNotFound")
    assert refusal(call("POST", f"{API}/preupload/main", "bob", json={"files": asked}))[0] == 403
    too_many = {"files": [{"path": f"{number}", "size": 1} for number in range(257)]}
    assert refusal(call("POST", f"{API}/preupload/main", json=too_many))[0] == 400


def test_what_is_no_text_is_for_lfs_and_a_clone_gets_it(call, thing, write, send_commit):
    def modes(files, base=API):
        asked = [
            {"path": path, "size": size, "sample": base64.b64encode(sample).decode()} for path, sample, size in files
        ]
        answer = call("POST", f"{base}/preupload/main", json={"files": asked})
        assert answer.status_code == 200, answer.json
        return {file["path"]: file["uploadMode"] for file in answer.json["files"]}

    euro = "€".encode()
    files = [
        ("a.odd", b"\0", 1),
        ("latin.txt", b"caf\xe9 au lait", 12),
        ("cut.txt", b"x" * 511 + euro[:1], 514),
        ("whole.txt", b"x" * 511 + euro[:1], 512),
        ("plain.txt", euro, 3),
        ("none.odd", b"", 0),
        ("kept.raw", b"\0", 1),
        (".gitattributes", b"\0", 1),
    ]
    write(thing, {".gitattributes": b"*.raw -filter\n"})
    binary = {"a.odd", "latin.txt", "whole.txt"}
    assert modes(files) == {path: "lfs" if path in binary else "regular" for path, _, _ in files}
    assert set(modes(files, API.replace("/hf/", "/csg/")).values()) == {"regular"}
    odd = {"files": [{"path": "a", "size": 1, "sample": "!"}]}
    assert refusal(call("POST", f"{API}/preupload/main", json=odd))[0] == 400
    # A file of no pattern becomes a pointer, so .gitattributes must learn of it, or a clone would get the pointer.
    linked = ("lfsFile", {"path": "b [1].odd", "algo": "sha256", "oid": SHA256, "size": len(WEIGHTS)})
    assert send_commit(COMMIT, linked).status_code == 200
    attributes = call("GET", "/hf/ada/thing/resolve/main/.gitattributes").text
    line = "/b[[:space:]]\\[1\\].odd filter=lfs diff=lfs merge=lfs -text"
    assert attributes == f"*.raw -filter\n{line}\n"


def test_attributes_that_are_full_are_left_whole(call, thing, write, send_commit, monkeypatch):
    monkeypatch.setattr("hub.repos.files.MAX_FILE_BYTES", 50)
    linked = ("lfsFile", {"path": "b.odd", "algo": "sha256", "oid": SHA256, "size": len(WEIGHTS)})
    assert refusal(send_commit(COMMIT, linked))[0] == 413
    assert "b.odd" not in paths_of(call)


def test_a_repository_is_made_where_it_was_asked_for_and_once(call, context, make_organization, people):
    from hub.accounts.models import Member, Role
    from hub.db.uow import unit_of_work

    acme = make_organization("acme")
    with unit_of_work(context) as work:
        work.session.add(
            Member(organization_id=acme.id, user_id=people["ada"].id, role=Role.WRITE, created_at=work.now())
        )
    asked = {"name": "corpus", "organization": "acme", "type": "dataset", "visibility": "private"}
    made = call("POST", "/hf/api/repos/create", json=asked)
    assert made.status_code == 200, made.json
    assert made.json == {
        "url": "http://localhost/hf/datasets/acme/corpus",
        "name": "acme/corpus",
        "id": "acme/corpus",
    }
    info = call("GET", "/hf/api/datasets/acme/corpus").json
    assert info["private"] is True
    assert len(info["sha"]) == 40
    again = call("POST", "/hf/api/repos/create", json=asked)
    assert again.status_code == 409
    assert again.json["url"] == made.json["url"]
    plain = call("POST", "/hf/api/repos/create", json={"name": "mine", "organization": None, "private": None}).json
    assert (plain["name"], plain["url"]) == ("ada/mine", "http://localhost/hf/ada/mine")
    assert call("GET", "/hf/api/models/ada/mine", None).status_code == 200
    assert call("POST", "/hf/api/repos/create", json={"name": "ada/tool", "type": "mcp"}).json["name"] == "ada/tool"
    assert refusal(call("POST", "/hf/api/repos/create", "bob", json={**asked, "name": "x1"}))[0] == 403
    assert refusal(call("POST", "/hf/api/repos/create", None, json=asked))[0] == 401
    assert refusal(call("POST", "/hf/api/repos/create", json={"name": "-bad-"}))[0] == 400
    assert refusal(call("POST", "/hf/api/repos/create", json={"name": "x1", "type": "kernel"}))[0] == 400


def test_a_repository_is_hidden_moved_and_removed(call, context, thing, people):

    told = call("PUT", f"{API}/settings", json={"private": True}).json
    assert told == {"private": True, "visibility": "private", "gated": False}
    assert call("GET", API, "bob").status_code == 404
    call("PUT", f"{API}/settings", json={"visibility": "public"})
    assert call("GET", API, "bob").status_code == 200
    assert refusal(call("PUT", f"{API}/settings", "bob", json={"private": True}))[0] == 403
    move = {"fromRepo": "ada/thing", "toRepo": "ada/better", "type": "model"}
    assert refusal(call("POST", "/hf/api/repos/move", "bob", json=move))[0] == 403
    assert call("POST", "/hf/api/repos/move", json=move).status_code == 200
    assert call("GET", API).json["id"] == "ada/better"
    remove = {"name": "better", "organization": "ada", "type": "model"}
    assert refusal(call("DELETE", "/hf/api/repos/delete", "bob", json=remove))[0] == 403
    assert call("DELETE", "/hf/api/repos/delete", json=remove).status_code == 200
    assert refusal(call("DELETE", "/hf/api/repos/delete", json=remove)) == (404, "RepoNotFound")


def test_a_repository_moves_to_another_owner_under_another_name(call, context, thing, make_organization, people):
    from hub.accounts.models import Member, Role
    from hub.db.uow import unit_of_work

    acme = make_organization("acme")
    move = {"fromRepo": "ada/thing", "toRepo": "acme/other"}
    assert refusal(call("POST", "/hf/api/repos/move", json=move))[0] == 403
    with unit_of_work(context) as work:
        work.session.add(
            Member(organization_id=acme.id, user_id=people["ada"].id, role=Role.ADMIN, created_at=work.now())
        )
    assert call("POST", "/hf/api/repos/move", json=move).status_code == 200
    assert call("GET", API).json["id"] == "acme/other"


def test_branches_and_tags_come_and_go(call, thing):
    first = call("GET", API).json["sha"]
    assert call("POST", f"{API}/branch/feature%2Fx", json={"startingPoint": first}).status_code == 200
    assert call("POST", f"{API}/branch/plain").status_code == 200
    assert refusal(call("POST", f"{API}/branch/plain", json={}))[0] == 409
    assert refusal(call("POST", f"{API}/branch/y", json={"startingPoint": "none"})) == (404, "RevisionNotFound")
    assert refusal(call("POST", f"{API}/branch/y", "bob", json={}))[0] == 403
    assert call("POST", f"{API}/tag/feature%2Fx", json={"tag": "v1", "message": "one"}).status_code == 200
    assert refusal(call("POST", f"{API}/tag/main", json={"tag": "v1"}))[0] == 409
    # Such names would hide pull requests.
    assert refusal(call("POST", f"{API}/tag/main", json={"tag": "refs/pr/1"}))[0] == 400
    assert refusal(call("POST", f"{API}/branch/refs%2Fpr%2F1", json={}))[0] == 400
    assert call("GET", f"{API}/revision/v1").json["sha"] == first
    assert call("DELETE", f"{API}/tag/v1").status_code == 200
    assert refusal(call("DELETE", f"{API}/tag/v1")) == (404, "RevisionNotFound")
    assert call("DELETE", f"{API}/branch/feature%2Fx").status_code == 200
    assert refusal(call("DELETE", f"{API}/branch/feature%2Fx")) == (404, "RevisionNotFound")


@pytest.mark.settings(request_body_limit_bytes=20_000)
def test_a_card_is_checked(call):
    for content, status, word in (
        ("---\nlicense: mit\ntags: [a, b]\n---\n# Title\n", 200, None),
        ("# Title without metadata\n", 200, "warnings"),
        ("---\n---\n", 200, "warnings"),
        ("---\nlicense: [mit\n---\n", 400, "errors"),
        ("---\n- a\n- b\n---\n", 400, "errors"),
        ("---\n" + "[" * 5000 + "\n---\n", 400, "errors"),
        ("---\na: !!python/object:os.system x\n---\n", 400, "errors"),
        *((f"---\n{line}\n---\n", 400, "errors") for line in ("when: 2026-13-45", "a: !!bool x", "<<: {a: b}")),
    ):
        # huggingface_hub sends no token with it.
        answer = call("POST", "/hf/api/validate-yaml", None, json={"content": content, "repoType": "model"})
        assert answer.status_code == status, content
        for name in ("errors", "warnings"):
            assert bool(answer.json[name]) == (name == word), content
            assert all(finding["message"] for finding in answer.json[name])
    assert refusal(call("POST", "/hf/api/validate-yaml", None, json={"content": "x" * 20_000}))[0] == 413
