"""The REST routes of pull requests, as clients of the platform see them."""

import pytest

from hub.accounts.policy import Actor
from hub.repos.files import FileEdit, commit_files
from hub.repos.service import fork_repository
from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, bob reads."""
    users = {name: make_user(name) for name in ("ada", "bob")}
    callers = {name: Caller(client, make_token(user, "write")) for name, user in users.items()}
    for name, caller in callers.items():
        caller.user = users[name]
    return callers


def test_a_pull_request_from_its_opening_to_its_merge(context, client, people, make_repository, count_queries):
    ada, bob = people.values()
    thing = make_repository(ada.user, "thing")
    actor = Actor.of_user(ada.user, via="session")

    def commit(**where):
        edits = [FileEdit("new.txt", content=b"new\n")]
        made = commit_files(context, actor=actor, repository_id=thing.id, message="New", edits=edits, **where)
        return made.commit_id

    head = commit(branch="main", new_branch="side")
    place = "/models/ada/thing/pulls"
    opened = data(bob.post(place, {"title": "Better", "description": "See.", "revision": "side"}))
    expected = {
        "number": 1,
        "title": "Better",
        "status": "open",
        "ref": "refs/pr/1",
        "base": "main",
        "comment_count": 1,
    }
    assert {name: opened[name] for name in expected} == expected
    assert (opened["user"]["name"], opened["merged_at"]) == ("bob", None)
    # It is no discussion of the list, but has comments as one.
    assert data(bob.get("/models/ada/thing/discussions")) == {"discussions": []}
    assert data(bob.get(f"/discussions/{opened['id']}"))["comments"]["data"][0]["content"] == "See."
    assert refusal(bob.delete(f"/discussions/{opened['id']}")) == (409, "pull_request")
    shown = data(Caller(client).get(f"{place}/1?diff=true"))
    assert (shown["head"], shown["conflicts"], [one["id"] for one in shown["commits"]]) == (head, [], [head])
    assert "+new" in shown["diff"]

    assert refusal(bob.post(f"{place}/1/merge", {}))[0] == 403
    assert refusal(bob.put(f"{place}/1", {})) == (400, "REQ-ERR-4")
    closed = data(bob.put(f"{place}/1", {"title": "Good", "status": "closed"}))
    assert (closed["title"], closed["status"]) == ("Good", "closed")
    assert refusal(ada.post(f"{place}/1/merge", {})) == (409, "pull_request_closed")
    data(ada.put(f"{place}/1", {"status": "open"}))
    merged = data(ada.post(f"{place}/1/merge", {}))
    assert (merged["status"], merged["merged_by"], merged["merge_commit"]) == ("merged", "ada", head)
    assert refusal(ada.post(place, {"title": "Again", "revision": "side"})) == (400, "REQ-ERR-2")
    for missing in (f"{place}/2", f"{place}/2?diff=true"):
        assert refusal(ada.get(missing)) == (404, "pull_request_not_found")

    def count():
        with count_queries() as queries:
            assert ada.get(place).status_code == 200
        return len(queries)

    alone = count()
    for number in range(3):
        data(bob.post(place, {"title": f"T{number}", "is_draft": True}))
    assert count() == alone
    assert [one["number"] for one in data(ada.get(f"{place}?status=open&author=bob"))] == [4, 3, 2]
    assert [one["number"] for one in data(ada.get(f"{place}?status=closed"))] == [1]


def test_what_stands_before_a_merge_and_what_follows_it(context, people, make_repository):
    ada, bob = people.values()
    thing = make_repository(ada.user, "thing")
    fork = fork_repository(
        context, actor=Actor.of_user(bob.user, via="session"), source_id=thing.id, namespace="bob", name="copy"
    )
    edits = [FileEdit("new file.txt", content=b"new\n")]
    head = commit_files(
        context,
        actor=Actor.of_user(bob.user, via="session"),
        repository_id=fork.id,
        message="New",
        edits=edits,
        branch="main",
    ).commit_id
    place = "/models/ada/thing"
    settings = data(ada.put(f"{place}/merge_settings", {"methods": ["squash", "merge"], "default_method": "squash"}))
    assert settings == {"methods": ["merge", "squash"], "default_method": "squash", "delete_source": False}
    assert data(bob.get(f"{place}/merge_settings")) == settings
    opened = data(bob.post(f"{place}/pulls", {"title": "Mine", "source": "bob/copy", "is_draft": True}))
    assert opened["source"] == {"repository": "bob/copy", "branch": "main"}
    assert refusal(bob.post(f"{place}/pulls", {"title": "x", "source": "bob/none"}))[0] == 404
    pull = f"{place}/pulls/1"
    found = data(bob.get(f"{pull}/mergeability"))
    assert (found["state"], found["head"], found["default_method"]) == ("draft", head, "squash")
    assert [check["name"] for check in found["checks"] if not check["passed"]] == ["ready", "write"]
    assert refusal(ada.post(f"{pull}/merge", {})) == (409, "pull_request_draft")
    assert data(bob.put(pull, {"is_draft": False}))["status"] == "open"
    assert refusal(bob.put(pull, {"base": "none"})) == (404, "GIT-ERR-11")
    for files in (
        data(bob.get(f"{pull}/files?path=new+file.txt")),
        data(bob.get(f"{place}/compare/main...refs/pr/1/files?hunks=true")),
        data(bob.get(f"/models/bob/copy/commit/{head}/files?hunks=1")),
    ):
        [file] = files["files"]
        assert (file["path"], file["status"], file["additions"]) == ("new file.txt", "added", 1)
        assert file["hunks"][0]["lines"][0]["text"] == "new"
    assert refusal(bob.get(f"{pull}/files?per=101"))[0] == 400
    assert refusal(bob.get(f"{pull}/files?path=none")) == (404, "GIT-ERR-15")
    assert refusal(ada.post(f"{pull}/merge", {"method": "rebase"})) == (409, "merge_method_not_allowed")
    assert refusal(ada.post(f"{pull}/merge", {"method": "none"}))[0] == 400
    assert refusal(bob.post(f"{pull}/update_branch", {})) == (409, "up_to_date")
    merged = data(ada.post(f"{pull}/merge", {"expected_head": head}))
    assert (merged["status"], merged["merge_method"]) == ("merged", "squash")
    undone = data(bob.post(f"{pull}/revert", {}))
    assert (undone["number"], undone["title"], undone["source"]) == (2, 'Revert "Mine"', None)
    rule = {"require_pull": True, "required_approvals": 1}
    assert data(ada.put(f"{place}/protected_branches/main", rule)).items() >= rule.items()
    assert refusal(ada.post(f"{place}/pulls/2/merge", {})) == (409, "merge_blocked")
    assert data(ada.get(f"{place}/pulls/2/mergeability"))["state"] == "blocked"
