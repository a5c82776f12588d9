"""The REST routes of pull requests, as clients of the platform see them."""

import pytest

from hub.accounts.policy import Actor
from hub.repos.files import FileEdit, commit_files
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
