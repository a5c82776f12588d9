"""Collections in the form of the Hub's clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.accounts.models import User
from hub.repos.models import Repository
from tests.hub.compat.conftest import Call, refusal

pytestmark = pytest.mark.any_database
BASE = "/hf/api/collections"


@pytest.fixture
def made(call: Call) -> dict[str, Any]:
    answer = call("POST", BASE, json={"title": "Bester Größen!", "namespace": "ada", "description": "Ours."})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_collection_is_made_changed_and_deleted(call: Call, made: dict[str, Any]) -> None:
    at = f"{BASE}/{made['slug']}"
    assert made["slug"].startswith("ada/bester-gr-en-")
    assert len(made["slug"].rpartition("-")[2]) == 24
    assert made["items"] == []
    assert (made["position"], made["theme"], made["upvotes"], made["private"]) == (0, "green", 0, False)
    assert made["lastUpdated"].endswith("Z")
    taken = call("POST", BASE, json={"title": "Bester Größen!", "namespace": "ada"})
    assert refusal(taken)[0] == 409
    assert taken.get_json()["slug"] == made["slug"]
    changed = call("PATCH", at, json={"title": "New", "theme": "pink", "position": 3, "private": True}).get_json()[
        "data"
    ]
    assert (changed["title"], changed["theme"], changed["position"], changed["private"]) == ("New", "pink", 3, True)
    assert changed["description"] == "Ours."
    assert refusal(call("GET", at, "bob"))[0] == 404
    group = {"resourceGroupId": "66670e5163145ca562cb1988"}
    refused = call("POST", f"{at}/resource-group", json=group)
    assert (refusal(refused)[0], "no resource groups" in refused.headers["X-Error-Message"]) == (400, True)
    assert refusal(call("POST", f"{at}/resource-group", "bob", json=group))[0] == 404
    assert call("GET", at).get_json()["title"] == "New"  # by the slug of before
    for wrong in ({"theme": "beige"}, {"position": -1}, {"title": ""}, {"title": "x" * 65}):
        assert refusal(call("PATCH", at, json=wrong))[0] in (400, 422), wrong
    assert call("DELETE", at).status_code == 200
    assert refusal(call("DELETE", at))[0] == 404
    for missing in ("x", "x-" + "0" * 24, "x-" + "f" * 24):
        assert refusal(call("GET", f"{BASE}/ada/{missing}"))[0] == 404


def test_items_have_notes_and_places(
    call: Call,
    made: dict[str, Any],
    thing: Repository,
    people: dict[str, User],
    make_repository: Callable[..., Repository],
) -> None:
    at = f"{BASE}/{made['slug']}"
    make_repository(people["ada"], "data", kind="dataset")
    make_repository(people["ada"], "hidden", private=True)
    for kind, name in (("model", "thing"), ("dataset", "data"), ("model", "hidden")):
        body = {"item": {"id": f"ada/{name}", "type": kind}, "note": f"The {name}"}
        assert call("POST", f"{at}/items", json=body).status_code == 200
    assert refusal(call("POST", f"{at}/items", json=body))[0] == 409
    assert refusal(call("POST", f"{at}/items", "bob", json=body))[0] == 403
    for item, status in ((("ada/none", "model"), 404), (("2307.09288", "paper"), 400)):
        answer = call("POST", f"{at}/items", json={"item": dict(zip(("id", "type"), item, strict=True))})
        assert refusal(answer)[0] == status

    items = call("GET", at, "bob").get_json()["items"]
    assert [(item["id"], item["type"], item["position"]) for item in items] == [
        ("ada/thing", "model", 0),
        ("ada/data", "dataset", 1),
    ]
    assert items[0]["note"] == {"text": "The thing"}
    last = f"{at}/items/{items[1]['_id']}"
    assert call("PATCH", last, json={"position": 0, "note": ""}).status_code == 200
    items = call("GET", at).get_json()["items"]
    assert [item["id"] for item in items] == ["ada/data", "ada/thing", "ada/hidden"]
    assert "note" not in items[0]
    assert call("DELETE", last).status_code == 200
    assert refusal(call("DELETE", last))[0] == 404
    assert refusal(call("PATCH", f"{at}/items/nothing", json={"note": "x"}))[0] == 404


def test_lists_are_filtered_sorted_and_paged(call: Call, made: dict[str, Any], thing: Repository) -> None:
    call("POST", BASE, "bob", json={"title": "Bob's", "namespace": "bob"})
    call("POST", BASE, "bob", json={"title": "Own", "namespace": "bob", "private": True})
    call("POST", f"{BASE}/{made['slug']}/items", json={"item": {"id": "ada/thing", "type": "model"}})

    def titles(query: str, as_: str | None = None) -> list[str]:
        found = call("GET", f"{BASE}{query}", as_).get_json()
        assert all("position" not in one for one in found)  # the client adds its own, and would raise
        return [one["title"] for one in found]

    assert titles("") == ["Bester Größen!", "Bob's"]
    assert titles("?owner=bob", "bob") == ["Own", "Bob's"]
    assert titles("?owner=bob&owner=ada&sort=trending") == ["Bester Größen!", "Bob's"]
    assert titles("?item=models/ada/thing") == ["Bester Größen!"]
    assert titles("?item=models/ada/none") == titles("?item=what") == titles("?owner=none") == []
    first = call("GET", f"{BASE}?limit=1", None)
    following = first.headers["Link"].split(">")[0].removeprefix("<http://localhost")
    assert [one["title"] for one in call("GET", following, None).get_json()] == ["Bob's"]
    assert "Link" not in call("GET", following, None).headers
    assert refusal(call("GET", f"{BASE}?sort=age", None))[0] in (400, 422)
