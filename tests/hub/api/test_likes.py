"""The REST routes of likes, as clients of the platform see them. Likes are row 14 of the contract's section 9."""

import pytest

from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, bob likes, eve has a token for reading only."""
    scopes = {"eve": "read"}
    callers = {}
    for name in ("ada", "bob", "eve"):
        user = make_user(name)
        callers[name] = Caller(client, make_token(user, scopes.get(name, "write")))
        callers[name].user = user
    return callers


@pytest.fixture
def nobody(client):
    return Caller(client)


def test_what_one_likes_is_counted_and_listed(people, nobody, make_repository):
    ada, bob, eve = people.values()
    thing = make_repository(ada.user)
    space = make_repository(ada.user, "room", kind="space")
    secret = make_repository(ada.user, "secret", private=True)
    address = f"/user/bob/likes/{thing.id}"
    for _twice in range(2):
        data(bob.put(address))
    data(bob.put(f"/user/BOB/likes/{space.id}"))
    shown = data(bob.get("/models/ada/thing"))
    assert (shown["likes"], shown["user_likes"]) == (1, True)
    shown = data(ada.get("/spaces/ada/room"))
    assert (shown["like_count"], shown["user_likes"]) == (1, False)

    listed = ada.get("/user/bob/likes/models").json
    assert (listed["msg"], listed["message"], listed["total"]) == ("OK", "OK", 1)
    assert [item["path"] for item in listed["data"]] == ["ada/thing"]
    assert [item["like_count"] for item in data(bob.get("/user/bob/likes/spaces"))] == [1]
    assert bob.get("/user/bob/likes/mcps").json == {"msg": "OK", "message": "OK", "data": []}
    assert refusal(bob.get("/user/bob/likes/models?per=0")) == (400, "REQ-ERR-6")
    assert refusal(nobody.get("/user/bob/likes/models")) == (401, "AUTH-ERR-0")

    assert refusal(nobody.put(address)) == (401, "AUTH-ERR-0")
    assert refusal(ada.put(address)) == (403, "AUTH-ERR-2")
    assert refusal(eve.put(f"/user/eve/likes/{thing.id}")) == (403, "AUTH-ERR-2")
    assert refusal(bob.put(f"/user/bob/likes/{secret.id}")) == (404, "REPO-ERR-3")
    assert refusal(bob.put(f"/user/bob/likes/{10**9}")) == (404, "REPO-ERR-3")
    assert refusal(bob.put(f"/user/none/likes/{thing.id}"))[0] == 404
    for _twice in range(2):
        data(bob.delete(address))
    shown = data(bob.get("/models/ada/thing"))
    assert (shown["likes"], shown["user_likes"]) == (0, False)


def test_collections_are_liked_and_listed_alike(people, nobody):
    ada, bob, _eve = people.values()
    shown, hidden = (
        data(ada.post("/collections", {"name": name, "private": name == "hidden"}))["id"]
        for name in ("shown", "hidden")
    )
    data(bob.put(f"/user/bob/likes/collections/{shown}"))
    assert refusal(bob.put(f"/user/bob/likes/collections/{hidden}")) == (404, "collection_not_found")
    assert refusal(ada.put(f"/user/bob/likes/collections/{shown}")) == (403, "AUTH-ERR-2")
    listed = ada.get("/user/bob/likes/collections").json
    assert (listed["total"], [item["name"] for item in listed["data"]]) == (1, ["shown"])
    assert [(item["likes"], item["user_likes"]) for item in listed["data"]] == [(1, False)]
    assert refusal(nobody.get("/user/bob/likes/collections")) == (401, "AUTH-ERR-0")
    data(bob.delete(f"/user/bob/likes/collections/{shown}"))
    assert bob.get("/user/bob/likes/collections").json["total"] == 0
