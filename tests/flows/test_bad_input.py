"""What no honest client sends: a clear message in the client's own dialect, a 4xx, and nothing stored."""

from __future__ import annotations

import pytest

from tests.support.checkout import Checkout
from tests.support.git import GitError, GitUser


@pytest.fixture(scope="module")
def checkout(account, tmp_path_factory):
    """One repository for all that is refused: nothing here changes it."""
    user = GitUser(tmp_path_factory.mktemp("person"))
    path = account.create_repository("steady")
    user.clone(account.address(path), user.home / "work")
    return Checkout(account.hub, account, user, path, user.home / "work")


BAD_NAMES = {
    "dots": "..",
    "slash": "a/b",
    "nul": "a\0b",
    "suffix": "thing.git",
    "lock": "thing.lock",
    "digit": "1thing",
    "end": "thing-",
    "doubled": "th--ing",
    "long": "a" * 300,
    "short": "a",
    "space": "a thing",
    "other alphabet": "мodel",
    "newline": "thing\n",
}
BAD_PATHS = {
    "parent": "../../outside.txt",
    "inner parent": "a/../../b.txt",
    "git": ".git/config",
    "GIT": "a/.GIT/hooks/pre-receive",
    "short name": "git~1/config",
    "nul": "a\0.txt",
    "control": "a\x1b.txt",
    "backslash": "a\\b.txt",
    "long part": "a" * 300,
    "long": "/".join(["abcdefghij"] * 120),
    "empty part": "a//b.txt",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_repository_cannot_have_this_name(account, name):
    answer = account.api.post("/api/v1/models", {"name": name})
    assert answer.status in (400, 422), answer.body
    assert answer.json["msg"]
    listed = account.api.get(f"/api/v1/models?namespace={account.name}&per=100").json["data"]
    assert name.lower() not in {repository["name"].lower() for repository in listed}


@pytest.mark.parametrize("name", ["api", "models", "admin", "-", "static"])
def test_an_organisation_cannot_have_a_name_that_addresses_use(account, name):
    answer = account.api.post("/api/v1/organizations", {"name": name, "nickname": name})
    assert answer.status in (400, 422), answer.body


def test_names_that_differ_only_in_case_are_one(account, git_user, tmp_path):
    path = account.create_repository("Thing")
    again = account.api.post("/api/v1/models", {"name": "thing"})
    assert (again.status, again.json["code"]) == (400, "REPO-ERR-0")
    assert git_user.clone(account.address(path.lower()), tmp_path / "clone").ok


@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS)
def test_a_file_cannot_be_committed_to_this_path(checkout, path):
    before = checkout.remote_refs()
    answer = checkout.account.api.post(
        f"/api/v1/{checkout.path}/commit/main",
        {"message": "Trap", "files": [{"path": path, "action": "create", "content": "eA=="}]},
    )
    assert answer.status in (400, 422), answer.body
    assert checkout.remote_refs() == before


@pytest.mark.parametrize(
    "files",
    [
        [{"path": "a", "content": "eA=="}, {"path": "a/b", "content": "eA=="}],
        [{"path": "A.txt", "content": "eA=="}, {"path": "a.txt", "content": "eA=="}],
        [{"path": "README.md/x", "content": "eA=="}],
        [{"path": "a.txt", "content": "!!!"}],
        [{"path": "nothing.txt", "action": "delete"}],
        [{"path": "a.txt", "action": "explode", "content": "eA=="}],
        [],
    ],
    ids=["file and folder", "case", "below a file", "no base64", "delete nothing", "unknown action", "nothing"],
)
def test_these_files_cannot_be_one_commit(checkout, files):
    before = checkout.remote_refs()
    body = {"message": "Trap", "files": [{"action": "create", **file} for file in files]}
    answer = checkout.account.api.post(f"/api/v1/{checkout.path}/commit/main", body)
    assert 400 <= answer.status < 500, answer.body
    assert checkout.remote_refs() == before


@pytest.mark.parametrize(
    "path", ["../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "a%5cb", ".git/config"], ids=str
)
@pytest.mark.parametrize("route", ["raw", "blob", "resolve"])
def test_nothing_outside_of_the_repository_can_be_read(checkout, route, path):
    answer = checkout.account.api.get(f"/api/v1/{checkout.path}/{route}/{path}?ref=main")
    assert answer.status in (400, 404), answer.body
    assert b"root:" not in answer.body


@pytest.mark.parametrize("ref", ["..", "main..other", "--output=/tmp/x", "HEAD@{1}", "a" * 300, "main%00", "^main"])
def test_a_revision_that_is_none_is_not_found(checkout, ref):
    answer = checkout.account.api.get(f"/api/v1/{checkout.path}/tree?ref={ref}")
    assert answer.status in (400, 404), answer.body


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"name": 1}', b'{"name": null}']
)
def test_json_that_makes_no_sense_is_refused(account, body):
    answer = account.api.post("/api/v1/models", body=body, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 422), answer.body
    assert answer.json["msg"]


def test_a_body_past_the_limit_is_refused(account):
    body = b'{"name": "' + b"x" * (33 * 2**20) + b'"}'
    answer = account.api.post("/api/v1/models", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == 413


@pytest.mark.parametrize("query", ["per=0", "per=101", "per=x", "page=0", "page=-1", "per=1e3"])
def test_a_page_that_there_is_not_is_refused_by_name(account, query):
    answer = account.api.get(f"/api/v1/models?{query}")
    assert (answer.status, answer.json["code"]) == (400, "REQ-ERR-6")
    assert query.partition("=")[0] in str(answer.json["context"])


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x y", "Basic !!!", "Basic " + "QQ" * 2000, "Digest x", "Bearer \xff"],
    ids=["none", "empty", "two", "no base64", "long", "digest", "latin"],
)
def test_a_credential_that_is_none_is_refused(hub_server, header):
    answer = hub_server.api.get("/api/v1/models", headers={"Authorization": header})
    assert (answer.status, answer.json["code"]) == (401, "AUTH-ERR-5")


def test_a_stranger_may_not_change_anothers_things(checkout, hub_server):
    stranger = hub_server.new_account()
    file = {"path": "a.txt", "action": "create", "content": "eA=="}
    for method, path, body in (
        ("PUT", f"/api/v1/{checkout.path}", {"description": "mine"}),
        ("DELETE", f"/api/v1/{checkout.path}", None),
        ("POST", f"/api/v1/{checkout.path}/commit/main", {"message": "x", "files": [file]}),
        ("POST", f"/api/v1/{checkout.path}/transfer", {"new_namespace": stranger.name}),
        ("POST", f"/api/v1/user/{checkout.account.name}/ssh_keys", {"name": "x", "content": "ssh-ed25519 AAAA"}),
        ("GET", f"/api/v1/user/{checkout.account.name}/tokens", None),
    ):
        assert stranger.api.request(method, path, json_body=body).status == 403, (method, path)
        assert hub_server.api.request(method, path, json_body=body).status == 401, (method, path)
    assert checkout.account.api.get(f"/api/v1/{checkout.path}").status == 200


def test_the_hooks_endpoint_is_closed_to_everybody_else(checkout, hub_server):
    for name in ("pre-receive", "post-receive"):
        for headers in ({}, {"X-Hub-Push-Ticket": "x"}, {"X-Hub-Push-Ticket": "a.b.c"}):
            answer = checkout.account.api.post(f"/-/internal/{name}", {"changes": []}, headers=headers)
            assert answer.status in (401, 403, 404), answer.body


def test_git_shows_the_reason_as_remote_lines(checkout):
    checkout.user.commit(checkout.work_tree, {"a.txt": "1\n"})
    with pytest.raises(GitError, match="remote: ") as refused:
        checkout.user.push(checkout.work_tree, "main:refs/hub/mine")
    assert "Traceback" not in str(refused.value)
    assert str(checkout.hub.home) not in str(refused.value)
