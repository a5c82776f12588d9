"""What workloads can be run on, and where, over REST."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.accounts.policy import SYSTEM
from hub.compute.service.starting import start_workload
from hub.compute.service.workloads import create_workload
from hub.compute.spec import Resources
from hub.db.uow import unit_of_work
from tests.hub.compute.programs import serving

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]

GPU = {"cpu": {"type": "Intel", "num": "8"}, "memory": "64Gi", "gpu": {"type": "NVIDIA-Fake-80G", "num": "8"}}


@pytest.fixture
def admin(make_user: Any, make_token: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token(make_user('root', admin=True), 'admin')}"}


def test_resources_are_offered_judged_changed_and_taken_back(
    client: Any, context: Any, admin: dict[str, str], count_queries: Any
) -> None:
    def listed(query: str = "") -> dict[str, dict[str, Any]]:
        answer = client.get(f"/api/v1/space_resources?per=100&{query}")
        assert answer.status_code == 200, answer.json
        assert answer.json.get("total", 0) == len(answer.json["data"])
        return {one["name"]: one for one in answer.json["data"]}

    assert set(listed()) == {"CPU 1 · 2Gi", "CPU 2 · 4Gi", "CPU all · fake", "Fake-80G · 1"}
    card = listed("resource_type=gpu")["Fake-80G · 1"]
    assert (card["hardware_model"], card["pay_mode"], card["is_available"]) == ("XPU", "free", True)
    assert card["available_status_list"] == [{"available": True, "node_name": "fake", "reason": "ok"}]

    body = {"name": "Eight cards", "resources": json.dumps(GPU), "scenarios": ["inference", "finetune"]}
    made = client.post("/api/v1/space_resources", json=body, headers=admin)
    assert (made.status_code, made.json["data"]["scenarios"]) == (200, ["inference", "finetune"])
    again = client.post("/api/v1/space_resources", json=body, headers=admin)
    assert again.status_code == 409
    for odd in ("[]", "{", "x" * 20_000, '{"cpu": {"num": "0"}, "memory": "1Gi"}', "[" * 10_000, "null"):
        answer = client.post("/api/v1/space_resources", json=body | {"name": "x", "resources": odd}, headers=admin)
        assert answer.status_code in (400, 422), odd
    for odd in ({"name": ""}, {"name": "x" * 200}, {"scenarios": ["none"]}, {"cluster_id": "other"}):
        answer = client.post("/api/v1/space_resources", json=body | {"name": "x"} | odd, headers=admin)
        assert answer.status_code in (400, 404, 422), odd

    assert "Eight cards" in listed("deploy_type=1")
    assert "Eight cards" not in listed("deploy_type=0")
    assert "Fake-80G · 1" not in listed("deploy_type=7")  # a sandbox gets no card
    assert listed("deploy_type=6") == listed("cluster_id=other") == {}
    assert client.get("/api/v1/space_resources?deploy_type=x").status_code == 400
    address = f"/api/v1/space_resources/{made.json['data']['id']}"
    changed = client.put(address, json={"resources": json.dumps(GPU | {"memory": "512Gi"})}, headers=admin)
    assert changed.json["data"]["name"] == "Eight cards"
    assert listed()["Eight cards"]["available_status_list"][0]["reason"] == "insufficient_memory"
    assert "Eight cards" not in listed("is_available=true")
    assert client.delete(address, headers=admin).status_code == 200
    assert client.delete(address, headers=admin).status_code == 404
    assert "Eight cards" not in listed()

    def queries() -> int:
        with count_queries() as sent:
            listed()
        return len(sent)

    few = queries()
    for number in range(5):
        client.post("/api/v1/space_resources", json=body | {"name": f"More {number}"}, headers=admin)
    assert queries() == few
    scenarios = client.get("/api/v1/space_resources/scenarios").json["data"]
    assert {"name": "wf_dataflow", "code": 38} in scenarios
    assert client.get("/api/v1/space_resources/hardware_types").json["data"][:2] == ["cpu", "gpu"]
    assert len(client.get("/api/v1/admin/space_resources", headers=admin).json["data"]) == 9


def test_the_cluster_tells_what_is_promised(
    client: Any, context: Any, admin: dict[str, str], make_user: Any, make_token: Any
) -> None:
    ada = make_user("ada")
    client.get("/api/v1/space_resources")
    spec = serving(resources=Resources(16_000, 64 * 1024**3, 2, "Fake-80G", accelerator="gpu"))
    with unit_of_work(context) as work:
        made = create_workload(work, actor=SYSTEM, namespace=ada.namespace, purpose="tests", spec=spec)
    start_workload(context, actor=SYSTEM, workload_id=made.id)
    ada_headers = {"Authorization": f"Bearer {make_token(ada, 'read')}"}
    [cluster] = client.get("/api/v1/cluster", headers=ada_headers).json["data"]
    assert (cluster["cluster_id"], cluster["status"], cluster["node_number"]) == ("fake", "Running", 1)
    assert (cluster["cpu_usage"], cluster["mem_usage"], cluster["gpu_usage"]) == (0.25, 0.25, 0.25)
    assert (cluster["available_cpu"], cluster["available_mem"], cluster["available_gpu"]) == (48, 192, 6)
    detail = client.get("/api/v1/cluster/fake", headers=ada_headers).json["data"]
    assert detail["resources"][0]["xpu_model"] == "Fake-80G"
    assert client.get("/api/v1/cluster/none", headers=ada_headers).status_code == 404
    assert client.get("/api/v1/cluster/usage", headers=ada_headers).status_code == 403
    assert client.get("/api/v1/cluster/usage", headers=admin).json["data"][0]["total_gpu"] == 8
    public = client.get("/api/v1/cluster/public").json["data"]
    hardware = {"region": "fake", "gpu_vendor": "NVIDIA", "xpu_model": "Fake-80G", "xpu_mem": 80}
    assert public == {"region": ["fake"], "gpu_vendor": ["NVIDIA"], "hardware": [hardware]}


@pytest.mark.settings(compute="absent")
def test_without_a_driver_there_is_something_to_choose_and_no_room(client: Any) -> None:
    offered = client.get("/api/v1/space_resources").json["data"]
    assert [(one["name"], one["is_available"]) for one in offered] == [("CPU 1 · 2Gi", False), ("CPU 2 · 4Gi", False)]
    assert offered[0]["available_status_list"] == [{"available": False, "node_name": "", "reason": "node_offline"}]
    assert client.get("/api/v1/cluster/public").json["data"]["hardware"] == []
