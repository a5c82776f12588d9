"""Discussions and pull requests as huggingface_hub asks for them. Hugging Face contract, sections 6, 7.4 and 9."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from hub.community.service import attachments
from hub.db.uow import unit_of_work
from hub.git.repository import list_tags
from hub.objects.store import STORE
from hub.repos.lookup import repository_path
from tests.hub.compat.conftest import inline, refusal

pytestmark = pytest.mark.any_database

API = "/hf/api/models/ada/thing"
TALKS = f"{API}/discussions"


def opened(call, number, **query):
    answer = call("GET", f"{TALKS}/{number}", query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json


def types(call, number):
    return [event["type"] for event in opened(call, number)["events"]]


def test_a_discussion_from_its_opening_to_its_end(call, thing):
    made = call("POST", TALKS, "bob", json={"title": "Which?", "description": "Of <these>?", "pullRequest": False})
    assert made.json == {"num": 1, "url": "http://localhost/hf/ada/thing/discussions/1"}
    found = opened(call, 1, diff="1")
    assert found["createdAt"].endswith("Z")
    assert {name: found[name] for name in ("num", "title", "status", "isPullRequest", "author", "repo")} == {
        "num": 1,
        "title": "Which?",
        "status": "open",
        "isPullRequest": False,
        "author": {"name": "bob"},
        "repo": {"name": "ada/thing", "type": "model"},
    }
    assert "changes" not in found
    said = call("POST", f"{TALKS}/1/comment", json={"comment": "This."}).json["newMessage"]
    assert (said["author"], said["data"]["latest"]["raw"], said["data"]["edited"]) == ({"name": "ada"}, "This.", False)
    place = f"{TALKS}/1/comment/{said['id']}"
    assert refusal(call("POST", f"{place}/edit", "bob", json={"content": "x"}))[0] == 403
    edited = call("POST", f"{place}/edit", json={"content": "That."}).json["updatedComment"]["data"]
    assert (edited["edited"], edited["hidden"], edited["latest"]["raw"]) == (True, False, "That.")
    assert refusal(call("POST", f"{place}/hide", "bob"))[0] == 403
    hidden = call("POST", f"{place}/hide").json["updatedComment"]["data"]
    assert (hidden["hidden"], "That." in str(hidden)) == (True, False)
    # The one who may write changes another's discussion, too.
    assert call("POST", f"{TALKS}/1/title", json={"title": "What?"}).json["newTitle"]["data"] == {
        "from": "Which?",
        "to": "What?",
    }
    closed = call("POST", f"{TALKS}/1/status", json={"status": "closed", "comment": "Done."}).json["newStatus"]
    assert (closed["type"], closed["data"]) == ("status-change", {"status": "closed"})
    assert call("POST", f"{TALKS}/1/status", json={"status": "closed"}).json["newStatus"]["data"]["status"] == "closed"
    assert types(call, 1) == ["comment", "comment", "title-change", "comment", "status-change"]
    assert refusal(call("POST", f"{TALKS}/1/merge"))[0] == 404
    for path in (f"{TALKS}/2", f"{TALKS}/1/comment/zz/hide", f"{TALKS}/1/comment/{'f' * 40}/hide"):
        assert refusal(call("POST" if "hide" in path else "GET", path))[0] == 404
    assert refusal(call("POST", TALKS, None, json={"title": "x"}))[0] == 401
    assert refusal(call("POST", TALKS, "reader", json={"title": "x"}))[0] == 403


def test_lists_end_where_they_should(call, thing):
    for number in range(52):
        call("POST", TALKS, "bob" if number % 2 else "ada", json={"title": f"T{number}", "pullRequest": number == 0})
    call("POST", f"{TALKS}/2/status", "bob", json={"status": "closed"})
    first, second, third = (call("GET", TALKS, query_string={"p": page, "type": "all"}).json for page in range(3))
    assert (first["count"], first["start"], len(first["discussions"])) == (52, 0, 50)
    assert (second["start"], [one["num"] for one in second["discussions"]]) == (50, [2, 1])
    assert (third["start"], third["discussions"]) == (100, [])

    def count(**query):
        return call("GET", TALKS, query_string=query).json["count"]

    assert (count(type="pull_request"), count(status="closed"), count(author="bob")) == (1, 1, 26)
    assert (count(type="discussion", status="open", author="ADA"), count(author="nobody\0")) == (25, 0)


def test_a_pull_request_of_one_commit(call, thing, send_commit):
    before = call("GET", API).json["sha"]
    content = b"weights" * 100
    oid = hashlib.sha256(content).hexdigest()
    plans = call("POST", f"{API}/preupload/main?create_pr=1", "bob", json={"files": [{"path": "b.bin", "size": 700}]})
    assert plans.json["files"][0]["uploadMode"] == "lfs"
    asked = {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}], "hash_algo": "sha256"}
    batch = call("POST", "/hf/ada/thing.git/info/lfs/objects/batch", "bob", json=asked).json
    href = batch["objects"][0]["actions"]["upload"]["href"]
    assert call("PUT", href.partition("8080")[2], None, data=content).status_code == 200
    steps = (inline("b.txt", b"new\n"), ("lfsFile", {"path": "b.bin", "algo": "sha256", "oid": oid, "size": 700}))
    answer = send_commit(
        f"{API}/commit/main?create_pr=1", *steps, as_="bob", summary="Better", description="See.", parentCommit=before
    )
    assert answer.status_code == 200, answer.json
    assert answer.json["pullRequestUrl"] == "http://localhost/hf/ada/thing/discussions/1"
    head = answer.json["commitOid"]
    assert call("GET", API).json["sha"] == before
    assert call("GET", f"{API}/revision/refs%2Fpr%2F1").json["sha"] == head
    assert call("GET", "/hf/ada/thing/resolve/refs%2Fpr%2F1/b.bin").data == content
    assert call("GET", f"{API}/refs?include_prs=1").json["pullRequests"][0]["targetCommit"] == head
    found = opened(call, 1, diff="1")
    assert (found["status"], found["title"], found["changes"]) == ("open", "Better", {"base": "refs/heads/main"})
    assert found["filesWithConflicts"] == []
    assert "+new" in found["diff"]
    [comment, commit] = found["events"]
    assert (comment["data"]["latest"]["raw"], commit["data"]) == ("See.", {"oid": head, "subject": "Better"})
    # More commits, by the author and by who may write; by nobody else, and not by anything but these.
    more = f"{API}/commit/refs%2Fpr%2F1"
    second = send_commit(more, inline("c.txt", b"c"), as_="bob", summary="More").json["commitOid"]
    assert call("POST", f"{API}/preupload/refs%2Fpr%2F1", "bob", json={"files": []}).status_code == 200
    assert refusal(send_commit(f"{more}?create_pr=1", inline("c.txt", b"d"), as_="bob"))[0] == 400
    assert refusal(send_commit(f"{API}/commit/main", inline("c.txt", b"c"), as_="bob"))[0] == 403
    lost = refusal(send_commit(f"{API}/commit/refs%2Fpr%2F7", inline("c.txt", b"c"), as_="bob"))
    assert lost == (404, "RevisionNotFound")
    assert refusal(call("POST", f"{TALKS}/7/merge")) == (404, None)
    assert refusal(send_commit(f"{API}/commit/main?create_pr=1", inline("config.json", b"{}\n"), as_="bob"))[0] == 400
    assert refusal(send_commit(f"{API}/commit/main?create_pr=1", inline("x", b"1"), as_="reader"))[0] == 403
    assert refusal(call("POST", f"{TALKS}/1/merge", "bob"))[0] == 403
    merged = call("POST", f"{TALKS}/1/merge", json={"comment": "Thanks."})
    assert merged.json["mergeCommitId"] == second == call("GET", API).json["sha"]
    found = opened(call, 1, diff="1")
    assert (found["status"], found["changes"]["mergeCommitId"]) == ("merged", second)
    assert "+new" in found["diff"]
    assert types(call, 1) == ["comment", "commit", "commit", "status-change", "comment"]
    assert refusal(call("POST", f"{TALKS}/1/merge"))[0] == 409
    assert refusal(call("POST", f"{TALKS}/1/status", "bob", json={"status": "open"}))[0] == 409
    assert refusal(send_commit(more, inline("d.txt", b"d"), as_="bob"))[0] == 409


def test_files_that_both_sides_changed_stand_against_a_merge(call, thing, send_commit):
    steps = inline("config.json", b'{"theirs": 1}\n')
    assert send_commit(f"{API}/commit/main?create_pr=1", steps, as_="bob").status_code == 200
    send_commit(f"{API}/commit/main", inline("config.json", b'{"ours": 1}\n'))
    assert opened(call, 1)["filesWithConflicts"] == ["config.json"]
    refused = call("POST", f"{TALKS}/1/merge")
    assert refusal(refused)[0] == 409
    assert refused.json["context"]["paths"] == ["config.json"]
    assert opened(call, 1)["status"] == "open"


def test_a_branch_is_cut_down_to_one_commit(call, thing):
    before = call("GET", f"{API}/tree/main?recursive=true").json
    place = f"{API}/super-squash/main"
    assert refusal(call("POST", place, "bob", json={"message": "One"}))[0] == 403
    answer = call("POST", place, json={"message": "One"})
    assert answer.status_code == 200, answer.json
    [commit] = call("GET", f"{API}/commits/main").json
    assert (commit["id"], commit["title"]) == (answer.json["commitOid"], "One")
    assert call("GET", f"{API}/tree/main?recursive=true").json == before
    call("POST", f"{API}/tag/main", json={"tag": "v1"})
    assert refusal(call("POST", f"{API}/super-squash/none", json={})) == (404, "RevisionNotFound")
    assert refusal(call("POST", f"{API}/super-squash/v1", json={}))[0] == 400


def test_a_tag_keeps_its_message(call, context, thing):
    assert call("POST", f"{API}/tag/main", json={"tag": "v1", "message": "The first one"}).status_code == 200
    assert call("POST", f"{API}/tag/main", json={"tag": "plain", "message": None}).status_code == 200
    tags = {tag.name: tag.message for tag in list_tags(repository_path(context.settings, thing)).items}
    assert {name: message.strip() for name, message in tags.items()} == {"v1": "The first one", "plain": ""}
    # Clients ask for the commit.
    assert len({tag["targetCommit"] for tag in call("GET", f"{API}/refs").json["tags"]}) == 1


def test_what_is_attached_is_shown_and_runs_nothing(call, context, people, monkeypatch):
    png = b"\x89PNG\r\n\x1a\n" + b"x" * 1000

    def attach(content, as_="bob", claimed="image/png", place="/hf"):
        return call("POST", f"{place}/uploads", as_, data=content, headers={"Content-Type": claimed})

    answer = attach(png)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    address = answer.text.removeprefix("http://localhost")
    assert address.startswith("/hf/uploads/")
    # Whoever has the address may have it; what it is, is not for who sends it to say.
    shown = call("GET", address, None)
    assert (shown.data, shown.mimetype) == (png, "image/png")
    assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert attach(b"RIFF0000WAVEfmt ", claimed="image/png", place="").status_code == 200
    for content in (b"<svg onload=alert(1)>", b"", b"%PDF-1.7", b"0000000WEBP"):
        assert refusal(attach(content))[0] == 400
    assert refusal(attach(png, as_=None))[0] == 401
    assert refusal(attach(png, as_="reader"))[0] == 403
    assert refusal(attach(png + b"x" * attachments.MAX_BYTES))[0] == 413
    monkeypatch.setattr(attachments, "MAX_TOTAL_BYTES", 2000)
    assert refusal(attach(png))[0] == 413
    # What an account takes along with its words goes in time.
    stored = {info.key for info in context[STORE].list("attachments/")}
    with unit_of_work(context) as work:
        attachments.forget_attachments(work, people["bob"].id)
    assert refusal(call("GET", address, None))[0] == 404
    assert attachments.sweep_attachments(context, now=datetime.now(UTC)) == 0
    assert attachments.sweep_attachments(context, now=datetime.now(UTC) + timedelta(days=2)) == len(stored) == 2
    assert not [*context[STORE].list("attachments/")]
