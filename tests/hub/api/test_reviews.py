"""The REST routes of reviews and of conversations about lines, as clients see them."""

import pytest

from hub.repos.files import FileEdit, commit_files
from tests.support.api import data, refusal

pytestmark = pytest.mark.any_database


def test_a_review_with_a_suggestion_that_is_taken(context, as_user, nobody, make_repository, actor_of):
    ada, bob, eve = (as_user(name) for name in ("ada", "bob", "eve"))
    thing = make_repository(ada.user, "thing")

    def commit(user, content, **where):
        edits = [FileEdit("a.txt", content=content)]
        commit_files(context, actor=actor_of(user), repository_id=thing.id, message="x", edits=edits, **where)

    commit(ada.user, b"one\ntwo\n", branch="main")
    pulls = "/models/ada/thing/pulls"
    pull = data(bob.post(pulls, {"title": "Better"}))
    place = f"{pulls}/1"
    commit(bob.user, b"one\nTWO\n", proposal=1)
    asked = data(bob.post(f"{place}/review_requests", {"users": ["eve"]}))
    assert [(one["user"]["name"], one["state"]) for one in asked] == [("eve", "requested")]
    line = {"path": "a.txt", "end_line": 2, "content": "So:\n```suggestion\n2\n```"}
    assert refusal(nobody.post(f"{place}/reviews", {"state": "approved"}))[0] == 401
    assert refusal(eve.post(f"{place}/reviews", {"state": "commented"})) == (400, "REQ-ERR-6")
    for wrong in ({"end_line": 3}, {"end_line": 0}, {"side": "left"}, {"start_line": 2**40}, {"content": "\0"}):
        assert eve.post(f"{place}/reviews", {"state": "commented", "comments": [line | wrong]}).status_code == 400
    missing = {"state": "commented", "comments": [line | {"path": "b.txt"}]}
    assert refusal(eve.post(f"{place}/reviews", missing))[0] == 404
    given = data(eve.post(f"{place}/reviews", {"state": "changes", "comments": [line]}))
    assert (given["state"], given["comment_count"], given["user"]["name"]) == ("changes", 1, "eve")
    (reviewer,) = data(nobody.get(f"{place}/reviewers"))
    assert (reviewer["state"], reviewer["is_requested"], reviewer["has_weight"]) == ("changes", False, False)
    (thread,) = data(nobody.get(f"{place}/threads?state=open&path=a.txt"))
    assert (thread["excerpt"], thread["start_line"], thread["is_outdated"]) == ("TWO", 2, False)
    assert thread["comments"][0]["suggestion"] == "2\n"
    at = f"{place}/threads/{thread['id']}"
    data(bob.post(f"{at}/comments", {"content": "Right."}))
    assert refusal(eve.put(at, {"is_resolved": True}))[0] == 403
    assert data(nobody.get(f"{place}/threads?path=%00")) == []
    assert refusal(bob.post(f"{at}/apply", {"seen": "3\n"})) == (409, "suggestion_changed")
    made = data(bob.post(f"{at}/apply", {"seen": "2\n"}))["commit_id"]
    shown = data(nobody.get(at))
    assert (shown["is_resolved"], shown["resolved_by"], shown["is_outdated"]) == (True, "bob", True)
    assert [one["applied_commit"] for one in shown["comments"]] == [made, None]
    assert refusal(bob.post(f"{at}/apply", {}))[0] == 409
    assert data(bob.put(at, {"is_resolved": False}))["is_resolved"] is False
    dismissed = data(ada.post(f"{place}/reviews/{given['id']}/dismiss", {"reason": "It is done."}))
    assert (dismissed["dismissed_by"], dismissed["dismissal"]) == ("ada", "It is done.")
    assert [one["dismissal"] for one in data(nobody.get(f"{place}/reviews"))] == ["It is done."]
    data(ada.post(f"{place}/review_requests", {"users": ["eve"]}))
    left = data(eve.delete(f"{place}/review_requests/eve"))
    assert [(one["state"], one["is_requested"]) for one in left] == [("dismissed", False)]
    # Clients of discussions see none of it.
    assert data(nobody.get(f"/discussions/{pull['id']}"))["comments"]["data"] == []
    # Conversations quote the files.
    data(ada.put("/models/ada/thing/gate", {"gated": "manual"}))
    assert refusal(eve.get(f"{place}/threads")) == (403, "gated_repository")
    assert refusal(eve.get(at)) == (403, "gated_repository")
    again = {"state": "commented", "comments": [line]}
    assert refusal(eve.post(f"{place}/reviews", again)) == (403, "gated_repository")
    assert data(ada.get(at))["comment_count"] == 2
    data(ada.put("/models/ada/thing", {"private": True}))
    assert refusal(eve.get(f"{place}/threads"))[0] == 404
