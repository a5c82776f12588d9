"""The console's pages of what runs and of what it can be run on."""

from __future__ import annotations

from typing import Any

import pytest

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.compute.machines import MACHINES
from hub.compute.service.starting import start_workload
from hub.compute.service.workloads import create_workload
from hub.db.uow import unit_of_work
from tests.hub.compute.programs import failing, serving
from tests.support.jobs import run_now

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]


def test_workloads_and_resources_are_shown_and_managed_from_the_console(
    client: Any, context: Context, make_user: Any, make_token: Any, count_queries: Any
) -> None:
    ada, boss = make_user("ada"), make_user("boss", admin=True)
    root = {"Accept": "text/html", "Authorization": f"Bearer {make_token(boss, 'admin')}"}
    assert 'data-state="empty"' in client.get("/admin_panel/workloads", headers=root).text
    made = []
    for spec in (serving(secrets=("TOKEN",)), failing()):
        with unit_of_work(context) as work:
            one = create_workload(
                work,
                actor=SYSTEM,
                namespace=ada.namespace,
                purpose="tests",
                spec=spec,
                title=f"<i>{spec.svc_name}</i>",
                secrets=dict.fromkeys(spec.secrets, "hunter2"),
            )
        start_workload(context, actor=SYSTEM, workload_id=one.id)
        run_now(context, "compute.start", workload_id=one.id, task=1)
        made.append(one.id)
    page = client.get("/admin_panel/workloads", headers=root).text
    assert page.count('data-testid="workloads.row"') == 2
    assert "&lt;i&gt;web&lt;/i&gt;" in page
    assert "ExitCode:1" in page
    assert "&lt;i&gt;bad" not in client.get("/admin_panel/workloads?status=Running", headers=root).text
    one = client.get(f"/admin_panel/workloads/{made[0]}", headers=root).text
    assert 'data-testid="workload.log"' in one
    assert "TOKEN=***" in one
    assert "hunter2" not in one
    assert 'data-testid="workload.stop"' in one
    assert 'data-testid="workload.start"' not in one

    answer = client.put(f"/api/v1/workloads/{made[0]}/stop", headers=root | {"Accept": "application/json"})
    assert answer.json["data"]["status"] == "Stopped"
    assert 'data-testid="workload.start"' in client.get(f"/admin_panel/workloads/{made[0]}", headers=root).text
    shown = client.get(f"/api/v1/workloads/{made[1]}", headers=root | {"Accept": "application/json"}).json["data"]
    assert (shown["status"], shown["instances"][0]["exit_code"], shown["usage"]) == ("DeployFailed", 1, None)
    events = client.get(f"/api/v1/workloads/{made[1]}/logs?limit=1&since=1hour", headers=root).text
    assert events == "retry: 3000\n\nevent: Container\ndata: it was told to fail\n\n"
    assert client.get(f"/api/v1/workloads/{made[1]}/status", headers=root).text.startswith(
        "retry: 3000\n\nevent: status"
    )
    listed = client.get("/api/v1/workloads?status=Stopped&namespace=ada", headers=root).json
    assert [found["id"] for found in listed["data"]] == [made[0]]

    resources = client.get("/admin_panel/resources", headers=root).text
    assert "Fake-80G" in resources
    assert "64 of 64 cores are free" in resources
    for path in ("workloads", "resources", f"workloads/{made[0]}"):
        assert client.get(f"/admin_panel/{path}").status_code == 401
    client.delete(f"/api/v1/workloads/{made[0]}", headers=root)
    assert client.get(f"/admin_panel/workloads/{made[0]}", headers=root).status_code == 404
    context[MACHINES].driver.close()


@pytest.mark.settings(compute="absent")
def test_without_a_driver_the_pages_say_so(client: Any, make_user: Any, make_token: Any) -> None:
    root = {"Accept": "text/html", "Authorization": f"Bearer {make_token(make_user('boss', admin=True), 'admin')}"}
    assert "Nobody answers for the machines" in client.get("/admin_panel/resources", headers=root).text
