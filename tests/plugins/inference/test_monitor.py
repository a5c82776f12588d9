"""How instances fare: what they used, and the calls that each answered; for whom that is, and by which steps."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient

from hub.accounts.models import Organization, User
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.compute.machines import MACHINES
from hub.compute.models import Workload
from hub.db.uow import reading, unit_of_work
from plugins.inference.deployments.monitor import SPANS, STEPS
from plugins.inference.gateway.deployed import find_deployed
from plugins.inference.models import Call
from tests.plugins.inference import test_deployments as ground

# A model of Ada's, what it is deployed on, and a driver that runs nothing.
acme, bob, client, deploy, hub = ground.acme, ground.bob, ground.client, ground.deploy, ground.hub
run_jobs, sign, sku, tiny = ground.run_jobs, ground.sign, ground.sku, ground.tiny
PLACE = f"{ground.PLACE}/run/1"

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]


@pytest.fixture
def instance(hub: Context, deploy: Any, run_jobs: Any, acme: Organization, clock: FixedClock) -> str:
    """The name of an instance that has run for two hours."""
    assert deploy(owner_namespace="acme", min_replica=1).status_code == 200
    run_jobs()
    clock.advance(seconds=7200)
    with reading(hub) as work:
        workload = work.session.get_one(Workload, 1)
    return f"{workload.svc_name}-0"


def _add_calls(hub: Context, owner_uuid: str, *calls: tuple[timedelta, int, int | None]) -> None:
    """Calls of the deployment: how long ago, how many milliseconds, and at which upstream."""
    with unit_of_work(hub) as work:
        for ago, latency_ms, upstream_id in calls:
            texts = dict.fromkeys(
                ("request_id", "end_user", "route", "provider", "upstream_model", "error_code", "finish_reason"), ""
            )
            numbers = dict.fromkeys(
                (
                    *("prompt_tokens", "cached_tokens", "cache_creation_tokens", "completion_tokens"),
                    *("reasoning_tokens", "quantity", "cost_nano", "fallbacks", "overhead_ms"),
                ),
                0,
            )
            work.session.add(
                Call(
                    **texts,
                    **numbers,
                    key_id=1,
                    owner_uuid=owner_uuid,
                    model="tiny:1",
                    upstream_id=upstream_id,
                    is_stream=False,
                    status=200,
                    unit="token",
                    usage_source="upstream",
                    attempts=1,
                    latency_ms=latency_ms,
                    started_at=work.now() - ago,
                )
            )


@pytest.mark.each_database
def test_use_and_calls_of_an_instance_come_by_steps(
    hub: Context, client: FlaskClient, ada: User, acme: Organization, sign: Any, instance: str
) -> None:
    headers = sign(ada, "read")

    def ask(rest: str) -> Any:
        answer = client.get(f"{PLACE}/{rest}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json["data"]

    # The driver that runs nothing says a tenth of a core of two, and a quarter of a GiB.
    for span, counts in (("30m", (30, 31)), ("1h", (60, 61)), ("3h", (24, 25)), ("1w", (2, 3))):
        for resource, value in (("cpu", "0.05"), ("memory", "0.25")):
            found = ask(f"{resource}/{instance}/usage?last_duration={span}")
            [series] = found["result"]
            assert (found["result_type"], series["metric"]) == ("matrix", {"pod": instance})
            assert len(series["values"]) in counts, (span, resource)
            assert {each["value"] for each in series["values"]} == {value}
            moments = [each["timestamp"] for each in series["values"]]
            step = int(STEPS[span].total_seconds())
            assert {after - before for before, after in pairwise(moments)} <= {step}
    with reading(hub) as work:
        model = find_deployed(work, "tiny:1")
    assert model is not None
    [server] = model.servers
    minutes = timedelta(minutes=1)
    own = acme.namespace.uuid
    _add_calls(
        hub,
        own,
        *((3 * minutes, 7, server.id), (3 * minutes, 900, server.id), (40 * minutes, 70_000, server.id)),
        *((minutes, 5, server.id + 1), (minutes, 5, None), (SPANS["1w"] + minutes, 1, server.id)),
    )
    _add_calls(hub, "somebody-else", (minutes, 5, server.id))
    counted = ask(f"request/{instance}/count?last_duration=1h")
    assert counted["total_request_count"] == 3
    assert [each["value"] for each in counted["result"][0]["values"]] == ["1", "2"]
    assert ask(f"request/{instance}/count")["total_request_count"] == 2
    latencies = ask(f"request/{instance}/latency?last_duration=1h")
    told = {each["metric"]["le"]: int(each["value"]["value"]) for each in latencies["result"]}
    assert latencies["result_type"] == "vector"
    assert {bound: told[bound] for bound in ("5", "10", "500", "1000", "60000", "+Inf")} == {
        "5": 0,
        "10": 1,
        "500": 1,
        "1000": 2,
        "60000": 2,
        "+Inf": 3,
    }


def test_for_whom_it_is_and_what_is_not_there(
    hub: Context, client: FlaskClient, ada: User, bob: User, make_user: Any, sign: Any, instance: str
) -> None:
    def status(rest: str, user: User | None = ada) -> int:
        return client.get(f"{PLACE}/{rest}", headers=sign(user, "read") if user else {}).status_code

    paths = (f"cpu/{instance}/usage", f"request/{instance}/count", f"request/{instance}/latency")
    for path in paths:
        seen = [status(path, user) for user in (None, make_user(f"eve{paths.index(path)}"), bob, ada)]
        assert seen == [401, 404, 403, 200], path
    svc_name = instance.rpartition("-")[0]
    for wrong in (f"cpu/{svc_name}-7/usage", "cpu/nothing-0/usage", f"cpu/{svc_name}/usage", f"disk/{instance}/usage"):
        assert status(wrong) == 404, wrong
    assert status(f"cpu/{instance}/usage?last_duration=2y") in (400, 422)
    serverless = f"{ground.PLACE}/serverless/1/cpu/{instance}/usage"
    site = make_user("site", admin=True)
    assert client.get(serverless, headers=sign(ada, "read")).status_code == 403
    assert client.get(serverless, headers=sign(site, "admin")).status_code == 404  # it is a dedicated one


def test_the_page_shows_what_each_instance_used(
    hub: Context, client: FlaskClient, ada: User, bob: User, sign: Any, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(user: User) -> str:
        return str(client.get("/endpoints/ada/tiny/1/analysis", headers={"Accept": "text/html", **sign(user)}).text)

    page = look(ada)
    assert page.count('data-testid="endpoint.watched"') == 1
    assert 'title="0.05"' in page
    assert "0.250" in page
    assert "endpoint.watched" not in look(bob)
    # A driver that keeps nothing, or is away.
    monkeypatch.setattr(hub[MACHINES].driver, "history", lambda *_, **__: None)
    assert "endpoint.watched" not in look(ada)
