import json

import pytest

from hub.accounts.policy import SYSTEM
from hub.base.errors import Conflict, Invalid, NotFound
from hub.compute.service.starting import start_workload
from hub.compute.service.workloads import create_workload
from hub.db.uow import unit_of_work
from tests.hub.compute.programs import serving
from tests.support.cli import make_runner
from tests.support.jobs import run_now

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]


def test_workloads_are_listed_shown_read_and_stopped(context, settings, make_user):
    ada = make_user()
    with unit_of_work(context) as work:
        spec = serving(secrets=("TOKEN",))
        made = create_workload(
            work,
            actor=SYSTEM,
            namespace=ada.namespace,
            purpose="tests",
            spec=spec,
            title="Chat",
            secrets={"TOKEN": "hunter2"},
        )
    start_workload(context, actor=SYSTEM, workload_id=made.id)
    hub = make_runner(context, settings, "workload")
    assert json.loads(hub("list", "--json"))["workloads"][0]["status"] == "Pending"
    run_now(context, "compute.start", workload_id=made.id, task=1)
    shown = hub("show", "web")
    assert "status:      Running" in shown
    assert json.loads(hub("show", str(made.id), "--json"))["namespace"] == "ada"
    assert "Running" in hub("list", "--status", "running", "--purpose", "tests")
    assert "web" not in hub("list", "--status", "Stopped")
    hub("list", "--status", "none", status=2)
    printed = hub("logs", "web", "-n", "2")
    assert printed.count("\n") == 2
    assert "TOKEN=***" in printed
    assert "hunter2" not in hub("logs", "web") + hub("show", "web", "--json")
    assert hub("stop", "web", "--wait") == "web: Stopped\n"
    assert hub("stop", "web") == "web: Stopped\n"
    hub("show", "none", refused=NotFound)


def test_what_is_offered_is_listed_added_and_removed(context, settings):
    hub = make_runner(context, settings, "sku")
    assert "CPU 1 · 2Gi" in hub("list")
    added = hub("add", "Big", "--cpu", "32", "--memory", "128Gi", "--cards", "2", "--card-model", "fake-80g")
    number = added.split()[-1].rstrip(".")
    hub("add", "Big", "--cpu", "1", "--memory", "1Gi", refused=Conflict)
    hub("add", "Odd", "--cpu", "x", "--memory", "1Gi", refused=Invalid)
    hub("add", "Odd", "--json-file", "-", input="[]", status=2)
    hub("add", "Space", "--json-file", "-", "--for", "space", input='{"cpu": {"num": "65"}, "memory": "1Gi"}')
    listed = {sku["name"]: sku for sku in json.loads(hub("list", "--json"))["skus"]}
    assert (listed["Big"]["hardware"], listed["Big"]["available"]) == ("32vCPU·128Gi·2GPU", True)
    assert listed["Space"]["reasons"] == {"fake": "insufficient_cpu"}
    assert listed["Space"]["scenarios"] == ["space"]
    hub("remove", number)
    hub("remove", number, refused=NotFound)
    assert "Big" not in hub("list")
