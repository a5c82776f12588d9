"""The REST routes of repositories, as clients of the platform see them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from hub.accounts.models import User
from hub.api import schemas
from hub.assets.models import Like, RepositoryTag, Tag
from hub.base.context import Context
from hub.db.engine import DATABASE
from hub.db.uow import unit_of_work
from hub.git.pointer import format_pointer
from hub.http.routing import REPOSITORY
from hub.jobs.run import run_due
from hub.repos.models import Repository

# The services are tested on both databases; the routes do nothing that differs between them.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Call = Callable[..., TestResponse]


def b64(data: bytes) -> str:
    """As Python's ``encodebytes`` writes it, with line breaks, which is what the SDK sends."""
    return base64.encodebytes(data).decode()


@pytest.fixture
def users(make_user: Callable[..., User]) -> dict[str, User]:
    return {"ada": make_user("ada"), "bob": make_user("bob"), "root": make_user("root", admin=True)}


@pytest.fixture
def call(client: FlaskClient, users: dict[str, User], make_token: Callable[..., str]) -> Call:
    """``call("GET", "/models", as_="bob")``; as_ None: without a token."""
    tokens = {name: make_token(user, "admin") for name, user in users.items()}

    def run(method: str, path: str, as_: str | None = "ada", **request: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {tokens[as_]}"} if as_ else {}
        return client.open(f"/api/v1{path}", method=method, headers=headers | request.pop("headers", {}), **request)

    return run


@pytest.fixture
def thing(call: Call) -> str:
    """The address of a public model of ada's."""
    assert call("POST", "/models", json={"name": "thing", "license": "mit"}).status_code == 200
    return "/models/ada/thing"


@pytest.fixture
def secret(call: Call) -> str:
    """The address of a private model of ada's."""
    assert call("POST", "/models", json={"name": "secret", "private": True}).status_code == 200
    return "/models/ada/secret"


def data(response: TestResponse) -> Any:
    """What a good answer carries."""
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.json is not None
    assert response.json["msg"] == "OK"
    return response.json.get("data")


def refusal(response: TestResponse) -> tuple[int, str]:
    """Status and code of an error, which has the one shape that all have."""
    body = response.json
    assert body is not None
    assert set(body) <= {"code", "msg", "context", "trace_id"}
    assert body["msg"]
    assert body["trace_id"]
    return response.status_code, body["code"]


# Repositories as wholes.


@pytest.mark.parametrize(
    "collection, kind, git",
    [
        ("models", "model", "models"),
        ("datasets", "dataset", "datasets"),
        ("codes", "code", "codes"),
        ("spaces", "space", "spaces"),
        ("prompts", "prompt", "prompts"),
        ("skills", "skill", "skills"),
        ("mcps", "mcpserver", "mcpservers"),
        ("mcpservers", "mcpserver", "mcpservers"),
    ],
)
def test_every_kind_is_made_listed_and_shown(call: Call, collection: str, kind: str, git: str) -> None:
    made = data(call("POST", f"/{collection}", json={"namespace": "ada", "name": "thing", "license": "mit"}))
    assert (made["path"], made["type"], made["license"], made["private"]) == ("ada/thing", kind, "mit", False)
    assert made["repository"]["http_clone_url"].endswith(f"/{git}/ada/thing.git")
    assert (made["can_write"], made["can_manage"]) == (True, True)
    assert made["namespace"]["Path"] == made["namespace"]["path"] == "ada"
    shown = data(call("GET", f"/{collection}/ada/thing"))
    assert shown.get("detail", shown)["id"] == made["id"]
    listed = call("GET", f"/{collection}", as_=None)
    body = data(listed)
    items, total = (body["data"], body["total"]) if kind == "mcpserver" else (body, listed.json["total"])  # type: ignore[index]
    assert ([item["path"] for item in items], total) == (["ada/thing"], 1)
    assert items[0]["can_write"] is False
    names = {file["name"] for file in data(call("GET", f"/{collection}/ada/thing/tree"))}
    assert {"README.md", ".gitattributes"} <= names


def test_an_empty_list_is_a_list(call: Call) -> None:
    assert call("GET", "/models").json == {"msg": "OK", "data": []}
    assert call("GET", "/mcps").json == {"msg": "OK", "data": {"data": [], "total": 0}}


def test_lists_are_paged_searched_and_sorted(call: Call) -> None:
    for name in ("alpha", "beta", "gamma"):
        data(call("POST", "/models", json={"name": name, "description": f"about {name}"}))
    page = call("GET", "/models?per=2&page=2&sort=most_download")
    assert [item["name"] for item in data(page)] == ["alpha"]
    assert page.json is not None
    assert page.json["total"] == 3
    assert [item["name"] for item in data(call("GET", "/models?search=BOUT%20bet"))] == ["beta"]
    for query, member in (("per=101", "per"), ("page=0", "page"), ("per=x", "per"), ("sort=oldest", "sort")):
        refused = call("GET", f"/models?{query}")
        assert refusal(refused) == (400, "REQ-ERR-6")
        assert member in json.dumps(refused.json)


def test_what_an_owner_has_is_listed_with_a_message(call: Call, secret: str, thing: str) -> None:
    mine = call("GET", "/user/ada/models?search=secr")
    assert mine.json is not None
    assert (mine.json["msg"], mine.json["message"], mine.json["total"]) == ("OK", "OK", 1)
    assert [item["path"] for item in data(mine)] == ["ada/secret"]
    assert [item["path"] for item in data(call("GET", "/user/ADA/models", "bob"))] == ["ada/thing"]
    assert data(call("GET", "/organization/bob/mcps")) == []
    assert refusal(call("GET", "/user/nobody/models")) == (404, "REPO-ERR-2")


def test_what_is_wrong_with_a_new_repository_is_said_in_the_platforms_codes(call: Call, thing: str) -> None:
    assert refusal(call("POST", "/models", json={"name": "THING"})) == (400, "REPO-ERR-0")
    assert refusal(call("POST", "/models", json={"name": "a..b"})) == (400, "REPO-ERR-1")
    assert refusal(call("POST", "/models", json={"name": "x1", "namespace": "none"})) == (404, "REPO-ERR-2")
    assert refusal(call("POST", "/models", json={"name": "x1", "namespace": "bob"})) == (403, "AUTH-ERR-2")
    assert refusal(call("POST", "/models", None, json={"name": "x1"})) == (401, "AUTH-ERR-0")
    assert refusal(call("POST", "/models", json={})) == (400, "REQ-ERR-6")
    assert refusal(call("POST", "/models", data="{", content_type="application/json")) == (400, "REQ-ERR-1")
    assert refusal(call("POST", "/spaces", json={"name": "x1", "sdk": "cobol"})) == (400, "REQ-ERR-6")
    assert refusal(call("GET", "/models", headers={"Authorization": "Bearer wrong"})) == (401, "AUTH-ERR-5")


def test_a_repository_is_changed_renamed_and_found_at_its_old_path(call: Call, thing: str) -> None:
    changed = data(call("PUT", thing, json={"description": "new", "private": True, "name": "better", "unknown": 1}))
    assert (changed["path"], changed["description"], changed["private"]) == ("ada/better", "new", True)
    assert data(call("GET", thing))["path"] == "ada/better"
    assert refusal(call("GET", thing, "bob")) == (404, "REPO-ERR-3")
    assert refusal(call("PUT", "/models/ada/better", json={"default_branch": "none"})) == (404, "GIT-ERR-11")
    # What is refused in part is refused whole, whichever part it is.
    call("POST", "/models", json={"name": "taken"})
    data(call("POST", "/models/ada/better/branches", json={"name": "dev"}))
    for body in ({"default_branch": "dev", "name": "taken"}, {"default_branch": "none", "name": "new"}):
        assert refusal(call("PUT", "/models/ada/better", json=body | {"nickname": "Half"}))[0] in (400, 404)
        left = data(call("GET", "/models/ada/better"))
        assert (left["default_branch"], left["name"], left["nickname"]) == ("main", "better", "thing")


def test_a_repository_is_forked_transferred_archived_deleted_and_brought_back(call: Call, thing: str) -> None:
    assert data(call("POST", f"{thing}/fork", "bob", json={"name": "mine"}))["path"] == "bob/mine"
    assert refusal(call("POST", f"{thing}/transfer", "bob", json={"new_namespace": "bob"})) == (403, "AUTH-ERR-14")
    assert refusal(call("POST", f"{thing}/transfer", json={"new_namespace": "bob"})) == (403, "AUTH-ERR-15")
    moved = data(call("POST", f"{thing}/transfer", "root", json={"new_namespace": "bob"}))
    assert moved["path"] == "bob/thing"
    assert data(call("POST", "/models/bob/thing/archive", "bob"))["archived"] is True
    write = {"content": b64(b"1"), "message": "m"}
    assert refusal(call("POST", "/models/bob/thing/raw/a.txt", "bob", json=write)) == (403, "archived")
    assert data(call("DELETE", "/models/bob/thing/archive", "bob"))["archived"] is False
    data(call("DELETE", "/models/bob/thing", "bob"))
    assert refusal(call("GET", "/models/bob/thing", "bob")) == (404, "REPO-ERR-3")
    assert refusal(call("POST", "/models/bob/thing/undelete", "ada")) == (404, "REPO-ERR-3")
    assert data(call("POST", "/models/bob/thing/undelete", "bob"))["path"] == "bob/thing"


def test_collaborators_see_and_write_what_they_were_given(call: Call, secret: str) -> None:
    assert refusal(call("GET", secret, "bob")) == (404, "REPO-ERR-3")
    given = data(call("PUT", f"{secret}/collaborators/bob", json={"role": "read"}))
    assert (given["username"], given["role"]) == ("bob", "read")
    assert data(call("GET", secret, "bob"))["can_write"] is False
    assert [item["path"] for item in data(call("GET", "/models", "bob"))] == ["ada/secret"]
    assert refusal(call("PUT", f"{secret}/collaborators/bob", "bob", json={"role": "admin"})) == (403, "AUTH-ERR-2")
    data(call("PUT", f"{secret}/collaborators/bob", json={"role": "write"}))
    assert data(call("GET", secret, "bob"))["can_write"] is True
    assert [item["role"] for item in data(call("GET", f"{secret}/collaborators"))] == ["write"]
    data(call("DELETE", f"{secret}/collaborators/bob"))
    assert refusal(call("GET", secret, "bob")) == (404, "REPO-ERR-3")


def test_pushes_and_jobs_are_on_record(call: Call, thing: str, context: Context) -> None:
    data(call("POST", f"{thing}/branches", json={"name": "dev"}))
    pushes = data(call("GET", f"{thing}/pushes", None))
    assert [push["changes"][0]["ref"] for push in pushes] == ["refs/heads/dev", "refs/heads/main"]
    assert pushes[0]["username"] == "ada"
    run_due(context)
    jobs = data(call("GET", f"{thing}/jobs"))
    assert {(job["name"], job["state"]) for job in jobs} == {
        ("repos.after_push", "succeeded"),
        ("assets.index", "succeeded"),
    }
    assert refusal(call("GET", f"{thing}/jobs", "bob")) == (403, "AUTH-ERR-2")
    assert refusal(call("GET", "/admin/jobs")) == (403, "AUTH-ERR-2")
    everything = data(call("GET", "/admin/jobs?state=succeeded", "root"))
    assert jobs[0]["id"] in {job["id"] for job in everything}
    assert "log" in data(call("GET", f"/admin/jobs/{jobs[0]['id']}", "root"))
    assert refusal(call("POST", f"/admin/jobs/{jobs[0]['id']}/cancel", "root")) == (409, "job_finished")
    assert refusal(call("GET", "/admin/jobs?state=odd", "root")) == (400, "REQ-ERR-6")


# Privacy.


# What some routes must be asked with; and how some answer the owner of a model that holds nothing but a README.
_TABLE = "config=default&split=train"
_QUERIES = {
    "/diff": "left_commit_id=main",
    "/dataviewer/rows": _TABLE,
    "/dataviewer/statistics": _TABLE,
    "/dataviewer/export": f"{_TABLE}&format=csv",
    "/dataviewer/compare": f"{_TABLE}&base=main",
    "/dataviewer/cell": f"{_TABLE}&row=0&column=0",
    "/dataviewer/media": f"{_TABLE}&row=0&column=0",
}
_OF_A_README = {
    "/export/bundle": 404,  # none was made
    "/refs/main/tree/README.md": 400,  # a file, no directory
    "/refs/main/logs_tree/README.md": 400,
    "/viewer/README.md": 422,  # no table
    "/header/README.md": 422,  # no weights
    "/pulls/1/threads/1": 404,
}

# Reads that are not for everybody.
_CLOSED = (
    *("/collaborators", "/jobs", "/webhooks", "/protected_branches", "/deleted_branches", "/access_request"),
    *("/lineage/relations", "/storage", "/check", "/export", "/deploy_tokens"),
)


def read_routes(client: FlaskClient) -> Iterator[str]:
    """Every GET route below a repository."""
    for rule in client.application.url_map.iter_rules():
        if rule.rule.startswith(f"/api/v1{REPOSITORY}") and "GET" in (rule.methods or ()):
            path = rule.rule.removeprefix(f"/api/v1{REPOSITORY}")
            path = path.replace('<any("tar.gz", "zip"):format>', "zip").replace("<commit_id>", "main")
            path = re.sub(r"<path:(ref|branch|pattern|tag|base|head)>", "main", path)
            path = re.sub(r"<path:(path|file)>", "README.md", path)
            path = re.sub(r"<int\([^)]*\):\w+>", "1", path)
            assert "<" not in path, f"{path}: the sweep below must know how to fill it"
            yield f"{path}?{_QUERIES[path]}" if path in _QUERIES else path


def test_no_read_tells_a_stranger_of_a_private_repository(call: Call, client: FlaskClient, secret: str) -> None:
    routes = list(read_routes(client))
    assert len(routes) > 20
    for route in routes:
        for who in ("bob", None):
            private, absent = call("GET", secret + route, who), call("GET", "/models/ada/absent" + route, who)
            assert refusal(private) == refusal(absent) == (404, "REPO-ERR-3"), route
            assert private.json["msg"] == absent.json["msg"]  # type: ignore[index]


def test_every_read_answers_its_owner_and_public_ones_everybody(
    call: Call, client: FlaskClient, secret: str, thing: str
) -> None:
    for repository in (secret, thing):
        data(call("POST", f"{repository}/pulls", json={"title": "first"}))
    for route in read_routes(client):
        mine = call("GET", secret + route)
        expected = 404 if route.startswith("/dataviewer/") else _OF_A_README.get(route, 200)
        assert mine.status_code == expected, route
        mine.close()
        if not route.startswith(_CLOSED):
            public = call("GET", thing + route, None)
            assert public.status_code == mine.status_code, route
            public.close()


@pytest.mark.parametrize(
    "method, route, body",
    [
        ("PUT", "", {"description": "x"}),
        ("DELETE", "", None),
        ("POST", "/transfer", {"new_namespace": "bob"}),
        ("POST", "/archive", None),
        ("POST", "/branches", {"name": "x"}),
        ("DELETE", "/branches/main", None),
        ("POST", "/git_tags", {"name": "x"}),
        ("PUT", "/protected_branches/main", {}),
        ("PUT", "/collaborators/bob", {"role": "admin"}),
        ("POST", "/raw/x", {"content": ""}),
        ("PUT", "/raw/x", {"content": ""}),
        ("DELETE", "/raw/README.md", {}),
        ("POST", "/commit/main", {"message": "m", "files": [{"path": "x"}]}),
        ("POST", "/preupload/main", {"files": [{"path": "x"}]}),
    ],
)
def test_writes_ask_who_it_is(
    call: Call, thing: str, secret: str, method: str, route: str, body: dict[str, Any] | None
) -> None:
    assert refusal(call(method, thing + route, None, json=body))[0] == 401
    assert refusal(call(method, thing + route, "bob", json=body))[0] == 403
    assert refusal(call(method, secret + route, None, json=body)) == (404, "REPO-ERR-3")
    assert refusal(call(method, secret + route, "bob", json=body)) == (404, "REPO-ERR-3")


# Files.


def test_one_file_is_written_read_replaced_moved_and_removed(call: Call, thing: str) -> None:
    text = "line\n" * 50
    created = data(call("POST", f"{thing}/raw/docs/a.txt", json={"message": "m", "content": b64(text.encode())}))
    assert data(call("GET", f"{thing}/raw/docs/a.txt")) == text
    blob = data(call("GET", f"{thing}/blob/docs/a.txt?ref={created['commit_id']}"))
    assert (base64.b64decode(blob["content"]).decode(), blob["preview_code"], blob["size"]) == (text, 0, 250)
    update = {"message": "m", "branch": "main", "content": b64(b"new"), "sha": blob["sha"]}
    data(call("PUT", f"{thing}/raw/docs/a.txt", json=update))
    assert refusal(call("PUT", f"{thing}/raw/docs/a.txt", json=update)) == (409, "GIT-ERR-22")
    data(call("PUT", f"{thing}/raw/b.txt", json={"content": b64(b"moved"), "origin_path": "docs/a.txt"}))
    assert refusal(call("GET", f"{thing}/raw/docs/a.txt")) == (404, "GIT-ERR-15")
    data(call("DELETE", f"{thing}/raw/b.txt", json={"message": "m", "branch": "main"}))
    assert refusal(call("GET", f"{thing}/raw/b.txt")) == (404, "GIT-ERR-15")
    assert refusal(call("GET", f"{thing}/raw/README.md?ref=nowhere")) == (404, "GIT-ERR-6")
    assert refusal(call("POST", f"{thing}/raw/../x", json={"content": ""}))[0] in (400, 404)
    assert refusal(call("POST", f"{thing}/raw/x", json={"content": "%%%"})) == (400, "REQ-ERR-1")


def test_the_sdk_makes_a_branch_by_writing_a_file(call: Call, thing: str) -> None:
    body = {"message": "m", "new_branch": "fresh", "content": b64(b"*.bin filter=lfs\n")}
    assert call("POST", f"{thing}/raw/.gitattributes", json=body).json["msg"] == "OK"  # type: ignore[index]
    assert [file["name"] for file in data(call("GET", f"{thing}/refs/fresh/tree/"))["Files"]] == [".gitattributes"]
    assert {branch["name"] for branch in data(call("GET", f"{thing}/branches"))} == {"main", "fresh"}


def test_many_changes_are_one_commit(call: Call, thing: str) -> None:
    weights = b"weights" * 100
    data(call("POST", f"{thing}/raw/model.bin", json={"content": b64(weights)}))
    pointer = format_pointer(hashlib.sha256(weights).hexdigest(), len(weights))
    files = [
        {"path": "a.txt", "action": "create", "content": b64(b"a").rstrip().rstrip("=")},
        {"path": "copy.bin", "action": "update", "content": b64(pointer)},
        {"path": "README.md", "action": "delete"},
    ]
    done = data(call("POST", f"{thing}/commit/main", json={"message": "Three", "files": files}))
    shown = data(call("GET", f"{thing}/commit/{done['commit_id']}"))
    assert shown["message"].strip() == "Three"
    assert sorted(shown["files"]) == ["README.md", "a.txt", "copy.bin"]
    assert b"deleted file mode 100644" in base64.b64decode(shown["diff"])
    assert call("GET", f"{thing}/resolve/copy.bin").data == weights
    missing = [{"path": "x.bin", "content": b64(format_pointer("0" * 64, 1))}]
    assert refusal(call("POST", f"{thing}/commit/main", json={"message": "m", "files": missing})) == (422, "SYS-ERR-5")
    assert refusal(call("POST", f"{thing}/commit/main", json={"message": "m", "files": []})) == (400, "REQ-ERR-2")
    stale = {"message": "m", "parent": "0" * 40, "files": [{"path": "x", "content": ""}]}
    assert refusal(call("POST", f"{thing}/commit/main", json=stale))[0] == 412


def test_a_form_of_files_is_one_commit_and_large_ones_go_to_lfs(call: Call, thing: str, context: Context) -> None:
    large = b"0123456789abcdef" * 700_000
    form = {
        "file": [FileStorage(io.BytesIO(b"small"), "a.txt"), FileStorage(io.BytesIO(large), "big.data")],
        "file_path": ["./up/a.txt", "/up/big.data"],
        "branch": "main",
        "message": "Both",
    }
    # Encoded here: the test's client would keep a form of this size in a file of its own, and leave it open.
    boundary, body = encode_multipart(form)
    data(call("POST", f"{thing}/upload_file", data=body, content_type=f"multipart/form-data; boundary={boundary}"))
    entry = data(call("GET", f"{thing}/tree?path=up"))[1]
    assert (entry["lfs"], entry["size"], entry["lfs_sha256"]) == (True, len(large), hashlib.sha256(large).hexdigest())
    assert call("GET", f"{thing}/resolve/up/a.txt").data == b"small"
    part = call("GET", f"{thing}/resolve/up/big.data", headers={"Range": "bytes=16-31"})
    assert (part.status_code, part.data) == (206, large[16:32])
    assert "/up/big.data filter=lfs" in data(call("GET", f"{thing}/raw/.gitattributes"))
    assert list((context.settings.home / "incoming").iterdir()) == []
    refused = {"file": (io.BytesIO(b"x"), "x"), "file_path": "../x"}
    assert refusal(call("POST", f"{thing}/upload_file", data=refused)) == (400, "REQ-ERR-6")
    assert refusal(call("POST", f"{thing}/upload_file", data={"branch": "main"}))[0] in (400, 415)
    assert refusal(call("POST", f"{thing}/upload_file", json={})) == (415, "REQ-ERR-9")
    stranger = {"file": (io.BytesIO(b"x"), "x"), "file_path": "x"}
    assert refusal(call("POST", f"{thing}/upload_file", "bob", data=stranger)) == (403, "AUTH-ERR-2")
    assert list((context.settings.home / "incoming").iterdir()) == []


def test_an_upload_is_planned_as_the_sdk_expects(call: Call, thing: str) -> None:
    plan = data(call("POST", f"{thing}/preupload/main", json={"files": [{"path": "x.bin", "size": 3}]}))
    assert plan == {"files": [{"path": "x.bin", "uploadMode": "lfs", "shouldIgnore": False, "isDir": False, "oid": ""}]}
    too_many = {"files": [{"path": f"{number}", "size": 1} for number in range(257)]}
    assert refusal(call("POST", f"{thing}/preupload/main", json=too_many)) == (400, "REQ-ERR-6")


@pytest.mark.settings(request_body_limit_bytes=10_000)
def test_a_body_over_the_limit_is_refused_unless_it_is_a_file(call: Call, thing: str) -> None:
    body = {"content": b64(b"x" * 10_000)}
    refused = call("POST", f"{thing}/raw/x.txt", json=body)
    assert refusal(refused) == (413, "REQ-ERR-3")
    form = {"file": (io.BytesIO(b"x" * 20_000), "x"), "file_path": "x.txt"}
    data(call("POST", f"{thing}/upload_file", data=form))


def test_bytes_are_sent_by_range_and_by_condition(call: Call, thing: str) -> None:
    whole = call("GET", f"{thing}/resolve/README.md")
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert len(whole.headers["X-Repo-Commit"]) == 40
    assert whole.headers["Content-Length"] == str(len(whole.data))
    head = call("HEAD", f"{thing}/resolve/README.md")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", whole.headers["ETag"])
    tail = call("GET", f"{thing}/resolve/README.md", headers={"Range": "bytes=-3"})
    assert (tail.status_code, tail.data) == (206, whole.data[-3:])
    beyond = call("GET", f"{thing}/resolve/README.md", headers={"Range": "bytes=9999-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.data)}")
    same = call("GET", f"{thing}/resolve/README.md", headers={"If-None-Match": whole.headers["ETag"]})
    assert same.status_code == 304
    old = call("GET", f"{thing}/download/README.md")
    assert old.data == whole.data


# Trees and history.


def test_trees_are_paged_with_capitalised_members(call: Call, thing: str) -> None:
    first = data(call("GET", f"{thing}/refs/main/tree/?limit=1", None))
    assert [file["name"] for file in first["Files"]] == [".gitattributes"]
    second = data(call("GET", f"{thing}/refs/main/tree?limit=1&cursor={first['Cursor']}"))
    assert ([file["name"] for file in second["Files"]], second["Cursor"]) == (["README.md"], "")
    assert refusal(call("GET", f"{thing}/refs/main/tree/?limit=501")) == (400, "REQ-ERR-6")
    assert refusal(call("GET", f"{thing}/refs/main/tree/?cursor=!!")) == (400, "REQ-ERR-6")
    assert refusal(call("GET", f"{thing}/refs/main/tree/none")) == (404, "GIT-ERR-15")
    data(call("POST", f"{thing}/branches", json={"name": "a/tree/b"}))
    data(call("POST", f"{thing}/branches", json={"name": "feature/x"}))
    assert len(data(call("GET", f"{thing}/refs/feature/x/tree/"))["Files"]) == 2


def test_a_page_of_a_tree_has_just_the_members_of_its_schema(call: Call, thing: str) -> None:
    data(call("POST", f"{thing}/raw/model.bin", json={"content": b64(b"weights")}))
    data(call("GET", f"{thing}/refs/main/logs_tree/"))
    page = data(call("GET", f"{thing}/refs/main/tree/"))
    assert all(file["commit"]["id"] == file["last_commit_sha"] for file in page["Files"])
    assert schemas.TreePageSchema().dump(page) == page
    assert schemas.FileSchema(many=True).dump(data(call("GET", f"{thing}/tree"))) == page["Files"]


def test_a_tree_does_not_wait_for_its_last_commits(call: Call, thing: str) -> None:
    assert not any(file["last_commit_sha"] for file in data(call("GET", f"{thing}/refs/main/tree/"))["Files"])
    log = data(call("GET", f"{thing}/refs/main/logs_tree/?limit=1&offset=1"))
    assert [(entry["name"], entry["message"].strip()) for entry in log["Commits"]] == [("README.md", "initial commit")]
    assert all(file["last_commit_sha"] for file in data(call("GET", f"{thing}/refs/main/tree/"))["Files"])
    data(call("POST", f"{thing}/raw/new.txt", json={"content": b64(b"1")}))
    assert not any(file["last_commit_sha"] for file in data(call("GET", f"{thing}/refs/main/tree/"))["Files"])


def test_everything_is_listed_behind_a_cursor(call: Call, thing: str) -> None:
    files = [{"path": f"many/{number:03}", "content": b64(b"1")} for number in range(120)]
    data(call("POST", f"{thing}/commit/main", json={"message": "m", "files": files}))
    first = call("GET", f"{thing}/all_files")
    assert first.json is not None
    assert len(data(first)) == 100
    second = call("GET", f"{thing}/all_files?cursor={first.json['cursor']}")
    assert second.json is not None
    assert (len(data(second)), second.json["cursor"]) == (23, "")
    names = {file["path"] for file in [*first.json["data"], *second.json["data"]]}
    assert len(names) == 123


def test_history_is_told_commit_by_commit(call: Call, thing: str) -> None:
    for number in range(3):
        data(call("POST", f"{thing}/raw/a.txt", json={"message": f"No {number}", "content": b64(b"%d\n" % number)}))
    commits = data(call("GET", f"{thing}/commits?per=2&ref=main"))
    assert [commit["message"].strip() for commit in commits["commits"]] == ["No 2", "No 1"]
    assert (commits["total"], commits["page_count"]) == (4, 2)
    assert data(call("GET", f"{thing}/last_commit"))["id"] == commits["commits"][0]["id"]
    newest, oldest = (commits["commits"][at]["id"] for at in (0, 1))
    compared = data(call("GET", f"{thing}/compare?base={oldest}&head={newest}"))
    assert (compared["ahead"], compared["behind"], compared["changes"][0]["path"]) == (1, 0, "a.txt")
    assert data(call("GET", f"{thing}/diff?left_commit_id={oldest}"))[0]["modified"] == ["a.txt"]
    assert refusal(call("GET", f"{thing}/diff")) == (400, "REQ-ERR-6")
    assert data(call("GET", f"{thing}/blame/a.txt"))[0]["commit"]["id"] == newest
    size = data(call("GET", f"{thing}/size/main"))
    assert size["total_size"] > 0
    assert size["last_commit_size"] > 2
    archive = call("GET", f"{thing}/archive/main.tar.gz")
    assert archive.data[:2] == b"\x1f\x8b"
    assert 'filename="thing-main.tar.gz"' in archive.headers["Content-Disposition"]
    assert call("GET", f"{thing}/download_archive/refs/main").data[:2] == b"PK"


def test_branches_tags_and_rules_come_and_go(call: Call, thing: str) -> None:
    assert data(call("POST", f"{thing}/branches", json={"name": "dev/one"}))["name"] == "dev/one"
    assert refusal(call("POST", f"{thing}/branches", json={"name": "dev/one"})) == (409, "GIT-ERR-13")
    assert refusal(call("POST", f"{thing}/branches", json={"name": "a b"})) == (400, "REQ-ERR-6")
    data(call("DELETE", f"{thing}/branches/dev/one"))
    assert refusal(call("DELETE", f"{thing}/branches/dev/one")) == (404, "GIT-ERR-11")
    assert refusal(call("DELETE", f"{thing}/branches/main"))[0] == 403
    data(call("POST", f"{thing}/git_tags", json={"name": "v1", "revision": "main"}))
    assert [tag["name"] for tag in data(call("GET", f"{thing}/git_tags"))] == ["v1"]
    data(call("DELETE", f"{thing}/git_tags/v1"))
    data(call("PUT", f"{thing}/protected_branches/release/*", json={"push_role": "admin"}))
    assert [rule["pattern"] for rule in data(call("GET", f"{thing}/protected_branches"))] == ["release/*"]
    assert refusal(call("PUT", f"{thing}/protected_branches/x", json={"push_role": "king"})) == (400, "REQ-ERR-6")
    data(call("DELETE", f"{thing}/protected_branches/release/*"))
    assert data(call("GET", f"{thing}/protected_branches")) == []


# The whole of it.


def test_what_is_no_route_is_missing_in_the_platforms_shape(call: Call) -> None:
    assert refusal(call("GET", "/models/ada/thing/no/such/route"))[0] == 404
    assert refusal(call("GET", "/elephants"))[0] == 404
    assert refusal(call("PATCH", "/models"))[0] == 405


def test_a_list_takes_the_same_queries_however_long_it_is(
    call: Call, context: Context, make_repository: Callable[..., Repository], users: dict[str, User]
) -> None:
    statements: list[str] = []
    event.listen(context[DATABASE].engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def count() -> int:
        statements.clear()
        data(call("GET", "/models"))
        return len(statements)

    make_repository(users["bob"], "one")
    count()  # the token's last use is written down once
    alone = count()
    made = [make_repository(users["bob"], name) for name in ("two", "three", "four")]
    with unit_of_work(context) as work:
        moment = work.now()
        label = Tag(scope="model", category="task", name="house-label", created_at=moment, updated_at=moment)
        work.session.add(label)
        work.session.flush()
        for repository in made:
            work.session.add(RepositoryTag(repository_id=repository.id, tag_id=label.id))
        work.session.add(Like(user_id=users["ada"].id, repository_id=made[0].id, created_at=moment))
        work.session.get_one(Repository, made[0].id).like_count = 1
    count()  # the label is learnt once
    assert count() == alone
    seen = {item["name"]: item for item in data(call("GET", "/models"))}
    assert [label["name"] for label in seen["two"]["tags"]] == ["house-label"]
    assert (seen["two"]["user_likes"], seen["two"]["likes"]) == (True, 1)
    assert (seen["one"]["user_likes"], seen["one"]["likes"], seen["one"]["tags"]) == (False, 0, [])
