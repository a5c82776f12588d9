"""Versions of a deployment: how calls are divided between them, and that one that answers is always left."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from click.testing import CliRunner
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hub.accounts.models import Organization, User
from hub.accounts.policy import SYSTEM
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.errors import Conflict
from hub.base.settings import environment_of
from hub.cli.main import cli
from hub.compute.machines import MACHINES
from hub.compute.models import Desired, Workload
from hub.compute.service.reconciling import refresh
from hub.compute.service.workloads import delete_workload, open_secrets, stop_workload
from hub.compute.states import Code
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.metering.models import UsageEvent
from hub.metering.service import tell_intervals
from hub.plugin.discovery import find_installed
from plugins.inference.deployments import service, versions
from plugins.inference.deployments.models import Deployment
from plugins.inference.deployments.shares import spread
from plugins.inference.gateway import readiness as readiness_module
from plugins.inference.gateway.deployed import find_deployed
from plugins.inference.gateway.readiness import Readiness
from plugins.inference.settings import InferenceSettings
from tests.plugins.inference import test_deployments as ground
from tests.support.processes import wait_until

# A model of Ada's, what it is deployed on, and a driver that runs nothing.
acme, bob, client, deploy, hub = ground.acme, ground.bob, ground.client, ground.deploy, ground.hub
run_jobs, sign, sku, tiny = ground.run_jobs, ground.sign, ground.sku, ground.tiny
PLACE = f"{ground.PLACE}/run/versions/1"

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]


@pytest.fixture(autouse=True)
def _nobody_stays_awake(hub: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What keeps called deployments awake has ended before the hub does."""
    for name in ("_TOUCH_S", "_ELASTIC_TOUCH_S"):
        monkeypatch.setattr(readiness_module, name, 0.05)
    yield
    wait_until(
        lambda: not any(one.name.startswith("awake-") for one in threading.enumerate()), what="nobody to keep it awake"
    )


@pytest.fixture
def commits(client: FlaskClient, tiny: Any, ada: User, sign: Any) -> list[str]:
    """Three commits of the model, each with the same weights; the last is the newest."""
    found = []
    for number in range(3):
        if number:
            change = {
                "path": "notes.txt",
                "action": "create" if number == 1 else "update",
                "content": "bm90" * number,
            }
            body = {"message": "Notes", "files": [change]}
            answer = client.post("/api/v1/models/ada/tiny/commit/main", json=body, headers=sign(ada))
            assert answer.status_code == 200, answer.text
        listed = client.get("/api/v1/models/ada/tiny/commits?ref=main", headers=sign(ada)).json["data"]["commits"]
        found.append(listed[0]["id"])
    return found


@pytest.fixture
def serve(deploy: Any, commits: list[str], run_jobs: Any) -> Callable[..., None]:
    """``serve(max_replica=2)``: the first commit is served."""

    def start(**members: Any) -> None:
        answer = deploy(**{"revision": commits[0], "min_replica": 1, "max_replica": 2} | members)
        assert answer.status_code == 200, answer.text
        run_jobs()

    return start


@pytest.fixture
def ask(client: FlaskClient, ada: User, sign: Any, run_jobs: Any) -> Callable[..., Any]:
    """``ask("POST", json)``: what Ada is answered about the versions; what that starts is done."""

    def request(method: str, body: Any = None, rest: str = "", user: User = ada) -> Any:
        answer = client.open(f"{PLACE}{rest}", method=method, json=body, headers=sign(user))
        run_jobs()
        return answer

    return request


def _share(commit_id: str, percent: int) -> dict[str, Any]:
    return {"commit_id": commit_id, "traffic_percent": percent}


def _shown(answer: Any) -> list[tuple[str, int, bool]]:
    return [(each["commit"], each["traffic_percent"], each["is_ready"]) for each in answer.json["data"]]


def _workloads(hub: Context) -> list[Workload]:
    with reading(hub) as work:
        return list(work.session.scalars(select(Workload).order_by(Workload.id)))


def _count(hub: Context, readiness: Readiness, calls: int = 400) -> Counter[int]:
    """How many of so many calls are sent to each version, by its number."""
    with reading(hub) as work:
        model = find_deployed(work, "tiny:1")
    assert model is not None
    assert model.deployment is not None
    ids = {version.workload_id: number for number, version in enumerate(model.deployment.versions)}
    found: Counter[int] = Counter()
    for _ in range(calls):
        chosen = readiness.ready(model, route="chat/completions").deployment
        assert chosen is not None
        found[ids[chosen.versions[0].workload_id]] += 1
    return found


@pytest.mark.each_database
def test_a_version_is_made_gets_its_share_and_is_taken_away_again(
    hub: Context, ada: User, serve: Any, ask: Any, commits: list[str], client: FlaskClient, sign: Any, clock: FixedClock
) -> None:
    serve()
    assert _shown(ask("GET")) == [(commits[0], 100, True)]
    assert ask("POST", _share(commits[0], 10)).json["code"] == "version_exists"
    assert ask("POST", _share("nowhere", 10)).status_code == 404
    made = ask("POST", _share(commits[1], 30))
    assert (made.status_code, made.json["data"]["commit"], made.json["data"]["is_ready"]) == (200, commits[1], False)
    assert _shown(ask("GET")) == [(commits[0], 70, True), (commits[1], 30, True)]
    # As many as there may be instances, and no more.
    assert ask("POST", _share(commits[2], 10)).json["code"] == "too_many_versions"
    # Both are run alike, each with its own commit, and want the same key of their callers.
    first, second = _workloads(hub)
    assert [one.parsed_spec.mounts[0].commit_id for one in (first, second)] == commits[:2]
    assert [one.parsed_spec.labels["csghub_deploy_commit_id"] for one in (first, second)] == commits[:2]
    assert open_secrets(hub, first) == open_secrets(hub, second) != {}
    assert (first.namespace_id, first.sku_id, first.is_private) == (
        second.namespace_id,
        second.sku_id,
        second.is_private,
    )
    # Seven of the commit's letters are enough.
    assert ask("PUT", [_share(commits[0][:7], 0), _share(commits[1], 100)], "/traffic").status_code == 200
    assert [share for _, share, _ in _shown(ask("GET"))] == [0, 100]
    for wrong, code in (
        ([_share(commits[0], 60), _share(commits[1], 60)], "traffic_invalid"),
        ([_share(commits[0], 50), _share(commits[0], 50)], "traffic_invalid"),
        ([], "traffic_invalid"),
        ([_share(commits[2], 100)], "SERVERLESS-ERR-4"),
    ):
        assert ask("PUT", wrong, "/traffic").json["code"] == code
    assert [share for _, share, _ in _shown(ask("GET"))] == [0, 100]
    # Each is counted for as long as it ran.
    clock.advance(seconds=10)
    assert ask("DELETE", rest=f"/{commits[0]}").status_code == 200
    clock.advance(seconds=10)
    assert _shown(ask("GET")) == [(commits[1], 100, True)]
    assert ask("DELETE", rest=f"/{commits[1]}").json["code"] == "version_is_last"
    shown = client.get(f"{ground.PLACE}/run/1", headers=sign(ada)).json["data"]
    assert (shown["status"], shown["repo_tag"], shown["svc_name"]) == ("Running", commits[1], first.svc_name)
    assert hub[MACHINES].driver.names() == {second.svc_name}
    assert client.delete(f"{ground.PLACE}/run/1", headers=sign(ada)).status_code == 200
    tell_intervals(hub)
    with reading(hub) as work:
        told = work.session.execute(select(UsageEvent.customer_id, UsageEvent.quantity)).all()
        assert work.session.scalars(select(Deployment.deleted_at)).one() is not None
    seconds: Counter[str] = Counter()
    for name, quantity in told:
        seconds[name] += int(quantity)
    assert seconds == {first.svc_name: 10, second.svc_name: 20}


def test_calls_go_to_versions_by_their_shares_and_never_to_one_that_does_not_answer(
    hub: Context, serve: Any, ask: Any, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(max_replica=3)
    ask("POST", _share(commits[1], 25))
    readiness = Readiness(hub, InferenceSettings())
    counted = _count(hub, readiness)
    assert counted.total() == 400
    assert 50 <= counted[1] <= 160  # a hundred; of a million runs one has fewer or more
    with reading(hub) as work:
        model = find_deployed(work, "tiny:1")
    assert model is not None
    assert {server.tier for server in readiness.ready(model).servers} == {0, 1}  # the other stands in
    # As the driver says, whenever anybody asks it.
    second, driver = _workloads(hub)[1], hub[MACHINES].driver
    told: dict[str, Code] = {}
    ask_driver = driver.statuses

    def statuses(names: Any) -> Any:
        found = ask_driver(names)
        return {name: replace(one, code=told.get(name, one.code)) for name, one in found.items()}

    monkeypatch.setattr(driver, "statuses", statuses)

    def say(code: Code) -> None:
        told[second.svc_name] = code
        refresh(hub, [second.id])

    for code in (Code.DEPLOYING, Code.RUNTIME_ERROR):
        say(code)
        assert _count(hub, readiness, 40) == {0: 40}, code
        # One that answers cannot be taken away before another does.
        assert ask("DELETE", rest=f"/{commits[0]}").json["code"] == "version_is_last"
    assert ask("PUT", [_share(commits[1], 100)], "/traffic").json["code"] == "version_not_live"
    say(Code.RUNNING)
    assert ask("PUT", [_share(commits[1], 100)], "/traffic").status_code == 200
    assert _count(hub, readiness, 40) == {1: 40}
    say(Code.RUNTIME_ERROR)
    # Whoever has no share answers when nobody else does, and speaks for the deployment.
    assert _count(hub, readiness, 40) == {0: 40}
    with reading(hub) as work:
        found = service.get_deployment(work, actor=SYSTEM, deployment_id=1)
    assert (found.workload.commit_id, found.workload.state) == (commits[0], Code.RUNNING)


def test_all_versions_stop_start_and_change_together(
    hub: Context, serve: Any, ask: Any, commits: list[str], client: FlaskClient, ada: User, sign: Any, run_jobs: Any
) -> None:
    serve()
    ask("POST", _share(commits[1], 50))
    place, headers = f"{ground.PLACE}/run/1", sign(ada)
    assert client.put(f"{place}/stop", headers=headers).status_code == 200
    run_jobs()
    assert {(one.desired, one.state) for one in _workloads(hub)} == {(Desired.STOPPED, Code.STOPPED)}
    revision = client.put(place, json={"revision": commits[2]}, headers=headers)
    assert (revision.status_code, revision.json["code"]) == (409, "deployment_has_versions")
    changed = client.put(place, json={"max_replica": 3, "engine_args": '{"max-model-len": "256"}'}, headers=headers)
    assert changed.status_code == 200, changed.text
    # While it does not run, a version is made and waits with the others.
    assert ask("POST", _share(commits[2], 20)).status_code == 200
    assert [share for _, share, _ in _shown(ask("GET"))] == [80, 0, 20]
    assert client.put(f"{place}/start", headers=headers).status_code == 200
    run_jobs()
    rows = _workloads(hub)
    assert {one.state for one in rows} == {Code.RUNNING}
    assert [one.commit_id for one in rows] == commits
    assert all("256" in one.parsed_spec.argv and one.parsed_spec.replicas_max == 3 for one in rows)
    assert len({json.dumps(open_secrets(hub, one)) for one in rows}) == 1


def test_who_speaks_for_a_deployment_is_one_that_answers_whoever_ends_the_others(
    hub: Context, serve: Any, ask: Any, commits: list[str]
) -> None:
    serve(max_replica=3)
    ask("POST", _share(commits[1], 50))
    ask("POST", _share(commits[2], 40))
    assert [share for _, share, _ in _shown(ask("GET"))] == [60, 0, 40]
    first, *_ = _workloads(hub)
    # Not through the deployment: an administrator's tool, say.
    with unit_of_work(hub) as work:
        delete_workload(work, actor=SYSTEM, workload_id=first.id)
    assert _shown(ask("GET")) == [(commits[1], 0, True), (commits[2], 100, True)]
    with reading(hub) as work:
        found = service.get_deployment(work, actor=SYSTEM, deployment_id=1)
    assert (found.workload.commit_id, found.deployment.deleted_at) == (commits[2], None)


def test_what_has_no_room_is_not_made_and_changes_no_share(
    hub: Context, serve: Any, ask: Any, commits: list[str]
) -> None:
    serve(min_replica=20, max_replica=20)  # of two cores each, where there are 64
    refused = ask("POST", _share(commits[1], 50))
    assert (refused.status_code, refused.json["code"]) == (409, "insufficient_cpu")
    assert _shown(ask("GET")) == [(commits[0], 100, True)]


@pytest.mark.each_database
def test_what_is_cut_off_between_two_writes_is_as_it_was_said(
    hub: Context, serve: Any, commits: list[str], monkeypatch: pytest.MonkeyPatch, run_jobs: Any
) -> None:
    serve()
    options: dict[str, Any] = {"actor": SYSTEM, "deployment_id": 1}

    class Killed(BaseException):
        """Nothing catches it, as nothing catches a process's end."""

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(versions, "start_workload", die)
        with pytest.raises(Killed):
            versions.create_version(hub, revision=commits[1], percent=40, **options)
    assert [(one.row.traffic_percent, one.is_ready) for one in versions.list_versions(hub, **options)] == [
        (60, True),
        (40, False),
    ]
    assert _count(hub, Readiness(hub, InferenceSettings()), 20) == {0: 20}  # it has not been started
    service.start_deployment(hub, **options)
    run_jobs()
    assert [one.is_ready for one in versions.list_versions(hub, **options)] == [True, True]
    with monkeypatch.context() as patch:
        patch.setattr(service, "stop_workload", die)
        with pytest.raises(Killed):
            service.stop_deployment(hub, **options)
    assert [one.desired for one in _workloads(hub)] == [Desired.RUNNING] * 2
    with pytest.raises(Conflict):
        versions.create_version(hub, revision=commits[2], percent=40, **options)


def test_a_version_that_starts_while_all_others_are_stopped_is_stopped_with_them(
    hub: Context, serve: Any, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve()
    start = versions.start_workload

    def start_late(context: Context, *, actor: Any, workload_id: int) -> None:
        with unit_of_work(context) as work:
            stop_workload(work, actor=SYSTEM, workload_id=_workloads(context)[0].id)
        start(context, actor=actor, workload_id=workload_id)

    monkeypatch.setattr(versions, "start_workload", start_late)
    versions.create_version(hub, actor=SYSTEM, deployment_id=1, revision=commits[1], percent=10)
    assert [one.desired for one in _workloads(hub)] == [Desired.STOPPED] * 2


def test_the_page_shows_versions_and_lets_those_change_them_who_may(
    client: FlaskClient,
    serve: Any,
    ask: Any,
    commits: list[str],
    bob: User,
    acme: Organization,
    ada: User,
    sign: Any,
    count_queries: Any,
) -> None:
    serve(owner_namespace="acme", max_replica=3)

    def look(user: User, **headers: str) -> str:
        answer = client.get("/endpoints/ada/tiny/1/versions", headers={"Accept": "text/html", **sign(user), **headers})
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    assert "data-traffic-save" not in look(ada)  # one has all
    look(ada)
    with count_queries() as before:
        look(ada)
    for commit in commits[1:]:
        ask("POST", _share(commit, 20))
    look(ada)  # what is new of them is written down
    with count_queries() as after:
        page = look(ada)
    assert len(after) == len(before)
    assert page.count('data-testid="versions.row"') == page.count("data-commit=") == page.count("versions.remove") == 3
    overview = client.get("/endpoints/ada/tiny/1", headers={"Accept": "text/html", **sign(ada)}).text
    assert overview.count('data-testid="endpoint.instance"') == 3
    logs = client.get("/endpoints/ada/tiny/1/logs", headers={"Accept": "text/html", **sign(ada)}).text
    assert all(f"· {commit[:8]}</option>" in logs for commit in commits)
    part = look(bob, **{"HX-Request": "true"})
    assert part.count('data-testid="versions.row"') == 3
    assert "versions.remove" not in part
    assert "<h1" not in part


def test_who_may_divide_calls(
    ask: Any, serve: Any, commits: list[str], bob: User, acme: Organization, ada: User
) -> None:
    serve(owner_namespace="acme")
    assert ask("GET", user=bob).status_code == 200
    for method, body, rest in (
        ("POST", _share(commits[1], 10), ""),
        ("PUT", [_share(commits[0], 100)], "/traffic"),
        ("DELETE", None, f"/{commits[0]}"),
    ):
        assert ask(method, body, rest, user=bob).status_code == 403, method


def test_the_command_line_makes_divides_and_removes_versions(
    hub: Context, serve: Any, commits: list[str], run_jobs: Any
) -> None:
    serve()
    environment = environment_of(hub.settings) | {"HUB_LOG_LEVEL": "critical"}

    def run(*words: str) -> Any:
        found = CliRunner().invoke(cli, ["deployment", *words], env=environment)
        run_jobs()
        return found

    assert run("add-version", "1", commits[1], "--percent", "20").exit_code == 0
    assert run("traffic", "1", f"{commits[0][:8]}=50", f"{commits[1][:8]}=50").exit_code == 0
    rows = json.loads(run("versions", "1", "--json").stdout)
    assert [(row["commit"], row["traffic_percent"]) for row in rows] == [(commits[0], 50), (commits[1], 50)]
    assert run("traffic", "1", "nonsense").exit_code == 2
    assert run("remove-version", "1", commits[0], "--yes").exit_code == 0
    assert commits[1][:12] in run("versions", "1").stdout


@pytest.mark.each_database
def test_deployments_of_an_older_hub_have_one_version_that_gets_all_calls(hub: Context, serve: Any, ask: Any) -> None:
    serve()
    before = _shown(ask("GET"))
    database, branch = hub[DATABASE], find_installed()["inference"].find_branch()
    assert branch is not None
    migrate._run(database, branch, lambda config: command.downgrade(config, "0008_inference_spending"))
    migrate.upgrade(database, branch)
    assert migrate.differences(database, branch) == []
    assert _shown(ask("GET")) == before
    with reading(hub) as work:
        found = service.get_deployment(work, actor=SYSTEM, deployment_id=1)
    assert found.deployment.svc_name == found.workload.svc_name


@given(st.dictionaries(st.integers(1, 50), st.integers(0, 100), min_size=1, max_size=10))
def test_shares_are_a_hundred_together_and_keep_their_relation(percents: dict[int, int]) -> None:
    found = spread(percents)
    assert set(found) == set(percents)
    assert sum(found.values()) == 100
    if any(percents.values()):
        total = sum(percents.values())
        assert all(0 <= found[id] - percent * 100 // total <= 1 for id, percent in percents.items())
        assert all(found[id] == 0 for id, percent in percents.items() if not percent)
