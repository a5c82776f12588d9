"""Gated repositories: every way to content is shut for strangers, and open for who was accepted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from hub.accounts.models import User
from hub.base.context import Context
from hub.repos.models import Repository
from tests.hub.compat.conftest import LFS_NAME, WEIGHTS, Call, refusal

OID = hashlib.sha256(WEIGHTS).hexdigest()
BASE = "/hf/api/models/ada/thing"
ASK = f"{BASE}/user-access-request"
BATCH = {"operation": "download", "objects": [{"oid": OID, "size": len(WEIGHTS)}]}
LFS_JSON = {"Content-Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json"}

# (method, path, what the request needs besides): every route that gives content away.
CONTENT = [
    ("GET", "/hf/ada/thing/resolve/main/config.json", {}),
    ("HEAD", "/hf/ada/thing/resolve/main/config.json", {}),
    ("GET", f"/csg/ada/thing/resolve/main/{LFS_NAME}", {}),
    ("GET", f"{BASE}/resolve/main/config.json", {}),
    ("GET", "/api/v1/models/ada/thing/raw/config.json", {}),
    ("GET", "/api/v1/models/ada/thing/blob/config.json", {}),
    ("GET", "/api/v1/models/ada/thing/resolve/config.json", {}),
    ("GET", "/api/v1/models/ada/thing/download/config.json", {}),
    ("GET", f"/api/v1/models/ada/thing/download/{OID[:2]}/{OID[2:]}?lfs=true", {}),
    ("GET", "/api/v1/models/ada/thing/blame/config.json", {}),
    ("GET", "/api/v1/models/ada/thing/commit/main", {}),
    ("GET", "/api/v1/models/ada/thing/compare?base=main&head=main", {}),
    ("GET", "/api/v1/models/ada/thing/archive/main.zip", {}),
    ("GET", "/api/v1/models/ada/thing/download_archive/refs/main", {}),
    ("GET", "/models/ada/thing.git/info/refs?service=git-upload-pack", {"headers": {"Git-Protocol": "version=2"}}),
    (
        "POST",
        "/models/ada/thing.git/git-upload-pack",
        {"headers": {"Content-Type": "application/x-git-upload-pack-request"}, "data": b"0000"},
    ),
    ("POST", "/models/ada/thing.git/info/lfs/objects/batch", {"headers": LFS_JSON, "json": BATCH}),
    ("GET", f"/models/ada/thing.git/info/lfs/objects/{OID}", {}),
    ("GET", f"/models/ada/thing.git/info/lfs/{OID}", {}),
    ("POST", "/api/v1/models/ada/thing/fork", {"json": {"name": "copy-of-it"}}),
    ("POST", f"{BASE}/duplicate", {"json": {"repository": "bob/copied"}}),
]
# What stays visible to whoever may see the repository.
ABOUT = [
    BASE,
    f"{BASE}/tree/main",
    f"{BASE}/refs",
    f"{BASE}/commits/main",
    "/api/v1/models/ada/thing",
    "/hf/api/models",
]


@pytest.fixture
def gated(call: Call, thing: Repository) -> Repository:
    answer = call("PUT", f"{BASE}/settings", json={"gated": "manual"})
    assert answer.json == {"private": False, "visibility": "public", "gated": "manual"}
    return thing


def _but(statuses: dict[str, int], wanted: int) -> dict[str, int]:
    """Those that are not the wanted one."""
    return {route: status for route, status in statuses.items() if status != wanted}


@pytest.mark.any_database
def test_content_is_for_the_owner_and_for_who_was_accepted(
    context: Context, call: Call, gated: Repository, make_user: Callable[..., User]
) -> None:
    def statuses(as_: str | None) -> dict[str, int]:
        return {f"{method} {path}": call(method, path, as_, **request).status_code for method, path, request in CONTENT}

    assert _but(statuses(None), 401) == {}
    assert _but(statuses("bob"), 403) == {}
    assert all(call("GET", path, None).status_code == 200 for path in ABOUT)
    found = call("GET", BASE, None).json
    assert found is not None
    assert found["gated"] == "manual"
    made = ("fork", "duplicate")  # which the owner's token for reading does not allow
    assert _but({route: status for route, status in statuses("reader").items() if not route.endswith(made)}, 200) == {}

    assert call("POST", ASK, "bob", json={"fields": {"for": "my thesis", "agrees": True}}).status_code == 200
    assert _but(statuses("bob"), 403) == {}
    assert call("POST", f"{ASK}/handle", json={"user": "bob", "status": "accepted"}).status_code == 200
    assert _but(statuses("bob"), 200) == {}
    assert call("GET", "/hf/api/models/bob/copied", None).json["gated"] == "manual"  # type: ignore[index]
    assert call("POST", f"{ASK}/handle", json={"user": "bob", "status": "rejected"}).status_code == 200
    assert statuses("bob")[f"GET {BASE}/resolve/main/config.json"] == 403


def test_hub_clients_are_told_by_header_and_git_by_words(call: Call, gated: Repository) -> None:
    path = "/hf/ada/thing/resolve/main/config.json"
    assert refusal(call("GET", path, "bob")) == (403, "GatedRepo")
    assert refusal(call("GET", path, None)) == (401, "GatedRepo")
    # The gate comes before the revision and the file.
    assert refusal(call("GET", "/hf/ada/thing/resolve/none/none", "bob")) == (403, "GatedRepo")
    told = call("GET", "/models/ada/thing.git/info/refs?service=git-upload-pack", "bob")
    assert told.status_code == 403
    assert b"given on request" in told.data
    told = call("GET", "/api/v1/models/ada/thing/raw/config.json", "bob")
    assert told.json is not None
    assert told.json["code"] == "gated_repository"


def test_requests_are_asked_decided_and_listed(call: Call, gated: Repository) -> None:
    def people(status: str) -> list[str]:
        return [one["user"]["user"] for one in call("GET", f"{ASK}/{status}").json or ()]

    assert refusal(call("POST", f"{ASK}/handle", json={"user": "bob", "status": "accepted"}))[0] == 404
    assert refusal(call("POST", f"{ASK}/handle", json={"user": "nobody", "status": "accepted"}))[0] == 404
    assert refusal(call("POST", f"{ASK}/handle", json={"status": "accepted"}))[0] == 400
    asked = call("POST", ASK, "bob", json={"fields": {"for": "x"}}).json
    assert asked is not None
    assert asked["status"] == "pending"
    assert asked["timestamp"].endswith("Z")
    assert asked["fields"] == {"for": "x"}
    assert asked["user"]["email"] == "bob@example.org"
    assert refusal(call("POST", ASK, "bob", json={}))[0] == 409
    assert refusal(call("POST", ASK, json={}))[0] == 409  # the owner has it
    assert (people("pending"), people("accepted")) == (["bob"], [])
    by_id = {"requestId": asked["requestId"], "status": "rejected", "rejectionReason": "no"}
    assert call("POST", f"{ASK}/handle", json=by_id).status_code == 200
    assert refusal(call("POST", f"{ASK}/handle", json=by_id))[0] == 409
    assert people("rejected") == ["bob"]
    # One who was rejected does not get in by asking again, not even where asking is enough.
    call("PUT", f"{BASE}/settings", json={"gated": "auto"})
    assert refusal(call("POST", ASK, "bob", json={}))[0] == 409
    assert call("POST", f"{ASK}/handle", json={"user": "bob", "status": "pending"}).status_code == 200
    assert call("POST", ASK, "bob", json={}).json["status"] == "accepted"  # type: ignore[index]
    assert refusal(call("POST", f"{ASK}/grant", json={"user": "bob"}))[0] == 409
    assert refusal(call("GET", f"{ASK}/pending", "bob"))[0] == 403
    assert refusal(call("POST", f"{ASK}/grant", "bob", json={"user": "bob"}))[0] == 403
    call("PUT", f"{BASE}/settings", json={"gated": False})
    assert refusal(call("GET", f"{ASK}/pending"))[0] == 400
    assert refusal(call("POST", ASK, "bob", json={}))[0] == 400
    for body in ({"fields": {"a": "\0"}}, {"fields": {"a": {}}}, {"fields": {"a": "x" * 1001}}, {"fields": 3}):
        call("PUT", f"{BASE}/settings", json={"gated": "manual"})
        assert refusal(call("POST", ASK, "bob", json=body))[0] in (400, 409, 422)
    assert refusal(call("PUT", f"{BASE}/settings", json={"gated": "maybe"}))[0] in (400, 422)


def test_granted_access_needs_no_request_and_lists_are_paged(
    call: Call, gated: Repository, make_user: Callable[..., User], client: FlaskClient
) -> None:
    for number in range(102):
        make_user(f"u{number}")
        assert call("POST", f"{ASK}/grant", json={"user": f"u{number}"}).status_code == 200
    first = call("GET", f"{ASK}/accepted")
    assert len(first.json or ()) == 100
    following = first.headers["Link"].split(">")[0].removeprefix("<http://localhost")
    second = call("GET", following)
    assert [one["user"]["user"] for one in second.json or ()] == ["u100", "u101"]
    assert "Link" not in second.headers


ODD = ["a\0b", "\ud800", "x" * 5000, "../..", " ", "%00", "\U0001f600"]


def test_odd_input_is_refused_by_every_route_of_the_room(
    call: Call, gated: Repository, people: dict[str, User], make_repository: Callable[..., Repository]
) -> None:
    make_repository(people["ada"], "demo", kind="space")
    made = call("POST", "/hf/api/collections", json={"title": "C", "namespace": "ada"}).get_json()["slug"]
    watched = [{"type": "model", "name": "ada/thing"}]
    for odd in ODD:
        quoted = quote(odd, errors="surrogatepass")
        for method, path, body in (
            ("POST", ASK, {"fields": {odd: odd}}),
            ("POST", f"{ASK}/handle", {"user": odd, "status": "accepted", "rejectionReason": odd}),
            ("POST", f"{ASK}/handle", {"requestId": odd, "status": "rejected", "rejectionReason": odd}),
            ("POST", f"{ASK}/grant", {"user": odd}),
            ("PUT", f"{BASE}/settings", {"gated": odd}),
            ("PUT", f"{BASE}/settings", {"gated": [odd]}),
            ("POST", f"{BASE}/duplicate", {"repository": odd}),
            ("POST", f"{BASE}/duplicate", {"repository": f"{odd}/{odd}"}),
            ("PUT", f"/api/v1/models/ada/thing/access_requests/{quoted}", {"state": "accepted", "reason": odd}),
            ("GET", f"/hf/api/collections?owner={quoted}&item=models/{quoted}&q={quoted}", None),
            ("GET", f"/hf/api/collections/ada/{quoted}", None),
            ("POST", "/hf/api/collections", {"title": odd, "namespace": odd}),
            ("POST", "/hf/api/collections", {"title": odd, "namespace": "ada", "description": odd}),
            ("PATCH", f"/hf/api/collections/{made}", {"title": odd, "description": odd}),
            ("POST", f"/hf/api/collections/{made}/items", {"item": {"id": odd, "type": "model"}, "note": odd}),
            ("POST", f"/hf/api/collections/{made}/items", {"item": {"id": "ada/thing", "type": odd}}),
            ("PATCH", f"/hf/api/collections/{made}/items/{quoted}", {"note": odd}),
            ("DELETE", f"/hf/api/collections/{made}/items/{quoted}", None),
            ("POST", "/hf/api/settings/webhooks", {"url": odd, "watched": watched}),
            ("POST", "/hf/api/settings/webhooks", {"url": "https://1.1.1.1/", "watched": watched, "secret": odd}),
            (
                "POST",
                "/hf/api/settings/webhooks",
                {"url": "https://1.1.1.1/", "watched": [{"type": "user", "name": odd}]},
            ),
            ("POST", "/hf/api/settings/webhooks", {"url": "https://1.1.1.1/", "watched": watched, "domains": [odd]}),
            ("GET", f"/hf/api/settings/webhooks/{quoted}", None),
            ("POST", "/hf/api/spaces/ada/demo/secrets", {"key": odd, "value": odd}),
            ("POST", "/hf/api/spaces/ada/demo/variables", {"key": "K", "value": odd, "description": odd}),
            ("DELETE", "/hf/api/spaces/ada/demo/variables", {"key": odd}),
        ):
            options = {} if body is None else {"json": body}
            answer = call(method, path, **options)
            assert answer.status_code < 500, (method, path, odd, answer.text)
