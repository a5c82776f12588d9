"""The hub's own root as the client's endpoint: the same routes as under /hf, beside the REST API and the pages."""

from __future__ import annotations

import pytest

from tests.hub.compat.conftest import inline, refusal

pytestmark = pytest.mark.any_database


def test_the_root_serves_what_hf_serves(call, thing, people, make_repository, send_commit):
    for path in (
        "/api/models/ada/thing",
        "/api/models/ada/thing/tree/main?recursive=true",
        "/api/models?author=ada",
        "/api/whoami-v2",
        "/models/ada/thing/resolve/main/config.json",
        "/ada/thing/resolve/main/config.json",
    ):
        at_root, below = call("GET", path), call("GET", f"/hf{path}")
        assert (at_root.status_code, at_root.data) == (200, below.data), path
    page = call("GET", "/api/models/ada/thing/tree/main?limit=1")
    assert page.headers["Link"].startswith("<http://localhost/api/models/ada/thing/tree/main?")
    answer = send_commit("/api/models/ada/thing/commit/main", inline("new.txt", b"new"))
    assert answer.json["commitUrl"].startswith("http://localhost/ada/thing/commit/")
    created = call("POST", "/api/repos/create", json={"name": "new", "type": "dataset"}).json
    assert created["url"] == "http://localhost/datasets/ada/new"
    # A repository may be called like a word of the addresses.
    make_repository(people["ada"], "resolve")
    assert call("HEAD", "/hf/ada/resolve/resolve/main/README.md", None).status_code == 200
    assert call("HEAD", "/ada/resolve/resolve/main/README.md", None).status_code == 200


def test_what_is_not_at_the_root_is_told_in_the_language_of_its_clients(call, client, thing):
    for path in ("/api/models/gpt2", "/gpt2/resolve/main/config.json", "/ada/none/resolve/main/config.json"):
        assert refusal(call("GET", path, None)) == (404, "RepoNotFound"), path
    assert refusal(call("GET", "/api/agent-harnesses", None)) == (404, None)
    assert refusal(call("POST", "/api/models/ada/thing/tree/main", None)) == (405, None)
    # The platform's API and the pages keep theirs.
    assert "error" not in call("GET", "/api/v1/none", None).json
    assert "error" not in call("GET", "/api/v1/models/ada/none", None).json
    assert client.get("/none", headers={"Accept": "text/html"}).mimetype == "text/html"
    assert call("GET", "/models/ada/thing.git/info/refs?service=git-upload-pack", None).status_code == 200


@pytest.mark.parametrize("root", ["", "/hf"])
def test_what_clients_have_calls_for_and_this_hub_has_not_is_said_in_words(call, root):
    for method, path, code, word in (
        ("GET", "/api/buckets/ada/thing", "RepoNotFound", "buckets"),
        ("GET", "/api/buckets/ada/thing/tree", "RepoNotFound", "buckets"),
        ("DELETE", "/api/buckets/ada/thing", "RepoNotFound", "buckets"),
        ("GET", "/api/buckets/ada", None, "buckets"),
        ("POST", "/api/buckets/ada/thing", None, "buckets"),
        ("GET", "/api/kernels/ada/thing", "RepoNotFound", "kernels"),
        ("GET", "/api/kernels/ada/thing/revision/main", "RepoNotFound", "kernels"),
        ("GET", "/api/jobs/ada", None, "jobs"),
        ("POST", "/api/jobs/ada", None, "jobs"),
        ("GET", "/api/jobs/hardware", None, "jobs"),
        ("GET", "/api/jobs/ada/1/logs", None, "jobs"),
        ("POST", "/api/scheduled-jobs/ada", None, "jobs"),
        ("GET", "/api/daily_papers", None, "papers"),
        ("GET", "/api/papers/search?q=x", None, "papers"),
        ("GET", "/api/papers/2101.00001", None, "papers"),
    ):
        answer = call(method, root + path)
        assert refusal(answer) == (404, code), path
        assert f"no {word}" in answer.json["error"], path
