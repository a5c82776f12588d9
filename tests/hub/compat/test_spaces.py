"""What spaces are run with: variables and secrets, at their making, in copies, and through the REST API alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from hub.accounts.models import User
from hub.base.context import Context
from hub.db.uow import reading
from hub.repos.models import Repository
from tests.hub.compat.conftest import Call, refusal

BASE = "/hf/api/spaces/ada/demo"


@pytest.fixture
def space(make_repository: Callable[..., Repository], people: dict[str, User]) -> Repository:
    return make_repository(people["ada"], "demo", kind="space")


def stored(context: Context, path: str) -> dict[str, Any]:
    with reading(context) as work:
        found = work.session.scalars(select(Repository).where(Repository.kind == "space")).all()
        return next(one.details for one in found if one.path == path)


def test_variables_and_secrets_are_kept_and_secrets_never_shown(
    context: Context, call: Call, space: Repository
) -> None:
    said = call("POST", f"{BASE}/variables", json={"key": "MODEL", "value": "ada/thing", "description": "Which"})
    assert said.get_json()["MODEL"] | {"updatedAt": ""} == {
        "value": "ada/thing",
        "description": "Which",
        "updatedAt": "",
    }
    call("POST", f"{BASE}/variables", json={"key": "MODEL", "value": "ada/other"})
    call("POST", f"{BASE}/variables", json={"key": "A", "value": ""})
    found = call("GET", f"{BASE}/variables", None).get_json()
    assert [(key, one["value"], one.get("description")) for key, one in found.items()] == [
        ("A", "", None),
        ("MODEL", "ada/other", "Which"),
    ]
    answers = [call("POST", f"{BASE}/secrets", json={"key": "TOKEN", "value": "hunter2", "description": "Mine"})]
    answers += [call("GET", f"{BASE}/secrets"), call("GET", f"{BASE}/variables"), call("GET", BASE)]
    assert not [one for one in answers if one.status_code != 200 or "hunter2" in one.text]
    secret = answers[1].get_json()["TOKEN"]
    assert secret["description"] == "Mine"
    assert secret["updatedAt"].endswith("Z")
    assert "hunter2" not in str(stored(context, "ada/demo"))
    assert refusal(call("GET", f"{BASE}/secrets", "bob"))[0] == 403
    # Who administers the space reads them by the REST API, which keeps them in the same place.
    assert call("GET", "/api/v1/spaces/ada/demo").get_json()["data"]["variables"] == '{"MODEL": "ada/other", "A": ""}'
    call("PUT", "/api/v1/spaces/ada/demo", json={"variables": '{"N": 3}'})
    assert call("GET", f"{BASE}/variables").get_json() == {"N": {"value": "3"}}

    assert call("DELETE", f"{BASE}/secrets", json={"key": "TOKEN"}).get_json() == {}
    assert call("DELETE", f"{BASE}/variables", json={"key": "NONE"}).status_code == 200
    for wrong in (
        {"key": "1A", "value": "x"},
        {"key": "A B", "value": "x"},
        {"key": "", "value": "x"},
        {"key": "A" * 129, "value": "x"},
        {"key": "A", "value": "\0"},
        {"key": "A", "value": "x" * 17_000},
        {"key": "A", "value": "x", "description": "x" * 256},
        {"key": "A"},
    ):
        assert refusal(call("POST", f"{BASE}/variables", json=wrong))[0] in (400, 422), wrong
    assert refusal(call("GET", "/hf/api/models/ada/demo/variables"))[0] == 404


@pytest.mark.any_database
def test_a_space_is_made_and_copied_with_what_it_is_to_be_run_with(context: Context, call: Call) -> None:
    body = {"name": "app", "type": "space", "sdk": "static", "secrets": [{"key": "S", "value": "hunter2"}]}
    body["variables"] = [{"key": "V", "value": "1", "description": "x"}, {"key": "W", "value": "2"}]
    made = call("POST", "/hf/api/repos/create", json=body)
    assert made.status_code == 200, made.text
    at = "/hf/api/spaces/ada/app"
    noted = call("GET", f"{at}/variables").get_json()
    assert all(entry.pop("updatedAt").endswith("Z") for entry in noted.values())
    assert noted == {"V": {"value": "1", "description": "x"}, "W": {"value": "2"}}
    assert list(call("GET", f"{at}/secrets").get_json()["S"]) == ["updatedAt"]
    assert call("GET", f"{at}/runtime", None).get_json() | {"devMode": False} == {
        "stage": "PAUSED",
        "hardware": {"current": None, "requested": None},
        "gcTimeout": None,
        "storage": None,
        "devMode": False,
    }
    copy = {
        "repository": "bob/app-2",
        "visibility": "private",
        "secrets": [{"key": "OWN", "value": "x", "description": "y"}],
    }
    answer = call("POST", f"{at}/duplicate", "bob", json=copy)
    assert answer.get_json() == {"url": "http://localhost/hf/spaces/bob/app-2"}
    again = call("POST", f"{at}/duplicate", "bob", json=copy)
    assert refusal(again)[0] == 409
    assert again.get_json()["url"] == "http://localhost/hf/spaces/bob/app-2"
    copied = call("GET", "/hf/api/spaces/bob/app-2/variables", "bob").get_json()
    assert copied == {"V": {"value": "1"}, "W": {"value": "2"}}
    secrets = call("GET", "/hf/api/spaces/bob/app-2/secrets", "bob").get_json()
    assert {key: entry["description"] for key, entry in secrets.items()} == {"OWN": "y"}
    assert call("GET", "/hf/api/spaces/bob/app-2", "bob").get_json()["private"] is True
    assert "sdk" in stored(context, "bob/app-2")
    bad = {"name": "bad", "type": "space", "sdk": "gradio", "variables": [{"key": "no good", "value": "x"}]}
    assert refusal(call("POST", "/hf/api/repos/create", json=bad))[0] == 400
    bad["variables"] = [{"key": "good", "value": "x", "description": "x" * 256}]
    assert refusal(call("POST", "/hf/api/repos/create", json=bad))[0] == 400
    assert call("GET", "/hf/api/spaces/ada/bad").status_code == 404


def test_spaces_are_searched_by_words_tags_and_sdk(call: Call, make_repository: Any, people: dict[str, User]) -> None:
    for name, sdk in (("image-maker", "gradio"), ("image-page", "static"), ("other", "docker")):
        assert call("POST", "/hf/api/repos/create", json={"name": name, "type": "space", "sdk": sdk}).status_code == 200
    make_repository(people["ada"], "image-hidden", kind="space", private=True)
    make_repository(people["ada"], "image-model")
    call("POST", "/api/spaces/ada/image-page/like", "bob")

    def found(query: str, as_: str | None = None) -> list[str]:
        answer = call("GET", f"/api/spaces/semantic-search?{query}", as_)
        assert answer.status_code == 200, answer.text
        return [space["id"] for space in answer.get_json()]

    assert found("q=image") == ["ada/image-page", "ada/image-maker"]
    assert set(found("q=image&includeNonRunning=true", "ada")) == {
        "ada/image-page",
        "ada/image-maker",
        "ada/image-hidden",
    }
    assert found("q=image&sdk=static") == ["ada/image-page"]
    assert set(found("sdk=static&sdk=docker")) == {"ada/image-page", "ada/other"}
    assert found("q=image&filter=license:mit") == []
    assert refusal(call("GET", "/api/spaces/semantic-search?sdk=none", None)) == (400, None)


@pytest.mark.any_database
def test_what_a_space_is_wished_to_run_on_is_kept(call: Call, space: Repository) -> None:
    asked = call("POST", f"{BASE}/hardware", json={"flavor": "t4-small", "sleepTimeSeconds": 300}).get_json()
    assert asked["hardware"] == {"current": None, "requested": "t4-small"}
    assert call("POST", f"{BASE}/sleeptime", json={"seconds": -1}).get_json()["gcTimeout"] == -1
    call("POST", f"{BASE}/variables", json={"key": "V", "value": "1"})
    told = call("POST", f"{BASE}/pause").get_json()
    assert (told["stage"], told["hardware"]["requested"], told["gcTimeout"]) == ("PAUSED", "t4-small", -1)
    for word, wrong in (
        ("hardware", {"flavor": "a b"}),
        ("hardware", {"flavor": "x" * 65}),
        ("hardware", {}),
        ("sleeptime", {"seconds": -2}),
        ("sleeptime", {"seconds": 10**9}),
    ):
        assert refusal(call("POST", f"{BASE}/{word}", json=wrong))[0] in (400, 422), wrong
    for word in ("hardware", "sleeptime", "pause"):
        body = {"flavor": "cpu-basic", "seconds": 1}
        assert refusal(call("POST", f"{BASE}/{word}", "bob", json=body))[0] == 403
        assert refusal(call("POST", f"/hf/api/models/ada/demo/{word}", json=body))[0] == 404
    assert call("GET", f"{BASE}/runtime", None).get_json() == told
    body = {"name": "made", "type": "space", "sdk": "gradio", "hardware": "cpu-upgrade", "storageTier": "small"}
    assert call("POST", "/hf/api/repos/create", json=body | {"sleepTimeSeconds": 60}).status_code == 200
    told = call("GET", "/hf/api/spaces/ada/made/runtime", None).get_json()
    assert (told["hardware"]["requested"], told["gcTimeout"], told["storage"]) == ("cpu-upgrade", 60, "small")
    assert refusal(call("POST", "/hf/api/repos/create", json=body | {"name": "bad", "hardware": "\0"}))[0] == 400
    assert call("GET", "/hf/api/spaces/ada/bad").status_code == 404


@pytest.mark.any_database
def test_a_hub_that_runs_no_spaces_says_so(call: Call, space: Repository, write: Callable[..., str]) -> None:
    for method, word in (("POST", "restart"), ("POST", "dev-mode"), ("PUT", "volumes"), ("DELETE", "volumes")):
        answer = call(method, f"{BASE}/{word}", json={"enabled": True, "volumes": []})
        assert refusal(answer)[0] == 400
        assert "does not run" in answer.headers["X-Error-Message"]
    assert call("GET", f"{BASE}/runtime").get_json()["stage"] == "PAUSED"
    call("DELETE", "/api/v1/spaces/ada/demo/raw/app.py", json={"message": "Gone", "branch": "main"})
    assert call("GET", f"{BASE}/runtime").get_json()["stage"] == "NO_APP_FILE"
    for kind in ("run", "build"):
        logs = call("GET", f"{BASE}/logs/{kind}")
        assert (logs.status_code, logs.mimetype, logs.data) == (200, "text/event-stream", b"")
        assert refusal(call("GET", f"{BASE}/logs/{kind}", "bob"))[0] == 403
    assert refusal(call("GET", f"{BASE}/logs/else")) == (404, None)
    assert call("GET", "/hf/api/spaces/hardware", None).get_json() == []
    assert call("GET", "/hf/api/spaces/templates", None).get_json() == {"templates": []}
