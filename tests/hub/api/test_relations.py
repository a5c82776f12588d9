"""The REST routes of relations and of what is recommended, as clients of the platform see them."""

import pytest

from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, eve is a stranger, root administers the hub."""
    callers = {}
    for name in ("ada", "eve", "root"):
        user = make_user(name, admin=name == "root")
        callers[name] = Caller(client, make_token(user, "admin"))
        callers[name].user = user
    return callers


@pytest.fixture
def nobody(client):
    return Caller(client)


def test_relations_are_set_and_shown_by_kind_from_both_ends(people, nobody, make_repository, count_queries):
    ada, eve, _root = people.values()
    for kind, name in (("model", "thing"), ("dataset", "data"), ("mcpserver", "tools"), ("prompt", "ask")):
        make_repository(ada.user, name, kind=kind)
    make_repository(ada.user, "secret", kind="dataset", private=True)
    relations = "/models/ada/thing/relations"
    assert data(nobody.get(relations)) == {}
    data(ada.put(relations, {"datasets": ["ada/data", "ada/secret"], "mcps": ["ada/tools"], "codes": None}))
    data(ada.put("/prompts/ada/ask/relations", {"models": ["ada/thing"]}))

    def shown(caller, address=relations):
        return {kind: sorted(item["path"] for item in items) for kind, items in data(caller.get(address)).items()}

    everything = {"datasets": ["ada/data", "ada/secret"], "mcps": ["ada/tools"], "prompts": ["ada/ask"]}
    assert shown(ada) == everything
    assert shown(eve) == shown(nobody) == everything | {"datasets": ["ada/data"]}
    assert shown(eve, "/datasets/ada/data/relations") == {"models": ["ada/thing"]}
    assert refusal(eve.get("/datasets/ada/secret/relations")) == (404, "REPO-ERR-3")

    with count_queries() as queries:
        data(ada.get(relations))
    many = len(queries)
    data(ada.delete(f"{relations}/dataset", {"dataset": "ada/secret"}))
    with count_queries() as queries:
        data(ada.get(relations))
    assert len(queries) == many
    data(ada.delete(f"{relations}/mcp", {"mcp": "ada/tools"}))
    assert shown(ada) == {"datasets": ["ada/data"], "prompts": ["ada/ask"]}

    data(ada.post(f"{relations}/dataset", {"dataset": "ada/secret"}))
    assert shown(ada)["datasets"] == ["ada/data", "ada/secret"]
    for caller, code in ((nobody, (401, "AUTH-ERR-0")), (eve, (403, "AUTH-ERR-2"))):
        assert refusal(caller.put(relations, {"datasets": []})) == code
        assert refusal(caller.post(f"{relations}/dataset", {"dataset": "ada/data"})) == code
        assert refusal(caller.delete(f"{relations}/dataset", {"dataset": "ada/data"})) == code
    assert refusal(ada.post(f"{relations}/dataset", {"dataset": "ada/none"})) == (404, "REPO-ERR-3")
    assert refusal(ada.post(f"{relations}/dataset", {"model": "ada/thing"})) == (400, "REQ-ERR-6")
    assert refusal(ada.post(f"{relations}/nonsense", {"nonsense": "ada/thing"})) == (404, "REPO-ERR-3")
    assert refusal(ada.put(relations, {"datasets": ["x"] * 101})) == (400, "REQ-ERR-6")


def test_site_administrators_weigh_what_is_trending(people, nobody, make_repository):
    ada, _eve, root = people.values()
    low, high = make_repository(ada.user, "low"), make_repository(ada.user, "high")
    assert refusal(nobody.post("/recom/opweight", {"repo_id": low.id, "weight": 1})) == (401, "AUTH-ERR-0")
    assert refusal(ada.post("/recom/opweight", {"repo_id": low.id, "weight": 1})) == (403, "AUTH-ERR-2")
    data(root.post("/recom/opweight", {"repo_id": low.id, "weight": -5}))
    data(root.post("/recom/opweight", {"repo_id": high.id, "weight": 5}))
    assert [item["name"] for item in data(nobody.get("/models?sort=trending"))] == ["high", "low"]
    data(root.post("/recom/opweight", {"repo_id": low.id, "weight": 50}))
    assert [item["name"] for item in data(nobody.get("/models?sort=trending"))] == ["low", "high"]
    plain, weighed = data(ada.get("/models/ada/low")), data(ada.get("/models/ada/low?need_op_weight=true"))
    assert "recom_op_weight" not in plain
    assert weighed["recom_op_weight"] == 50
    assert [score["weight_name"] for score in weighed["scores"]] == ["op", "total"]
    assert weighed["scores"][1]["score"] >= 50
    listed = data(nobody.get("/models?sort=trending&need_op_weight=True"))
    assert [item["recom_op_weight"] for item in listed] == [50, 5]
    assert refusal(root.post("/recom/opweight", {"repo_id": 10**9, "weight": 1})) == (404, "REPO-ERR-3")
    for weight in (10**7, 0.5, "x", None):
        assert refusal(root.post("/recom/opweight", {"repo_id": low.id, "weight": weight})) == (400, "REQ-ERR-6")
