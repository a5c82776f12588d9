"""A deploy token with every client that it is for: git, LFS, the REST API and Hugging Face's; and where it ends."""

from __future__ import annotations

import json

from tests.support.http import HTTPClient
from tests.support.lfs import LFSClient, oid_of


def test_one_token_one_repository(make_checkout, account, hub_server, tmp_path, noise):
    thing, other = make_checkout(account, private=True), make_checkout(account, private=True)
    tokens = {}
    for scope in ("read", "write"):
        body = {"name": f"ci-{scope}", "scope": scope}
        tokens[scope] = account.api.post(f"/api/v1/{thing.path}/deploy_tokens", body).data["token"]
    reader, writer = (HTTPClient(hub_server.url, tokens[scope]) for scope in ("read", "write"))

    # Git with LFS: the writer's whole journey; the reader clones and is refused a push.
    git, place = thing.user, tmp_path / "ci"
    content = noise(200_000)
    git.clone(account.address(thing.path, token=tokens["write"]), place)
    git.git("lfs", "track", "*.bin", cwd=place)
    (place / "weights.bin").write_bytes(content)
    git.git("add", ".", cwd=place)
    git.git("commit", "--quiet", "--message", "By the build", cwd=place)
    git.push(place, "main")
    git.clone(account.address(thing.path, token=tokens["read"]), tmp_path / "read")
    assert (tmp_path / "read" / "weights.bin").read_bytes() == content
    git.git("commit", "--quiet", "--allow-empty", "--message", "No", cwd=tmp_path / "read")
    refused = git.git("push", "origin", "main", cwd=tmp_path / "read", check=False)
    assert not refused.ok
    assert "403" in refused.error
    assert not git.git("clone", account.address(other.path, token=tokens["write"]), tmp_path / "no", check=False).ok

    # REST, and what Hugging Face's clients ask. Who has no right there finds nothing.
    for path in (
        f"/api/v1/{thing.path}",
        f"/{thing.path}/resolve/main/weights.bin",
        f"/hf/api/{thing.path}",
        f"/hf/{account.name}/{thing.path.rpartition('/')[2]}/resolve/main/weights.bin",
    ):
        assert reader.get(path).status in (200, 302), path
        assert reader.get(path.replace(*(one.path.rpartition("/")[2] for one in (thing, other)))).status == 404, path
    lines = [
        {"key": "header", "value": {"summary": "By a client"}},
        {"key": "file", "value": {"path": "notes.txt", "content": "aGVsbG8=", "encoding": "base64"}},
    ]
    sent = {"body": "\n".join(map(json.dumps, lines)).encode(), "headers": {"Content-Type": "application/x-ndjson"}}
    assert [
        client.request("POST", f"/hf/api/{one.path}/commit/main", **sent).status
        for client, one in ((reader, thing), (writer, other), (writer, thing))
    ] == [403, 404, 200]
    commit = account.api.get(f"/api/v1/{thing.path}/commits?ref=main").data["commits"][0]
    assert commit["author_name"] == "ci-write (deploy token)"
    lfs = LFSClient(writer, thing.path)
    assert lfs.upload(noise(1000))
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content
    assert LFSClient(reader, thing.path).batch("upload", [{"oid": oid_of(b"x"), "size": 1}]).status == 403
    assert LFSClient(writer, other.path).batch("download", [{"oid": oid_of(content), "size": 1}]).status == 404

    # It is no account's: it neither makes things nor manages its own repository.
    body = {"name": "more", "namespace": account.name}
    for method, path in (
        ("DELETE", f"/api/v1/{thing.path}"),
        ("GET", f"/api/v1/{thing.path}/deploy_tokens"),
        ("GET", f"/api/v1/user/{account.name}/tokens"),
        ("POST", "/api/v1/models"),
    ):
        assert writer.request(method, path, json_body=body).status in (401, 403), path
    [_, mine] = account.api.get(f"/api/v1/{thing.path}/deploy_tokens").data
    assert mine["name"] == "ci-read"
    assert mine["token"].endswith("*")
    assert mine["last_used_at"]
    assert account.api.delete(f"/api/v1/{thing.path}/deploy_tokens/{mine['id']}").status == 200
    assert reader.get(f"/api/v1/{thing.path}").status == 401
