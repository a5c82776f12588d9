"""The REST routes of lineage and runs."""

import pytest

from tests.support.api import data, refusal

pytestmark = pytest.mark.any_database


@pytest.fixture
def things(as_user, make_repository):
    """ada's model with her data set, eve's private one."""
    ada, eve = as_user("ada"), as_user("eve")
    make_repository(ada.user, "thing")
    make_repository(ada.user, "data", kind="dataset")
    make_repository(eve.user, "secret", kind="dataset", private=True)
    return ada, eve


def test_writers_correct_what_all_who_may_read_see(things, nobody):
    ada, eve = things
    lineage = "/models/ada/thing/lineage"
    made = data(
        ada.post(
            f"{lineage}/relations",
            {"type": "trained_on", "kind": "dataset", "path": "ada/data", "target_revision": "main", "note": "v1"},
        )
    )
    assert (made["path"], made["origin"], len(made["target_commit"]), made["denied"]) == (
        "ada/data",
        "person",
        40,
        False,
    )
    data(ada.post(f"{lineage}/relations", {"type": "finetune", "kind": "model", "path": "far/base", "external": True}))
    graph = data(nobody.get(lineage))
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert {(nodes[edge["target"]]["path"], edge["type"]) for edge in graph["edges"]} == {
        ("ada/data", "trained_on"),
        ("far/base", "finetune"),
    }
    assert (nodes["external:model:far/base"]["external"], graph["truncated"], graph["counts"]) == (True, False, {})
    seen = data(nobody.get("/datasets/ada/data/lineage?direction=down&types=trained_on,uses&depth=5"))
    assert [node["path"] for node in seen["nodes"]] == ["ada/data", "ada/thing"]
    assert seen["counts"] == {"trained_on": 1}

    relation = f"{lineage}/relations/{made['id']}"
    changed = data(ada.patch(relation, {"type": "evaluated_on"}))
    assert (changed["type"], changed["note"], changed["target_commit"]) == ("evaluated_on", "v1", made["target_commit"])
    relation = f"{lineage}/relations/{changed['id']}"
    assert data(ada.patch(relation, {"denied": True}))["denied"]
    assert len(data(nobody.get(lineage))["edges"]) == 1
    assert len(data(ada.get(f"{lineage}/relations"))) == 2
    assert not data(ada.patch(relation, {"denied": False}))["denied"]
    thing = data(ada.get("/datasets/ada/data/lineage"))["nodes"][0]["repository_id"]
    assert [item["name"] for item in data(nobody.get(f"/models?model_tree=x:evaluated_on:{thing}"))] == ["thing"]
    assert data(nobody.get(f"/models?model_tree=x:trained_on:{thing}")) == []
    data(ada.delete(relation))
    assert ada.delete(relation).json["context"]["reason"] == "relation_not_found"

    body = {"type": "uses", "kind": "dataset", "path": "eve/secret"}
    assert refusal(ada.post(f"{lineage}/relations", body)) == (404, "REPO-ERR-3")
    # The same, whether or not there is one that ada may not see.
    for path in ("eve/secret", "eve/none"):
        told = data(ada.post(f"{lineage}/relations", body | {"path": path, "external": True}))
        assert (told["path"], told["external"], told["repository_id"]) == (path, True, None)
    for caller, code in ((nobody, 401), (eve, 403)):
        assert refusal(caller.post(f"{lineage}/relations", body))[0] == code
        assert refusal(caller.get(f"{lineage}/relations"))[0] == code
    for odd in (
        {"type": "nonsense", "kind": "model", "path": "a/b"},
        {"type": "uses", "kind": "nonsense", "path": "a/b"},
        {"type": "uses", "kind": "model", "path": "../b", "external": True},
        {"type": "uses", "kind": "model", "path": "a/\0", "external": True},
        {"type": "uses", "kind": "model", "path": "a/b", "external": True, "note": "x" * 501},
        {"type": "uses", "kind": "model", "path": "ada/thing"},
    ):
        assert refusal(ada.post(f"{lineage}/relations", odd))[0] == 400, odd
    assert refusal(ada.patch(relation, {}))[0] == 400
    for query in ("depth=0", "depth=6", "direction=left", "types=nonsense"):
        assert refusal(nobody.get(f"{lineage}?{query}"))[0] == 400, query


def test_a_run_is_recorded_followed_listed_and_deleted(things, nobody, as_user):
    ada, eve = things
    body = {
        "type": "evaluation",
        "title": "How good",
        "inputs": [
            {"kind": "models", "path": "ada/thing", "revision": "main"},
            {"kind": "dataset", "path": "ada/data", "role": "test", "file": "a/test.csv"},
            {"name": "gpt-4", "role": "judge"},
        ],
        "parameters": {"shots": 5},
        "environment": {"image": "eval:1"},
        "client_id": "job-7",
    }
    run = data(ada.post("/runs", body))
    assert data(ada.post("/runs", body))["uuid"] == run["uuid"]
    assert (run["state"], run["namespace"], run["private"], run["trusted"]) == ("queued", "ada", True, False)
    assert [(link["kind"], link["path"], link["name"]) for link in run["inputs"]] == [
        ("model", "ada/thing", ""),
        ("dataset", "ada/data", ""),
        ("", "", "gpt-4"),
    ]
    path = f"/runs/{run['uuid']}"
    assert refusal(eve.get(path))[0] == refusal(nobody.get(path))[0] == 404
    assert refusal(ada.patch(path, {"state": "succeeded"}))[0] == 409
    data(ada.patch(path, {"state": "running", "metrics": {"step": 1}}))
    ended = data(ada.patch(path, {"state": "succeeded", "metrics": {"accuracy": 0.5}}))
    assert (ended["metrics"], ended["started_at"] is None, ended["finished_at"] is None) == (
        {"step": 1, "accuracy": 0.5},
        False,
        False,
    )
    [edge] = data(nobody.get("/models/ada/thing/lineage"))["edges"]
    assert (edge["type"], edge["origin"], edge["trusted"], edge["run"]) == ("evaluated_on", "run", False, None)
    graph = data(ada.get("/datasets/ada/data/lineage?runs=true"))
    [node] = [node for node in graph["nodes"] if node["run"]]
    assert (node["kind"], node["path"], node["run"]) == ("evaluation", "How good", run["uuid"])
    assert [(each["type"], each["id"]) for each in graph["edges"] if each["target"] == node["id"]] == [
        ("evaluated_on", None),
        ("evaluated_on", None),
    ]
    assert len(data(nobody.get("/models/ada/thing/lineage?runs=true"))["nodes"]) == 2
    shown = data(ada.get("/models/ada/thing/runs?type=evaluation&state=succeeded&created_by=ada"))
    assert [each["uuid"] for each in shown] == [run["uuid"]]
    commit = run["inputs"][0]["commit"]
    assert len(data(ada.get(f"/runs?repository=models/ada/thing&commit={commit}&namespace=ada"))) == 1
    assert data(nobody.get("/models/ada/thing/runs")) == data(eve.get("/runs")) == []
    assert {"training", "evaluation"} <= {type["name"] for type in data(nobody.get("/runs/types"))}

    for odd in (
        {"type": "nonsense"},
        {},
        {"type": "training", "parameters": [1]},
        {"type": "training", "inputs": [{"kind": "model"}]},
        {"type": "training", "inputs": [{"kind": "model", "path": "ada/\ud800"}]},
        {"type": "training", "inputs": [{"name": "\0"}]},
        {"type": "training", "title": "\0"},
        {"type": "training", "client_id": "\0"},
        {"type": "training", "parameters": {"a": 10**30}},
    ):
        assert refusal(ada.post("/runs", odd))[0] in (400, 404), odd
    for query in ("state=x", "commit=abc", "repository=ada/thing"):
        assert refusal(ada.get(f"/runs?{query}"))[0] == 400, query
    root = as_user("root-1", admin=True)
    data(root.delete(path))
    assert data(nobody.get("/models/ada/thing/lineage"))["edges"] == []
