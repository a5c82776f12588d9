"""Files whose contents clients fetch in pieces, and their leave to. Xet contract, 2 and 12; Hugging Face, 4, 6, 7."""

from __future__ import annotations

import hashlib
import re

import pytest

from hub.accounts.policy import Actor
from hub.repos.files import FileEdit, commit_files
from tests.hub.compat.conftest import LFS_NAME, WEIGHTS, refusal
from tests.support.sources import PieceSource, piece_id

pytestmark = pytest.mark.any_database

SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
API = "/hf/api/models/ada/thing"


@pytest.fixture
def source(context):
    """Registered before the application is made: ``client`` stands on the same context."""
    return PieceSource.start(context)


@pytest.fixture
def thing(context, source, make_repository, people):
    """A public model with a file that came through the source and one that lies whole in the store."""
    repository = make_repository(people["ada"], "thing")
    who = {"actor": Actor.of_user(people["ada"], via="session"), "repository_id": repository.id}
    source.give(context, who, WEIGHTS)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize {len(WEIGHTS)}\n".encode()
    edits = [
        FileEdit(LFS_NAME, content=pointer),
        FileEdit("plain.bin", content=b"plain"),
        FileEdit("config.json", content=b"{}\n"),
    ]
    commit_files(context, **who, message="Files", edits=edits)
    return repository


def head_of(call):
    return call("GET", API).json["sha"]


def test_trees_and_paths_tell_the_id_of_what_comes_in_pieces(call, thing, count_queries):
    with count_queries() as queries:
        whole = call("GET", f"{API}/tree/main?recursive=true", None).json
    few = len(queries)
    ids = {entry["path"]: entry.get("xetHash") for entry in whole}
    assert ids.pop(LFS_NAME) == piece_id(SHA256)
    assert {*ids.values()} == {None}
    with count_queries() as queries:
        found = call("POST", f"{API}/paths-info/main", None, data={"paths": [LFS_NAME, "plain.bin"]}).json
    assert [entry.get("xetHash") for entry in found] == [piece_id(SHA256), None]
    assert len(queries) <= few


def test_a_source_that_lost_a_content_is_not_named(call, thing, source):
    source.lose(SHA256)
    assert "xetHash" not in str(call("GET", f"{API}/tree/main", None).json)
    head = call("HEAD", f"/hf/ada/thing/resolve/main/{LFS_NAME}", None)
    assert head.status_code == 200
    assert "X-Xet-Hash" not in head.headers


def test_a_file_in_pieces_is_a_file_like_any_other(call, thing):
    commit = head_of(call)
    for base, api in (("/hf/ada/thing", "/hf"), ("/csg/models/ada/thing", "/csg"), ("/ada/thing", "")):
        head = call("HEAD", f"{base}/resolve/main/{LFS_NAME}", None)
        assert head.status_code == 200
        assert head.headers["Content-Length"] == head.headers["X-Linked-Size"] == str(len(WEIGHTS))
        assert head.headers["ETag"] == head.headers["X-Linked-Etag"] == f'"{SHA256}"'
        assert (head.headers["X-Repo-Commit"], head.headers["Accept-Ranges"]) == (commit, "bytes")
        whole = call("GET", f"{base}/resolve/main/{LFS_NAME}", None)
        assert whole.data == WEIGHTS
        route = f"http://localhost{api}/api/models/ada/thing/xet-read-token/{commit}"
        for answer in (head, whole):
            assert answer.headers["X-Xet-Hash"] == piece_id(SHA256)
            assert answer.headers["X-Xet-Refresh-Route"] == route
            assert answer.headers["Link"] == f'<{route}>; rel="xet-auth"'
        # As a client with several connections does: each takes a range of its own.
        size = len(WEIGHTS)
        parts = []
        for start in range(0, size, 700):
            wanted = {"Range": f"bytes={start}-{start + 699}"}
            part = call("GET", f"{base}/resolve/main/{LFS_NAME}", None, headers=wanted)
            assert part.status_code == 206
            assert part.headers["Content-Range"] == f"bytes {start}-{min(start + 700, size) - 1}/{size}"
            parts.append(part.data)
        assert b"".join(parts) == WEIGHTS
        past = call("GET", f"{base}/resolve/main/{LFS_NAME}", None, headers={"Range": f"bytes={size}-"})
        assert refusal(past)[0] == 416
        assert past.headers["Content-Range"] == f"bytes */{size}"
    for name in ("plain.bin", "config.json"):
        assert "X-Xet-Hash" not in call("HEAD", f"/hf/ada/thing/resolve/main/{name}", None).headers
    by_oid = call("GET", f"/ada/thing.git/info/lfs/objects/{SHA256}", headers={"Range": "bytes=-5"})
    assert (by_oid.status_code, by_oid.data) == (206, WEIGHTS[-5:])
    assert call("HEAD", f"/ada/thing.git/info/lfs/objects/{SHA256}").headers["Content-Length"] == str(len(WEIGHTS))


def test_a_browser_may_ask_for_a_download(call, thing, make_repository, people, write):
    name = 'a; "b" é.bin'
    write(thing, {name: b"x"})
    shown = call("GET", f"/hf/ada/thing/resolve/main/{name}", None).headers["Content-Disposition"]
    assert shown == "inline; filename*=UTF-8''a%3B%20%22b%22%20%C3%A9.bin; filename=\"a; _b_ _.bin\";"
    assert re.search(r'filename="(?P<filename>.*?)";', shown)
    saved = call("GET", f"/hf/ada/thing/resolve/main/{name}?download=true", None)
    assert saved.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''a%3B")


def assert_ticket(answer, way, thing):
    assert answer.status_code == 200, answer.text
    assert answer.json == {
        "casUrl": "http://localhost/pieces",
        "exp": 1_900_000_000,
        "accessToken": f"{way}-{thing.id}",
    }
    assert answer.headers["X-Xet-Cas-Url"] == "http://localhost/pieces"
    assert answer.headers["X-Xet-Token-Expiration"] == "1900000000"
    assert answer.headers["X-Xet-Access-Token"] == f"{way}-{thing.id}"
    assert answer.headers["Cache-Control"] == "no-store"


def test_tickets_are_for_those_who_may(call, thing, source):
    places = ("/hf/api/models/ada/thing", "/api/models/ada/thing", "/hf/ada/thing", "/csg/models/ada/thing")
    for place in places:
        assert_ticket(call("GET", f"{place}/xet-read-token/main", None), "read", thing)
        assert_ticket(call("GET", f"{place}/xet-write-token/some%2Fbranch"), "write", thing)
    assert source.tickets[-1].revision == "some/branch"
    assert source.tickets[-1].actor.name == "ada"
    assert refusal(call("GET", f"{API}/xet-read-token/none", None)) == (404, "RevisionNotFound")
    assert refusal(call("GET", "/hf/api/models/ada/none/xet-read-token/main")) == (404, "RepoNotFound")
    for who, status in ((None, 401), ("bob", 403), ("reader", 403)):
        assert refusal(call("GET", f"{API}/xet-write-token/main", who))[0] == status
    # To one's own pull request, too: what may be written to it is asked when it is.
    for proposal in ("None?create_pr=1", "refs%2Fpr%2F1"):
        assert_ticket(call("GET", f"{API}/xet-write-token/{proposal}", "bob"), "write", thing)
    assert refusal(call("GET", f"{API}/xet-write-token/main?create_pr=1", None))[0] == 401
    assert refusal(call("GET", f"{API}/xet-write-token/main?create_pr=1", "reader"))[0] == 403


def test_a_private_repository_gives_tickets_to_its_own(call, source, make_repository, people, context):
    secret = make_repository(people["ada"], "secret", private=True)
    place = "/hf/api/models/ada/secret"
    assert_ticket(call("GET", f"{place}/xet-read-token/main", "reader"), "read", secret)
    for who in (None, "bob"):
        for route in ("xet-read-token/main", "xet-write-token/main", "xet-write-token/main?create_pr=1"):
            assert refusal(call("GET", f"{place}/{route}", who)) == (404, "RepoNotFound")


def test_a_batch_is_answered_in_pieces_for_clients_that_can(call, thing, source):
    body = {
        "operation": "upload",
        "transfers": ["basic", "multipart", "xet"],
        "objects": [{"oid": "a" * 64, "size": 7}, {"oid": SHA256, "size": len(WEIGHTS)}],
        "hash_algo": "sha256",
        "ref": {"name": "feature/x"},
    }
    answer = call("POST", "/hf/ada/thing.git/info/lfs/objects/batch", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json["transfer"] == "xet"
    wanted, held = answer.json["objects"]
    assert {"oid": SHA256, "size": len(WEIGHTS)} == held
    upload = wanted["actions"]["upload"]
    assert upload["href"] == "http://localhost/hf/api/models/ada/thing/xet-write-token/feature%2Fx"
    assert upload["header"] == {
        "X-Xet-Cas-Url": "http://localhost/pieces",
        "X-Xet-Access-Token": f"write-{thing.id}",
        "X-Xet-Token-Expiration": "1900000000",
        "X-Xet-Session-Id": "",
    }
    # git-xet fetches a new token there when the first one is about to expire.
    assert_ticket(call("GET", upload["href"].removeprefix("http://localhost")), "write", thing)
    body |= {"operation": "download"}
    down = call("POST", "/hf/ada/thing.git/info/lfs/objects/batch", None, json=body)
    assert down.json["transfer"] == "basic"
    href = down.json["objects"][1]["actions"]["download"]["href"]
    assert call("GET", "/" + href.split("/", 3)[3], None).data == WEIGHTS
