"""The checklist of the CSGHub contract, section 9, row by row, from the client's side of a running hub.

Row 7 (Xet) is told by ``test_csghub_sdk`` for the SDK; here is that no answer promises pieces of a file that came
whole. Rows 10 (inference and finetune lists), 13 (sandboxes) and 16 (SSE) come with the plugins that
serve them. Row 15 is at home in ``tests/hub/api``, as the units of the others are.
"""

from __future__ import annotations

import base64
import itertools
import re
import secrets
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.http import basic
from tests.support.lfs import MEDIA_TYPE, oid_of

MIB = 1024 * 1024
COLLECTIONS = ("models", "datasets", "spaces", "codes", "mcps", "skills")
PREFIXES = ("", "/csg", "/hf", "/ms")

_numbers = itertools.count(1)


@pytest.fixture
def new(account):
    """``new("models")``: ``models/ada/thing``, a fresh repository with a text and an LFS file."""

    def make(collection: str = "models", **fields) -> str:
        path = account.create_repository(f"row{next(_numbers)}", collection=collection, **fields)
        # git's word for an MCP server is another than the API's; both are understood everywhere.
        files = [("a/deep.txt", b"deep\n"), ("weights.bin", b"\0weights" * 100)]
        body = {
            "message": "Files",
            "files": [
                {"path": name, "action": "create", "content": base64.encodebytes(content).decode()}
                for name, content in files
            ],
        }
        answer = account.api.post(f"/api/v1/{path}/commit/main", body)
        assert (answer.status, answer.json["msg"]) == (200, "OK"), answer.body
        return path

    return make


def file_address(path: str) -> str:
    """Where huggingface_hub looks for a repository's files: a model's address has no word for its kind."""
    return path.removeprefix("models/")


def batch(api, address, content, **fields):
    """A batch request for an upload; address: with its prefix."""
    body = {
        "operation": "upload",
        "transfers": ["basic", "multipart"],
        "objects": [{"oid": oid_of(content), "size": len(content)}],
        "hash_algo": "sha256",
        **fields,
    }
    return api.post(f"{address}.git/info/lfs/objects/batch", body, headers={"Accept": MEDIA_TYPE})


def test_row_1_and_2_what_the_sdk_compares_with_ok_and_what_is_there_from_the_start(account):
    made = account.api.post("/api/v1/models", {"name": "fresh", "license": "mit", "default_branch": "main"})
    assert (made.status, made.json["msg"]) == (200, "OK")
    path = "models/" + made.data["path"]
    assert {"README.md", ".gitattributes"} <= {
        item["rfilename"] for item in account.api.get(f"/csg/api/{path}").json["siblings"]
    }
    answers = {
        "branches": account.api.get(f"/api/v1/{path}/branches"),
        "preupload": account.api.post(f"/api/v1/{path}/preupload/main", {"files": [{"path": "a", "size": 1}]}),
        "raw": account.api.post(
            f"/api/v1/{path}/raw/.gitattributes", {"message": "x", "new_branch": "side", "content": "Kg=="}
        ),
        "commit": account.api.post(
            f"/api/v1/{path}/commit/main",
            {"message": "x", "files": [{"path": "x.txt", "action": "create", "content": "eA=="}]},
        ),
    }
    assert {name: (answer.status, answer.json["msg"]) for name, answer in answers.items()} == dict.fromkeys(
        answers, (200, "OK")
    )
    assert [branch["name"] for branch in answers["branches"].data] == ["main"]
    # A branch without a branch to start from holds that file alone.
    side = account.api.get(f"/hf/api/{path}/tree/side?recursive=true").json
    assert [entry["path"] for entry in side] == [".gitattributes"]


def test_row_3_and_4_information_and_trees_of_every_kind(account, new):
    for collection in COLLECTIONS:
        path = new(collection)
        info = account.api.get(f"/csg/api/{path}/revision/main?blobs=True").json
        assert (info["id"], len(info["sha"])) == (path.partition("/")[2], 40)
        names = {item["rfilename"] for item in info["siblings"]}
        assert {"a/deep.txt", "weights.bin", "README.md", ".gitattributes"} <= names
        assert all("size" in item for item in info["siblings"])
        sha = account.api.get(f"/hf/api/{path}/revision/main").json["sha"]
        assert sha == info["sha"]
        tree = f"/hf/api/{path}/tree/{sha}"
        assert {entry["path"] for entry in account.api.get(f"{tree}?recursive=true").json} == {*names, "a"}
        assert [entry["path"] for entry in account.api.get(f"{tree}/a?recursive=true").json] == ["a/deep.txt"]
    found, address = set(), f"{tree}?recursive=true&limit=2"
    while address:
        answer = account.api.get(address)
        found |= {entry["path"] for entry in answer.json}
        link = re.fullmatch(r'<(http.+)>; rel="next"', answer.headers.get("Link", ""))
        address = link and link[1]
    assert found == {*names, "a"}


def test_row_5_and_7_heads_tell_all_and_pieces_only_where_there_are_some(account, new):
    path = new()
    sha = account.api.get(f"/hf/api/{path}").json["sha"]
    for prefix in ("/csg", "/hf", "/ms"):
        for name, size in (("a/deep.txt", 5), ("weights.bin", 800)):
            address = f"{prefix}/{file_address(path)}/resolve/main/{name}"
            head = account.api.request("HEAD", address)
            assert (head.status, head.headers["X-Repo-Commit"]) == (200, sha)
            assert re.fullmatch(r'"[0-9a-f]{40}([0-9a-f]{24})?"', head.headers["ETag"])
            assert int(head.headers["Content-Length"]) == size
            part = account.api.get(address, headers={"Range": "bytes=1-3"})
            assert (part.status, len(part.body), part.headers["Accept-Ranges"]) == (206, 3, "bytes")
            assert part.headers["Content-Range"] == f"bytes 1-3/{size}"
            assert not {"X-Xet-Hash", "X-Xet-Refresh-Route", "Link"} & set(head.headers)
    token = account.api.get(f"/hf/api/{path}/xet-write-token/main")
    assert token.json["casUrl"] == token.headers["X-Xet-Cas-Url"] == f"{account.hub.url}/xet"


def test_row_6_what_huggingface_hub_makes(account, hub_server):
    body = {"name": "made", "organization": account.name, "type": "dataset", "visibility": "private"}
    made = account.api.post("/hf/api/repos/create", body)
    assert made.json["url"] == f"{hub_server.url}/hf/datasets/{account.name}/made"
    assert account.api.get(f"/api/v1/datasets/{account.name}/made").data["private"] is True
    again = account.api.post("/hf/api/repos/create", body)
    assert (again.status, again.json["url"]) == (409, made.json["url"])
    api = f"/hf/api/datasets/{account.name}/made"
    assert account.api.post(f"{api}/branch/dev", {}).status == 200
    assert account.api.post(f"{api}/branch/dev", {}).status == 409
    lines = b'{"key":"header","value":{"summary":"s"}}\n{"key":"file","value":{"path":"x","content":"eA=="}}\n'
    done = account.api.post(f"{api}/commit/dev", body=lines, headers={"Content-Type": "application/x-ndjson"}).json
    assert len(done["commitOid"]) == 40
    assert done["commitUrl"] == f"{made.json['url']}/commit/{done['commitOid']}"
    bad = account.api.post("/hf/api/validate-yaml", {"content": "---\na: [\n---\n", "repoType": "dataset"})
    assert bad.status == 400
    assert all(isinstance(error["message"], str) for error in bad.json["errors"])


def test_row_8_and_9_uploads_in_parts_for_every_address_of_a_repository(account, new, hub_server):
    content = secrets.token_bytes(1000)
    for collection in (*COLLECTIONS, "mcpservers"):
        path = new("mcps" if collection == "mcpservers" else collection)
        path = f"{collection}/{path.partition('/')[2]}"
        for prefix in PREFIXES:
            address = f"{prefix}/{path}"
            answer = batch(account.api, address, content, upload_id=None).json
            assert answer["transfer"] == "multipart", address
            upload = answer["objects"][0]["actions"]["upload"]
            parts = {key: url for key, url in upload["header"].items() if key != "chunk_size"}
            assert list(parts) == ["1"]
            [upload_id] = parse_qs(urlsplit(parts["1"]).query)["uploadId"]
        sent = hub_server.api.request("PUT", parts["1"], body=content)
        assert (sent.status, bool(sent.headers["ETag"])) == (200, True)
        body = {
            "oid": oid_of(content),
            "uploadId": upload_id,
            "parts": [{"partNumber": 1, "etag": sent.headers["ETag"].strip('"')}],
        }
        # Completion carries no credential but its signature.
        assert hub_server.api.post(upload["href"].replace("signature=", "signature=x"), body).status == 403
        assert hub_server.api.post(upload["href"], body).status == 200
        verify = answer["objects"][0]["actions"]["verify"]
        checked = hub_server.api.post(
            verify["href"], {"oid": oid_of(content), "size": len(content)}, headers=verify["header"]
        )
        assert checked.status == 200
        # Who sends "upload_id" is given addresses for what is there already; git-lfs is not.
        again = batch(account.api, f"/{path}", content, upload_id=None).json["objects"][0]
        assert {"upload", "verify"} <= set(again["actions"])
        assert "actions" not in batch(account.api, f"/{path}", content).json["objects"][0]


def test_row_8_parts_come_in_order(account, new):
    thing = [{"oid": secrets.token_hex(32), "size": 11 * 50 * MIB + 1}]
    for fields in ({"upload_id": None}, {}):
        answer = batch(account.api, f"/{new()}", b"", objects=thing, **fields).json
        header = answer["objects"][0]["actions"]["upload"]["header"]
        assert header.pop("chunk_size") == str(50 * MIB)
        assert [int(key) for key in header] == list(range(1, 13))
        assert [urlsplit(url).path.rpartition("/")[2] for url in header.values()] == [*map(str, range(1, 13))]
        # git-lfs sorts what it is given by its text.
        assert fields or list(header) == sorted(header)


def test_row_11_a_space_is_made_with_what_anybody_may_see(account, hub_server):
    [resource, *_] = hub_server.api.get("/api/v1/space_resources?deploy_type=0").data
    assert {"id", "name", "resources", "is_available"} <= set(resource)
    made = account.api.post(
        "/api/v1/spaces",
        {
            "namespace": account.name,
            "name": "bare",
            "nickname": "bare",
            "default_branch": "main",
            "private": True,
            "license": "apache-2.0",
            "resource_id": resource["id"],
        },
    )
    assert (made.status, made.json["msg"]) == (200, "OK"), made.body


def test_row_12_a_token_counts_whatever_name_comes_with_it(account, new, hub_server):
    path = new(private=True)
    for user in (account.name, "acme", "x"):
        headers = {"Authorization": basic(user, account.token)}
        assert hub_server.api.get(f"/api/v1/{path}/branches", headers=headers).status == 200
        assert hub_server.api.get(f"/{path}.git/info/refs?service=git-upload-pack", headers=headers).status == 200
    assert hub_server.api.get(f"/{path}.git/info/refs?service=git-upload-pack").status == 401


def test_row_14_17_and_18_the_oddities_of_names_and_pages(account, new, hub_server):
    path = new("spaces")
    tree = account.api.get(f"/api/v1/{path}/refs/main/tree/").data
    assert {"Files", "Cursor"} == set(tree)
    assert set(account.api.get(f"/api/v1/{path}/refs/main/logs_tree/").data) == {"Commits"}
    shown = account.api.get(f"/api/v1/{path}").data
    assert {"Path", "Type", "UUID"} <= set(shown["namespace"])
    assert shown["like_count"] == 0
    nothing = hub_server.api.get("/api/v1/models?search=there-is-no-such-thing").json
    assert nothing["data"] == []
    assert "total" not in nothing
    assert account.api.get("/api/v1/models?per=100").status == 200
    for query in ("per=101", "per=0", "page=0", "per=x"):
        refused = account.api.get(f"/api/v1/models?{query}")
        assert (refused.status, refused.json["code"]) == (400, "REQ-ERR-6"), query
        assert refused.json["context"]["query"] == query.partition("=")[0]
