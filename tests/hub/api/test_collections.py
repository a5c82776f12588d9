"""The REST routes of collections, as clients of the platform see them."""

import pytest

from hub.accounts import service as accounts
from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM
from hub.db.uow import unit_of_work
from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database

HIDDEN = (404, "collection_not_found")


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, bob writes for the organisation "acme", eve is a stranger."""
    callers = {}
    for name in ("ada", "bob", "eve"):
        user = make_user(name)
        callers[name] = Caller(client, make_token(user, "write"))
        callers[name].user = user
    return callers


@pytest.fixture
def nobody(client):
    return Caller(client)


@pytest.fixture
def acme(context, people, make_organization):
    acme = make_organization("acme")
    with unit_of_work(context) as work:
        for name, role in (("ada", Role.ADMIN), ("bob", Role.WRITE)):
            user = accounts.get_user(work, name)
            accounts.add_member(work, actor=SYSTEM, organization=acme, user=user, role=role)
    return acme


def test_a_collection_from_its_making_to_its_end(people, nobody, make_repository):
    ada, _bob, eve = people.values()
    thing = make_repository(ada.user)
    secret = make_repository(ada.user, "secret", kind="dataset", private=True)
    made = data(ada.post("/collections", {"name": "Good ones", "theme": "#fff000", "description": "small"}))
    assert made | {"created_at": 0, "updated_at": 0} == {
        "id": made["id"],
        "username": "ada",
        "namespace": "ada",
        "theme": "#fff000",
        "name": "Good ones",
        "nickname": "Good ones",
        "description": "small",
        "private": False,
        "repositories": [],
        "likes": 0,
        "user_likes": False,
        "followers": 0,
        "user_follows": False,
        "kinds": {},
        "can_write": True,
        "can_manage": True,
        "avatar": "",
        "created_at": 0,
        "updated_at": 0,
    }
    address = f"/collections/{made['id']}"
    ids = [thing.id, secret.id]
    data(ada.post(f"{address}/repos", {"repo_ids": ids, "remarks": {str(secret.id): "mine", "x": "nothing"}}))
    assert refusal(ada.post(f"{address}/repos", {"repo_ids": [thing.id]})) == (409, "COLL-ERR-0")
    items = data(ada.get(address))["repositories"]
    assert [(item["path"], item["repository_type"], item["remark"]) for item in items] == [
        ("ada/thing", "model", ""),
        ("ada/secret", "dataset", "mine"),
    ]
    assert {"id", "user_id", "nickname", "likes", "download_count", "tags", "created_at"} <= set(items[0])
    data(ada.put(f"{address}/repos/{secret.id}", {"remark": "first", "position": 1}))
    assert [item["remark"] for item in data(ada.get(address))["repositories"]] == ["first", ""]
    seen = data(nobody.get(address))
    assert ([item["path"] for item in seen["repositories"]], seen["can_write"]) == (["ada/thing"], False)
    for caller, code in ((nobody, (401, "AUTH-ERR-0")), (eve, (403, "AUTH-ERR-2"))):
        assert refusal(caller.put(address, {"name": "mine"})) == code
        assert refusal(caller.delete(address)) == code
        assert refusal(caller.post(f"{address}/repos", {"repo_ids": ids})) == code
        assert refusal(caller.delete(f"{address}/repos", {"repo_ids": ids})) == code
        assert refusal(caller.put(f"{address}/repos/{thing.id}", {"remark": "x"})) == code
    assert refusal(eve.post("/collections", {"name": "x", "namespace": "ada"})) == (403, "AUTH-ERR-2")
    assert refusal(nobody.post("/collections", {"name": "x"})) == (401, "AUTH-ERR-0")
    for body in ({}, {"repo_ids": []}, {"repo_ids": ["x"]}, {"repo_ids": [1], "remarks": {"1": "x" * 501}}):
        assert refusal(ada.post(f"{address}/repos", body)) == (400, "REQ-ERR-6")
    assert refusal(ada.post("/collections", {"name": "x", "theme": "red"})) == (400, "REQ-ERR-6")

    changed = data(ada.put(address, {"private": True, "nickname": "Best", "name": None}))
    assert (changed["private"], changed["nickname"], changed["name"]) == (True, "Best", "Good ones")
    assert (
        refusal(eve.get(address)) == refusal(eve.put(address, {"name": "x"})) == refusal(nobody.get(address)) == HIDDEN
    )
    data(ada.delete(f"{address}/repos", {"repo_ids": [secret.id]}))
    data(ada.delete(address))
    assert refusal(ada.get(address)) == HIDDEN
    assert nobody.get("/collections").json == {"msg": "OK", "data": [], "total": 0}


def test_lists_have_their_shapes_and_a_constant_number_of_queries(people, nobody, acme, make_repository, count_queries):
    ada, bob, eve = people.values()
    things = [make_repository(ada.user, f"thing{number}").id for number in range(11)]

    def make(caller, **body):
        made = data(caller.post("/collections", body))
        data(caller.post(f"/collections/{made['id']}/repos", {"repo_ids": things}))
        return made

    first = make(bob, name="of acme", namespace="acme")
    assert (first["can_write"], first["can_manage"], first["username"]) == (True, False, "bob")
    with count_queries() as queries:
        data(bob.get("/collections"))
    one = len(queries)
    make(bob, name="secret of acme", namespace="acme", private=True)
    make(ada, name="of ada")

    def names(caller, address):
        answer = caller.get(address).json
        return [item["name"] for item in answer["data"]], answer["total"]

    with count_queries() as queries:
        assert names(bob, "/collections") == (["of ada", "secret of acme", "of acme"], 3)
    assert len(queries) == one
    assert names(eve, "/collections") == names(nobody, "/collections") == (["of ada", "of acme"], 2)
    assert names(nobody, "/collections?search=OF&sort=trending&per=1&page=2") == (["of acme"], 2)
    assert names(nobody, "/user/ada/collections") == (["of ada"], 1)
    organization = bob.get("/organization/acme/collections").json
    assert (organization["message"], organization["total"]) == ("OK", 2)
    assert [len(item["repositories"]) for item in organization["data"]] == [10, 10]
    assert refusal(nobody.get("/collections?sort=oldest")) == (400, "REQ-ERR-6")
    assert refusal(nobody.get("/collections?per=101")) == (400, "REQ-ERR-6")
    assert refusal(nobody.get("/user/nobody/collections")) == (404, "REPO-ERR-2")
    assert refusal(bob.delete(f"/collections/{first['id']}")) == (403, "AUTH-ERR-2")
    data(ada.delete(f"/collections/{first['id']}"))
