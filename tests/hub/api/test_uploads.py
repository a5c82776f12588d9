"""What browsers bring: checks before anything is sent, contents in parts, one commit or pull request at the end."""

import base64
import hashlib
import json

import pytest

from tests.support.api import data
from tests.support.lfs import pointer_to

pytestmark = pytest.mark.any_database

PART = 8 * 1024 * 1024
BIG = bytes(range(256)) * (PART // 256) + b"the rest"
OID = hashlib.sha256(BIG).hexdigest()
PLACE = "/models/ada/thing"


@pytest.fixture
def people(as_user, make_repository):
    """ada, who owns a repository, and bob, who reads it."""
    ada, bob = as_user("ada"), as_user("bob")
    make_repository(ada.user, "thing")
    return ada, bob


def send(caller, address, body):
    """PUT to a signed address, as a browser does: without a credential."""
    assert address.startswith("/"), address
    answer = caller.client.put(address, data=body)
    answer.close()
    return answer.status_code


def commit(caller, lines, query="", branch="main"):
    body = "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in lines)
    headers = {**caller.headers, "Content-Type": "application/x-ndjson"}
    return caller.client.post(f"/api/v1{PLACE}/uploads/commit/{branch}{query}", data=body, headers=headers)


def text_file(path, text):
    return "file", {"path": path, "encoding": "base64", "content": base64.b64encode(text.encode()).decode()}


def refusal(answer):
    """The status, and the hub's own word for what was wrong."""
    return answer.status_code, answer.json.get("context", {}).get("reason", answer.json["code"])


def announce(caller, **more):
    [steps] = data(caller.post(f"{PLACE}/uploads/objects", {"objects": [{"oid": OID, "size": len(BIG)}], **more}))
    return steps


def test_a_large_file_goes_in_parts_that_the_store_counts_and_into_one_commit(people):
    ada, _ = people
    files = [{"path": "big.bin", "size": len(BIG)}, {"path": "a.txt", "size": 2}, {"path": "x/../y", "size": 1}]
    checked = data(ada.post(f"{PLACE}/uploads/check", {"files": [*files, {"path": "README.md", "size": 1}]}))
    assert [file["mode"] for file in checked["files"]] == ["lfs", "regular", "regular", "regular"]
    assert [bool(file["fault"]) for file in checked["files"]] == [False, False, True, False]
    assert [bool(file["oid"]) for file in checked["files"]] == [False, False, False, True]

    steps = announce(ada)
    assert (steps["part_size"], steps["received"], [*steps["parts"]]) == (PART, [], ["1", "2"])
    assert send(ada, steps["parts"]["1"], BIG[:PART]) == 200
    finish = {"oid": OID, "size": len(BIG)}
    assert refusal(ada.post(f"{PLACE}/uploads/objects/finish", finish)) == (422, "parts_mismatch")
    # Somebody comes back, perhaps with another browser: the part that is there is not sent again.
    steps = announce(ada)
    assert (steps["received"], [*steps["parts"]]) == ([1], ["2"])
    lines = [
        ("header", {"summary": "Upload", "description": "", "parentCommit": checked["commit_id"]}),
        ("lfsFile", {"path": "big.bin", "algo": "sha256", "oid": OID, "size": len(BIG)}),
        text_file("docs/a.txt", "hi"),
    ]
    assert refusal(commit(ada, lines)) == (422, "lfs_object_missing")
    assert send(ada, steps["parts"]["2"], BIG[PART:]) == 200
    for _ in range(2):  # the answer may be lost
        assert ada.post(f"{PLACE}/uploads/objects/finish", finish).status_code == 200
    assert announce(ada)["is_held"] is True

    landed = data(commit(ada, lines))
    assert (landed["branch"], landed["pull_number"], landed["is_new"]) == ("main", None, True)
    assert data(ada.get(f"{PLACE}/raw/big.bin")) == pointer_to(BIG)
    # Sent once more, as when its answer was lost: the branch has moved, and holds just this.
    assert refusal(commit(ada, lines))[1] == "parent_mismatch"
    found = data(ada.post(f"{PLACE}/uploads/check", {"files": files[:1]}))
    assert (found["files"][0]["oid"], found["commit_id"]) == (OID, landed["commit_id"])


def test_bytes_that_are_not_what_was_announced_are_not_kept(people):
    ada, _ = people
    steps = announce(ada)
    assert send(ada, steps["parts"]["1"], BIG[:PART]) == 200
    assert send(ada, steps["parts"]["2"], b"other...") == 200
    assert refusal(ada.post(f"{PLACE}/uploads/objects/finish", {"oid": OID, "size": len(BIG)})) == (
        422,
        "hash_mismatch",
    )
    assert announce(ada)["received"] == []


def test_who_may_not_write_brings_a_pull_request(people):
    ada, bob = people
    small = b"small"
    named = {"oid": hashlib.sha256(small).hexdigest(), "size": len(small)}
    assert bob.post(f"{PLACE}/uploads/objects", {"objects": [named]}).status_code == 403
    [steps] = data(bob.post(f"{PLACE}/uploads/objects", {"objects": [named], "for_proposal": True}))
    assert send(bob, steps["address"], small) == 200
    assert bob.post(f"{PLACE}/uploads/objects/finish", {**named, "for_proposal": True}).status_code == 200
    lines = [
        ("header", {"summary": "Better", "description": "See."}),
        ("lfsFile", {"path": "w.bin", "algo": "sha256", **named}),
    ]
    assert commit(bob, lines).status_code == 403
    landed = data(commit(bob, lines, "?create_pr=1"))
    assert (landed["pull_number"], landed["url"]) == (1, "/models/ada/thing/community/1")
    pull = data(ada.get(f"{PLACE}/pulls/1?diff=true"))
    assert (pull["title"], pull["user"]["name"]) == ("Better", "bob")
    assert "w.bin" in pull["diff"]


def test_a_secret_is_refused_with_its_place_unless_the_owner_says_that_it_is_none(people):
    ada, bob = people
    token = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"
    lines = [
        ("header", {"summary": "Add", "description": ""}),
        text_file("a/settings.py", f"x = 1\nTOKEN = '{token}'\n"),
    ]
    refused = commit(ada, lines)
    assert refusal(refused) == (422, "secrets_found")
    [found] = refused.json["context"]["secrets"]
    assert (found["path"], found["line"]) == ("a/settings.py", 2)
    assert token not in refused.text
    assert commit(bob, lines, "?create_pr=1&allow_secrets=1").status_code == 403
    assert data(commit(ada, lines, "?allow_secrets=1"))["is_new"]


def test_an_edit_with_a_secret_is_refused_as_an_upload_is_and_old_ones_are_not_told_of_again(people):
    ada, bob = people
    first, second = (f"TOKEN = 'ghp_{letter}B3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5'\n" for letter in "ab")

    def change(caller, text, **more):
        file = {"path": "config.py", "content": text, "sha": more.pop("sha", None)}
        return caller.post(f"{PLACE}/changes", {"message": "Configure", "files": [file], **more})

    refused = change(ada, f"x = 1\n{first}")
    assert refusal(refused) == (422, "secrets_found")
    [found] = refused.json["context"]["secrets"]
    assert (found["path"], found["line"]) == ("config.py", 2)
    assert refusal(change(bob, first, create_pr=True))[1] == "secrets_found"
    assert change(bob, first, create_pr=True, allow_secrets=True).status_code == 403
    assert data(change(ada, first, allow_secrets=True))["is_new"]
    sha = data(ada.get(f"{PLACE}/blob/config.py"))["sha"]
    assert refusal(change(ada, f"{first}{second}", sha=sha))[1] == "secrets_found"
    assert data(change(ada, f"# A comment\n{first}", sha=sha))["is_new"]


def test_a_change_is_made_once_and_over_nobody_elses(people):
    ada, _ = people
    changes = f"{PLACE}/changes"
    new = {"message": "Add", "files": [{"path": "a.py", "content": "one\n", "sha": ""}]}
    again = {**ada.headers, "Idempotency-Key": "k1"}
    answers = [ada.client.post(f"/api/v1{changes}", json=new, headers=again) for _ in range(2)]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert refusal(ada.post(changes, new)) == (409, "file_changed")

    sha = data(ada.get(f"{PLACE}/blob/a.py"))["sha"]
    first = {"message": "First", "files": [{"path": "a.py", "content": "two\n", "sha": sha}]}
    second = {"message": "Second", "files": [{"path": "a.py", "content": "three\n", "sha": sha}]}
    data(ada.post(changes, first))
    assert refusal(ada.post(changes, second)) == (409, "file_changed")
    assert data(ada.get(f"{PLACE}/raw/a.py")) == "two\n"

    sha = data(ada.get(f"{PLACE}/blob/a.py"))["sha"]
    moved = [
        {"path": "b/a.py", "action": "move", "source": "a.py", "sha": sha},
        {"path": "b/a.py", "content": "moved\n"},
    ]
    landed = data(ada.post(changes, {"message": "Move", "files": moved, "new_branch": "side", "create_pr": True}))
    assert (landed["branch"], landed["pull_number"]) == ("side", 1)
    assert data(ada.get(f"{PLACE}/raw/b/a.py?ref=side")) == "moved\n"
    assert ada.get(f"{PLACE}/raw/a.py?ref=side").status_code == 404
    assert refusal(ada.post(changes, {"message": " ", "files": moved})) == (400, "REQ-ERR-4")


def test_whether_a_name_is_free_is_told_to_who_could_use_it(people, nobody):
    ada, bob = people
    for name, is_free in (("thing", False), ("Thing", False), ("other", True), ("-bad-", False)):
        found = data(ada.get(f"/models/check_name?name={name}"))
        assert (found["is_free"], bool(found["reason"])) == (is_free, not is_free), name
    assert data(ada.get("/datasets/check_name?name=thing"))["is_free"] is True
    assert bob.get("/models/check_name?namespace=ada&name=x").status_code == 403
    assert nobody.get("/models/check_name?namespace=ada&name=x").status_code == 401
