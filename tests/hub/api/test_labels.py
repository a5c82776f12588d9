"""The REST routes of labels, as clients of the platform see them. Row 15 of the contract's section 9."""

import pytest

from hub.jobs.run import run_due
from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, eve is a stranger, root administers the hub."""
    users = {name: make_user(name, admin=name == "root") for name in ("ada", "eve", "root")}
    callers = {name: Caller(client, make_token(user, "admin")) for name, user in users.items()}
    for name, caller in callers.items():
        caller.user = users[name]
    return callers


@pytest.fixture
def nobody(client):
    return Caller(client)


def test_the_labels_of_a_repository_are_set_by_a_bare_array(people, nobody, make_repository):
    ada, eve, root = people.values()
    make_repository(ada.user)
    make_repository(ada.user, "secret", private=True)
    tags = "/models/ada/thing/tags"
    assert data(nobody.get(tags)) == []
    data(ada.post(f"{tags}/task", ["Text-Generation", "mine"]))
    data(ada.post(f"{tags}/license", ["mit"]))
    licence, own, task = data(nobody.get(tags))
    assert [label["name"] for label in (licence, own, task)] == ["mit", "mine", "text-generation"]
    assert (task["category"], task["group"], task["scope"]) == ("task", "natural_language_processing", "model")
    assert (task["built_in"], own["built_in"]) == (True, False)
    assert (task["show_name"], own["show_name"], task["i18n_key"]) == (
        "Text generation",
        "mine",
        "task.text-generation",
    )
    assert {"id", "created_at", "updated_at"} <= set(task)
    listed = nobody.get("/models?tag_category=task&tag_name=Mine").json
    assert [item["tags"] for item in listed["data"]] == [[licence, own, task]]
    data(ada.post(f"{tags}/task", []))
    assert [label["name"] for label in data(nobody.get(tags))] == ["mit"]

    # What is said of a private repository is not told by the catalogue.
    data(ada.post("/models/ada/secret/tags/task", ["acquisition"]))
    assert data(nobody.get("/tags?search=acquisition")) == data(ada.get("/tags?search=acquisition")) == []
    [word] = data(root.get("/tags?search=acquisition"))
    assert refusal(nobody.get(f"/tags/{word['id']}")) == (404, "label_not_found")

    assert refusal(nobody.post(f"{tags}/task", ["x"])) == (401, "AUTH-ERR-0")
    assert refusal(eve.post(f"{tags}/task", ["x"])) == (403, "AUTH-ERR-2")
    assert refusal(eve.post("/models/ada/secret/tags/task", ["x"])) == (404, "REPO-ERR-3")
    assert refusal(eve.get("/models/ada/secret/tags")) == (404, "REPO-ERR-3")
    assert refusal(ada.post(f"{tags}/colour", ["x"])) == (400, "REQ-ERR-6")
    for body in ({"names": ["x"]}, [1], ["x" * 101], ["x"] * 51, [None], "x", None):
        assert refusal(ada.post(f"{tags}/task", body)) == (400, "REQ-ERR-6")
    for raw, status in ((b"", 400), (b"[", 400), (b"[" * 100_000, 400)):
        answer = ada.client.post(
            f"/api/v1{tags}/task", data=raw, headers=ada.headers | {"Content-Type": "application/json"}
        )
        assert refusal(answer)[0] == status


def test_what_is_made_with_a_licence_is_found_by_its_label(people, nobody, context):
    collections = ("models", "datasets", "codes", "spaces", "prompts", "skills", "mcps")
    for collection in collections:
        data(people["ada"].post(f"/{collection}", {"name": "thing", "license": "MIT"}))
    run_due(context)
    for collection in collections:
        found = data(nobody.get(f"/{collection}?license_tag=mit"))
        found = found["data"] if collection == "mcps" else found
        assert [item["path"] for item in found] == ["ada/thing"], collection
        assert found[0]["license"] == "MIT"


def test_the_catalogue_is_read_by_all_and_kept_by_site_administrators(people, nobody):
    ada, _eve, root = people.values()
    whole = nobody.get("/tags?scope=model&category=task&built_in=true").json
    assert whole["total"] == len(whole["data"]) > 40
    some = nobody.get("/tags?scope=model&scope=dataset&category=task&category=size&per=100&page=2").json
    assert 0 < len(some["data"]) < some["total"] - 100 + 1
    assert len(nobody.get("/tags").json["data"]) == 50
    assert [label["name"] for label in data(nobody.get("/tags?scope=dataset&search=german"))] == ["de"]
    assert {label["scope"] for label in data(nobody.get("/tags?scope=mcp"))} == {"mcp"}
    assert refusal(nobody.get("/tags?per=101")) == (400, "REQ-ERR-6")

    body = {"name": "Red", "category": "colour", "scope": "mcp", "show_name": "Rot"}
    for caller, code in ((nobody, (401, "AUTH-ERR-0")), (ada, (403, "AUTH-ERR-2"))):
        assert refusal(caller.post("/tags", body)) == code
        assert refusal(caller.post("/tags/categories", {"name": "colour", "scope": "mcp"})) == code
    assert refusal(root.post("/tags", body)) == (400, "REQ-ERR-6")
    category = data(root.post("/tags/categories", {"name": "Colour", "scope": "mcp"}))
    assert category == {
        "id": category["id"],
        "name": "colour",
        "show_name": "colour",
        "scope": "mcp",
        "enabled": True,
        "auto_detected": False,
    }
    assert category in data(nobody.get("/tags/categories"))
    label = data(root.post("/tags", body))
    assert (label["name"], label["built_in"], label["show_name"]) == ("red", False, "Rot")
    assert refusal(root.post("/tags", body)) == (409, "SYS-ERR-4")
    address, of_category = f"/tags/{label['id']}", f"/tags/categories/{category['id']}"
    for caller, code in ((nobody, (401, "AUTH-ERR-0")), (ada, (403, "AUTH-ERR-2"))):
        for target in (address, of_category):
            assert refusal(caller.put(target, {"name": "blue"})) == code
            assert refusal(caller.delete(target)) == code
    assert data(root.put(address, {"name": "blue", "built_in": True}))["built_in"] is True
    assert data(root.put(of_category, {"name": "hue", "enabled": False}))["enabled"] is False
    assert data(nobody.get(address)) | {"updated_at": 0} == label | {
        "name": "blue",
        "built_in": True,
        "category": "hue",
        "updated_at": 0,
    }
    data(root.delete(address))
    data(root.delete(of_category))
    assert refusal(nobody.get(address)) == (404, "label_not_found")
    assert refusal(root.delete(of_category)) == (404, "category_not_found")
    assert nobody.get(f"/tags/{2**63}").status_code == 404
