"""A workload of a whole hub: what it goes on through, and what ends it."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from hub.accounts.models import Namespace
from hub.accounts.policy import SYSTEM
from hub.app import build_context
from hub.base.context import Context
from hub.base.settings import load
from hub.compute.service.polling import Seen, read_logs, see_workload
from hub.compute.service.starting import start_workload
from hub.compute.service.workloads import create_workload, new_spec
from hub.compute.spec import Health, Kind
from hub.compute.states import Code
from hub.db.engine import DATABASE
from hub.db.uow import unit_of_work
from tests.support.compute import LocalCompute, kill_all_but_workloads, supervisors
from tests.support.hub import HubServer
from tests.support.processes import free_range, wait_until

pytestmark = pytest.mark.any_database

_SERVE = """
import http.server, sys
print("serves", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def hub(start_hub: Callable[..., HubServer]) -> Iterator[HubServer]:
    """A hub of the test's own; what it runs ends with it, whatever becomes of it."""
    server = start_hub(compute_ports=free_range(20), compute_isolation="none", ssh_port=0)
    yield server
    LocalCompute(server.home).close()


@pytest.fixture
def context(hub: HubServer) -> Iterator[Context]:
    """What another process of that hub sees."""
    settings = load(hub.environment).settings
    context = build_context(replace(settings, redis_url=(hub.home / "run" / "redis.url").read_text()))
    yield context
    context[DATABASE].dispose()


def test_a_workload_outlives_the_hub_but_not_its_end(hub: HubServer, context: Context) -> None:
    hub.create_user("ada")
    spec = new_spec(
        Kind.SERVICE, argv=(sys.executable, "-c", _SERVE, "{port}"), port=8000, health=Health("/", interval_s=1)
    )
    with unit_of_work(context) as work:
        namespace = work.session.scalars(select(Namespace).where(Namespace.path == "ada")).one()
        workload = create_workload(work, actor=SYSTEM, namespace=namespace, purpose="inference", spec=spec)
    started = start_workload(context, actor=SYSTEM, workload_id=workload.id)
    compute = LocalCompute(hub.home)

    def wait_running() -> Seen:
        def seen() -> Seen:
            return see_workload(context, workload_id=started.id)

        wait_until(lambda: seen().code is Code.RUNNING and seen().is_reachable, timeout_s=60, what="it to run")
        return seen()

    def answers() -> bool:
        with urllib.request.urlopen(before.endpoint, timeout=10) as answer:
            return bool(answer.status == 200)

    before = wait_running()
    record = compute.record(spec.svc_name)
    assert answers()

    kill_all_but_workloads(hub)
    assert record.is_running
    assert answers()
    hub.start()
    after = wait_running()
    assert (after.endpoint, after.task_number) == (before.endpoint, before.task_number)
    assert compute.record(spec.svc_name) == record
    lines = [line.text for line in read_logs(context, actor=SYSTEM, workload_id=started.id) if line is not None]
    assert lines.count("serves") == 1

    # The supervisor alone dies: another takes its place, and nobody else notices.
    wait_until(lambda: supervisors(hub), what="the supervisor")
    [supervisor] = supervisors(hub)
    supervisor.kill()
    wait_until(lambda: [each for each in supervisors(hub) if each.pid != supervisor.pid], what="another supervisor")
    wait_running()
    assert compute.record(spec.svc_name) == record

    assert hub.stop() == 0  # as Ctrl-C
    assert not record.is_running
    assert not record.is_kept
