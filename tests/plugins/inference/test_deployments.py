"""Deployments on the driver that runs nothing: who may, what is run, how it is told, found at the gateway, counted."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import Client

from hub.accounts.models import Organization, Role, User
from hub.accounts.policy import SYSTEM
from hub.accounts.service import add_member
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.settings import environment_of
from hub.cli.main import cli
from hub.compute.machines import MACHINES
from hub.compute.models import Sku, Workload
from hub.compute.service.reconciling import reconcile, refresh
from hub.compute.service.workloads import open_secrets
from hub.compute.states import Code
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import execute
from hub.metering.models import UsageEvent, UsageInterval
from hub.metering.service import tell_intervals
from plugins.inference.catalogue import Served
from plugins.inference.deployments.causes import why
from plugins.inference.deployments.models import Deployment
from plugins.inference.engines.frameworks import FrameworkForm, create_framework
from plugins.inference.gateway import readiness as readiness_module
from plugins.inference.gateway.app import create_gateway
from plugins.inference.gateway.deployed import find_deployed, find_model, list_deployed, list_models
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.readiness import Readiness
from plugins.inference.settings import InferenceSettings
from tests.support import demo_files
from tests.support.plugins import open_client

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 1, "hidden_size": 64}
PLACE = "/api/v1/models/ada/tiny"


@pytest.fixture
def hub(hub: Context) -> Iterator[Context]:
    yield hub
    hub[MACHINES].driver.close()


@pytest.fixture
def client(hub: Context) -> FlaskClient:
    return open_client(hub)


@pytest.fixture
def sign(make_token: Callable[..., str]) -> Callable[..., dict[str, str]]:
    return lambda user, scope="write": {"Authorization": f"Bearer {make_token(user, scope)}"}


@pytest.fixture
def tiny(hub: Context, client: FlaskClient, ada: User, sign: Any, make_repository: Any) -> Callable[..., None]:
    """``tiny("other", private=True)``: a small model of Ada's, in both formats; the first is made already."""

    def make(name: str, **options: Any) -> None:
        make_repository(ada, name, **options)
        files = {
            "config.json": json.dumps(CONFIG).encode(),
            "model.safetensors": demo_files.safetensors(1, 8),
            "tiny.gguf": demo_files.gguf(0.001),
        }
        changes = [
            {"path": path, "action": "create", "content": base64.b64encode(content).decode()}
            for path, content in files.items()
        ]
        body = {"message": "Weights", "files": changes}
        answer = client.post(f"/api/v1/models/ada/{name}/commit/main", json=body, headers=sign(ada))
        assert answer.status_code == 200, answer.text

    make("tiny")
    return make


@pytest.fixture
def sku(hub: Context, client: FlaskClient) -> Callable[..., int]:
    """``sku("Fake-80G · 1")``: the number of what there is to run on."""
    client.get("/api/v1/space_resources")

    def find(name: str = "CPU 2 · 4Gi") -> int:
        with reading(hub) as work:
            return work.session.scalars(select(Sku.id).where(Sku.name == name)).one()

    return find


@pytest.fixture
def run_jobs(hub: Context) -> Callable[[], list[str]]:
    """``run_jobs()`` does what waits on the queue of workloads, as a worker would."""

    def run() -> list[str]:
        done: list[str] = []
        while True:
            with reading(hub) as work:
                waiting = select(Job).where(
                    Job.queue == "compute", Job.state == JobState.QUEUED, Job.run_after <= work.now()
                )
                job = work.session.scalar(waiting.order_by(Job.id).limit(1))
            if job is None:
                return done
            execute(hub, job.uuid)
            done.append(job.name)

    return run


@pytest.fixture
def deploy(client: FlaskClient, sign: Any, ada: User, tiny: Any, sku: Any) -> Callable[..., Any]:
    """``deploy(min_replica=1)``: the answer to Ada's asking for a deployment of her model."""

    def post(user: User = ada, *, place: str = f"{PLACE}/run", **members: Any) -> Any:
        body = {"deploy_name": "chat", "resource_id": sku(), "engine": "vllm"} | members
        return client.post(place, json=body, headers=sign(user, "admin"))

    return post


@pytest.fixture
def bob(make_user: Any) -> User:
    """He may read what is the organisation's."""
    found: User = make_user("bob")
    return found


@pytest.fixture
def acme(hub: Context, ada: User, bob: User, make_organization: Any) -> Organization:
    """Ada writes there, Bob reads."""
    organization: Organization = make_organization("acme")
    with unit_of_work(hub) as work:
        for user, role in ((ada, Role.WRITE), (bob, Role.READ)):
            merge = work.session.merge
            add_member(work, actor=SYSTEM, organization=merge(organization), user=merge(user), role=role)
    return organization


def _find(hub: Context, name: str) -> Served | None:
    with reading(hub) as work:
        return find_deployed(work, name)


def test_a_model_is_deployed_looked_at_stopped_changed_started_and_deleted(
    hub: Context, client: FlaskClient, ada: User, sign: Any, deploy: Any, run_jobs: Any, sku: Any
) -> None:
    made = deploy(
        min_replica=2, max_replica=3, engine_args='{"max-model-len": "512"}', env='{"A": "1"}', order_detail_id=0
    )
    assert made.status_code == 200, made.text
    assert made.json["data"] | {"svc_name": ""} == {"deploy_id": 1, "status": "", "private": False, "svc_name": ""}
    run_jobs()
    headers = sign(ada)
    shown = client.get(f"{PLACE}/run/1", headers=headers).json["data"]
    expected = {
        "deploy_id": 1,
        "deploy_name": "chat",
        "model_id": "ada/tiny",
        "status": "Running",
        "type": 1,
        "min_replica": 2,
        "max_replica": 3,
        "actual_replica": 2,
        "desired_replica": 2,
        "secure_level": 2,
        "private": True,
        "runtime_framework": "vllm",
        "engine_args": '{"max-model-len": "512"}',
        "env": '{"A": "1"}',
        "owner_namespace": "ada",
        "task": "text-generation",
        "served_name": "tiny:1",
        "resource_type": "cpu",
        "cluster_id": "fake",
        "sku": str(sku()),
        "git_path": "models_ada/tiny",
    }
    assert expected.items() <= shown.items()
    assert [one["status"] for one in shown["instances"]] == ["Running", "Running"]
    with reading(hub) as work:
        workload = work.session.scalars(select(Workload)).one()
        spec = workload.parsed_spec
        sealed = work.session.scalars(select(Deployment.sealed_key)).one()
    assert (spec.image, spec.mounts[0].path, spec.mounts[0].commit_id) == (
        shown["image_id"],
        "ada/tiny",
        shown["repo_tag"],
    )
    assert spec.environment["A"] == "1"
    assert spec.environment["NVIDIA_VISIBLE_DEVICES"] == "none"
    assert spec.labels["hub-deploy-id"] == "1"
    # What the engine wants of its callers is its own, and sealed wherever it lies.
    [(name, key)] = open_secrets(hub, workload).items()
    assert name in spec.secrets
    assert len(key) > 40
    assert key not in str(workload.spec) + sealed + json.dumps(shown)

    assert client.put(f"{PLACE}/run/1", json={"max_replica": 5}, headers=headers).json["code"] == "workload_running"
    assert client.put(f"{PLACE}/run/1/stop", headers=headers).status_code == 200
    run_jobs()
    other = client.put(f"{PLACE}/run/1", json={"engine": "llama.cpp", "entrypoint": "tiny.gguf"}, headers=headers)
    assert other.json["code"] == "engine_arg_invalid"  # what the other engine was told
    changed = client.put(
        f"{PLACE}/run/1", json={"deploy_name": "talk", "min_replica": 0, "secure_level": 1}, headers=headers
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json["data"]["deploy_name"], changed.json["data"]["status"]) == ("talk", "Stopped")
    assert changed.json["data"]["engine_args"] == '{"max-model-len": "512"}'
    assert client.put(f"{PLACE}/run/1/start", headers=headers).status_code == 200
    run_jobs()
    [listed] = client.get(f"{PLACE}/run", headers=headers).json["data"]
    assert (listed["status"], listed["secure_level"], listed["actual_replica"]) == ("Running", 1, 1)
    [version] = client.get(f"{PLACE}/run/versions/1", headers=headers).json["data"]
    assert (version["commit"], version["traffic_percent"], version["is_ready"]) == (shown["repo_tag"], 100, True)
    events = client.get(f"{PLACE}/run/1/status", headers=headers, buffered=False)
    first = next(part for part in events.response if b"event: status" in part)
    assert json.loads(first.split(b"data: ")[1])["status"] == "Running"
    events.close()

    assert client.delete(f"{PLACE}/run/1", headers=headers).status_code == 200
    run_jobs()
    assert client.get(f"{PLACE}/run/1", headers=headers).json["code"] == "deployment_not_found"
    assert client.get(f"{PLACE}/run", headers=headers).json["data"] == []
    assert hub[MACHINES].driver.names() == set()
    assert deploy(deploy_name="talk").json["data"]["deploy_id"] == 2  # its name is free again


def test_what_cannot_be_served_is_refused_with_the_reason(
    deploy: Any, client: FlaskClient, sign: Any, ada: User
) -> None:
    def refused(**members: Any) -> tuple[int, str]:
        answer = deploy(**members)
        return answer.status_code, answer.json["code"]

    assert refused(engine="llama.cpp") == (400, "entrypoint_missing")
    assert refused(engine="llama.cpp", entrypoint="other.gguf") == (400, "entrypoint_not_found")
    assert refused(engine="") == (400, "engine_missing")
    assert refused(engine="nothing") == (404, "engine_not_found")
    assert refused(engine="tgi") == (400, "engine_image_missing")  # it has none for processors
    assert refused(runtime_framework_id=10**6) == (404, "framework_not_found")
    assert refused(resource_id=10**6) == (404, "sku_not_found")
    assert refused(revision="nowhere") == (404, "GIT-ERR-6")
    assert refused(min_replica=3, max_replica=2) == (400, "replicas_invalid")
    assert refused(deploy_name="a--b") == (400, "deployment_name_invalid")
    assert refused(engine_args='{"host": "0.0.0.0"}') == (400, "engine_arg_invalid")
    assert refused(engine_args='{"custom-options": "--api-key x"}') == (400, "engine_arg_invalid")
    assert refused(env="[1]") == (400, "variables_invalid")
    assert refused(env='{"A-B": "1"}') == (400, "spec_invalid")
    assert refused(enable_pd=True) == (400, "unsupported")
    assert refused(owner_namespace="nobody") == (404, "REPO-ERR-2")
    assert refused(place="/api/v1/models/ada/none/run") == (404, "REPO-ERR-3")
    assert refused(place="/api/v1/datasets/ada/tiny/run") == (404, "deployment_not_found")
    # 64 cores are there; what is refused leaves nothing behind that holds the name.
    assert refused(min_replica=33, max_replica=33) == (409, "insufficient_cpu")
    assert deploy(engine="llama.cpp", entrypoint="tiny.gguf").status_code == 200
    assert refused() == (409, "DEPLOY-ERR-0")
    huge = client.get(f"{PLACE}/run/{2**64}", headers=sign(ada))
    assert huge.status_code == 404


def test_who_may_do_what(
    client: FlaskClient, ada: User, bob: User, acme: Organization, sign: Any, deploy: Any, make_user: Any, tiny: Any
) -> None:
    eve, site = make_user("eve"), make_user("site", admin=True)
    assert deploy(eve, owner_namespace="acme").status_code == 403
    assert deploy(bob, owner_namespace="acme").status_code == 403
    assert deploy(owner_namespace="acme", env='{"A": "mine"}').status_code == 200
    shown = {user.name: client.get(f"{PLACE}/run/1", headers=sign(user)).json["data"] for user in (ada, bob)}
    assert [shown[name].get("env") for name in ("ada", "bob")] == ['{"A": "mine"}', None]
    seen = {
        name: [
            client.get(f"{PLACE}/run/1", headers=headers).status_code,
            client.put(f"{PLACE}/run/1/stop", headers=headers).status_code,
            client.get(f"{PLACE}/run/1/logs", headers=headers).status_code,
        ]
        for name, headers in (
            ("nobody", {}),
            ("eve", sign(eve)),
            ("bob", sign(bob)),
            ("ada, to read", sign(ada, "read")),
            ("ada", sign(ada)),
            ("site", sign(site)),
        )
    }
    assert seen == {
        "nobody": [401, 401, 401],
        "eve": [404, 404, 404],
        "bob": [200, 403, 403],
        "ada, to read": [200, 403, 200],
        "ada": [200, 200, 200],
        "site": [200, 200, 200],
    }
    own = client.get("/api/v1/user/ada/run/model?deploy_type=1&per=100", headers=sign(ada)).json
    assert (own["message"], [one["deploy_id"] for one in own["data"]], own["total"]) == ("OK", [1], 1)
    assert client.get("/api/v1/user/ada/run/model", headers=sign(bob)).status_code == 403
    assert client.get("/api/v1/user/ada/run/model").status_code == 401
    assert client.get("/api/v1/user/bob/run/space", headers=sign(bob)).json["data"] == []
    shared = client.get("/api/v1/organization/acme/run/model", headers=sign(bob)).json["data"]
    assert (len(shared["data"]), shared["total"]) == (1, 1)
    assert client.get("/api/v1/organization/acme/run/model", headers=sign(eve)).json["data"]["total"] == 0
    # The description says so, too.
    told = client.get("/api/openapi.json").json["paths"]
    place = "/api/v1/{kind}/{namespace}/{name}"
    assert {} not in told[f"{place}/run"]["get"]["security"]
    assert {} in told[f"{place}/serverless"]["get"]["security"]
    # Whose files are not theirs to read cannot have them served.
    tiny("secret", private=True)
    assert deploy(eve, place="/api/v1/models/ada/secret/run").json["code"] == "REPO-ERR-3"


def test_serverless_ones_are_the_administrators_and_there_once(
    hub: Context, client: FlaskClient, sign: Any, ada: User, make_user: Any, deploy: Any, run_jobs: Any
) -> None:
    site = make_user("site", admin=True)
    place = f"{PLACE}/serverless"
    assert deploy(place=place).status_code == 403
    first = deploy(site, place=place, owner_namespace="site", secure_level=2)
    assert first.json["data"]["svc_name"].startswith("s-ada-tiny-")
    again = deploy(site, place=place, deploy_name="other")
    assert again.json["data"] == first.json["data"]
    run_jobs()
    shown = client.get(place).json["data"]  # for anybody
    assert (shown["type"], shown["secure_level"], shown["served_name"]) == (3, 1, "ada/tiny")
    assert client.put(f"{place}/1/stop", headers=sign(ada)).status_code == 403
    listed = client.get("/api/v1/user/site/run/serverless?search=tin&status=23,26", headers=sign(site, "admin")).json
    assert [one["deploy_id"] for one in listed["data"]] == [1]
    assert client.get("/api/v1/user/ada/run/serverless", headers=sign(ada)).status_code == 403
    assert client.get(f"{place}/1/logs/last", headers=sign(site, "admin")).json["data"]["lines"][-1] == "ready to echo"
    # A model that they name like it says what it costs, not where it is.
    price = {"model_name": "ada/tiny", "type": "serverless", "prices": {"input": 5}}
    assert client.post("/api/v1/config/llms", json=price, headers=sign(site, "admin")).status_code == 200
    with reading(hub) as work:
        found = find_model(work, "ada/tiny")
        [listed] = list_models(work, None)
    assert found is not None
    assert found == listed
    assert found.prices.input == 5
    assert (found.llm_type, found.provider, found.is_for(None), len(found.servers)) == ("serverless", "", True, 1)
    # It may fall asleep, and its time is nobody's: the gateway counts its tokens.
    with reading(hub) as work:
        assert work.session.scalars(select(UsageInterval)).all() == []
    assert client.delete(place, headers=sign(site, "admin")).status_code == 200
    assert client.get(place).json["code"] == "SERVERLESS-ERR-1"
    assert deploy(site, place=place).json["data"]["deploy_id"] == 2


def test_the_gateway_knows_it_by_its_names_and_for_whom_it_is(
    hub: Context, ada: User, bob: User, acme: Organization, deploy: Any, run_jobs: Any, make_user: Any
) -> None:
    eve = make_user("eve")
    svc_name = deploy(owner_namespace="acme").json["data"]["svc_name"]
    before = _find(hub, "tiny:1")
    assert before is not None
    assert (before.servers, before.is_available) == ((), True)  # on its way
    run_jobs()
    found = _find(hub, "tiny:1")
    assert found is not None
    assert found == _find(hub, f"ada/tiny:{svc_name}")
    for wrong in ("tiny:2", "Tiny:1", "tiny:01", "tiny:", "ada/tiny:other", "ada/tiny", "tiny:zzzzzzzzzzz", "tiny:1\0"):
        assert _find(hub, wrong) is None, wrong
    [server] = found.servers
    assert (server.id < 0, server.is_own, found.llm_type, found.provider) == (True, True, "inference", "ada")
    assert "Bearer" in server.headers["Authorization"]
    spaces = {"acme": acme.namespace_id, "ada": ada.namespace_id, "bob": bob.namespace_id, "eve": eve.namespace_id}
    assert [name for name, id in spaces.items() if found.is_for(id)] == ["acme", "ada", "bob"]
    with reading(hub) as work:
        seen = [name for name, id in spaces.items() if list_deployed(work, id)]
        assert (seen, list_deployed(work, None)) == (["acme", "ada", "bob"], [])


def test_a_call_wakes_what_sleeps_once_and_waits_for_it(
    hub: Context, clock: FixedClock, deploy: Any, run_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness_module, "_TOUCH_S", 0.05)
    monkeypatch.setattr("hub.compute.service.polling.FRESH_S", 0.0)
    deploy()
    run_jobs()
    woken: list[str] = []
    driver = hub[MACHINES].driver
    wake = driver.wake
    monkeypatch.setattr(driver, "wake", lambda name: (woken.append(name), wake(name)))
    readiness = Readiness(hub, InferenceSettings(wake_timeout_s=60, max_queued_calls=3))
    model = _find(hub, "tiny:1")
    assert model is not None
    first = readiness.ready(model, route="chat/completions")
    assert first.servers == model.servers
    with pytest.raises(Fault) as caught:
        readiness.ready(model, route="audio/transcriptions")
    assert (caught.value.status, caught.value.code) == (400, "model_task_mismatch")
    for thread in [one for one in threading.enumerate() if one.name.startswith("awake-")]:
        thread.join(60)  # nobody calls it any more

    clock.advance(seconds=3600)
    with reading(hub) as work:
        id = work.session.scalars(select(Workload.id)).one()
    refresh(hub, [id])
    asleep = _find(hub, "tiny:1")
    assert asleep is not None
    assert (asleep.servers, asleep.is_available) == ((), True)
    answers: list[Served] = []
    callers = [threading.Thread(target=lambda: answers.append(readiness.ready(asleep))) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert [len(one.servers) for one in answers] == [1, 1, 1]
    assert len(woken) == 1


def test_a_call_to_what_does_not_come_is_told_so(
    hub: Context, client: FlaskClient, ada: User, sign: Any, deploy: Any, run_jobs: Any, make_key: Any
) -> None:
    deploy()
    readiness = Readiness(hub, InferenceSettings(wake_timeout_s=3, max_queued_calls=1))
    starting = _find(hub, "tiny:1")
    assert starting is not None
    faults: list[Fault] = []

    def call() -> None:
        try:
            readiness.ready(starting)
        except Fault as fault:
            faults.append(fault)

    waiting = threading.Thread(target=call)
    waiting.start()
    while not readiness._queued:
        waiting.join(0.01)
    call()  # one too many
    waiting.join(60)
    assert [(fault.status, fault.code, fault.headers["Retry-After"]) for fault in faults] == [
        (503, "model_not_running", "5")
    ] * 2
    assert ["too many" in fault.message for fault in faults] == [True, False]
    run_jobs()
    client.put(f"{PLACE}/run/1/stop", headers=sign(ada))
    answer = Client(create_gateway(hub)).post(
        "/v1/chat/completions",
        json={"model": "tiny:1", "messages": [{"role": "user", "content": "hello"}]},
        headers={"Authorization": f"Bearer {make_key()}"},
    )
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "model_not_running")


@pytest.mark.each_database
def test_the_time_that_it_runs_is_counted_once_whatever_is_told_again(
    hub: Context, clock: FixedClock, ada: User, client: FlaskClient, sign: Any, deploy: Any, run_jobs: Any, sku: Any
) -> None:
    deploy(min_replica=2, max_replica=2)
    run_jobs()
    clock.advance(seconds=40)
    tell_intervals(hub)
    reconcile(hub)
    clock.advance(seconds=50)
    client.put(f"{PLACE}/run/1/stop", headers=sign(ada))
    clock.advance(seconds=1000)
    run_jobs()
    for _ in range(2):
        tell_intervals(hub)
    with reading(hub) as work:
        events = work.session.scalars(select(UsageEvent)).all()
        workload = work.session.scalars(select(Workload)).one()
    assert sum(event.quantity for event in events) == 180
    assert {(event.unit, event.scene, event.customer_id) for event in events} == {("second", 10, workload.svc_name)}
    assert {(event.owner_uuid, event.resource_id) for event in events} == {(ada.namespace.uuid, str(sku()))}
    # It starts again with the next start, and a deletion ends it.
    client.put(f"{PLACE}/run/1/start", headers=sign(ada))
    run_jobs()
    clock.advance(seconds=5)
    client.delete(f"{PLACE}/run/1", headers=sign(ada))
    clock.advance(seconds=3600)
    tell_intervals(hub)
    with reading(hub) as work:
        assert sum(work.session.scalars(select(UsageEvent.quantity))) == 190


@pytest.mark.parametrize(
    ("reason", "message", "title"),
    [
        ("ExitCode:2", "error: unknown argument: --fast", "The engine does not take one of its arguments"),
        ("CrashLoopBackOff", "terminate called: std::bad_alloc", "There was too little memory"),
        ("OOMKilled", "error: unknown argument: --fast", "There was too little memory"),
        ("ExitCode:1", "llama_model_load: invalid magic", "The engine cannot read the model's files"),
        ("command_not_found", "", "The engine is not there"),
        ("ready_timeout", "loading shard 3 of 9", "It was not ready in time"),
        ("CrashLoopBackOff", "bye", "It ends again and again"),
        ("Signal:SIGSEGV", "", "The engine has ended"),
        ("of_a_scheduler", "", "The engine has ended"),
    ],
)
def test_why_it_failed_is_told_by_its_last_words_where_they_say_more(reason: str, message: str, title: str) -> None:
    lines = "\n".join([*map(str, range(100)), message])
    cause = why(Workload(code=int(Code.DEPLOY_FAILED), reason=reason, message=lines))
    assert cause is not None
    assert (cause.title, cause.log_tail.splitlines()[-1:]) == (title, [message] if message else ["99"])
    assert len(cause.log_tail.splitlines()) <= 40
    assert why(Workload(code=int(Code.RUNNING), reason=reason, message=lines)) is None


def test_a_failure_is_shown_as_its_cause(
    hub: Context, client: FlaskClient, ada: User, sign: Any, deploy: Any, run_jobs: Any, sku: Any
) -> None:
    form = FrameworkForm(engine="vllm", image="acme/fail:1", compute_type="cpu")
    with unit_of_work(hub) as work:
        framework_id = create_framework(work, actor=SYSTEM, form=form).id
    assert deploy(engine="", runtime_framework_id=framework_id).status_code == 200
    run_jobs()
    shown = client.get(f"{PLACE}/run/1", headers=sign(ada)).json["data"]
    assert (shown["status"], shown["reason"], shown["image_id"]) == ("DeployFailed", "ExitCode:1", "acme/fail:1")
    assert shown["cause"]["log_tail"] == "it was told to fail"
    model = _find(hub, "tiny:1")
    assert model is not None
    assert not model.is_available
    with_card = deploy(runtime_framework_id=framework_id, deploy_name="other", resource_id=sku("Fake-80G · 1"))
    assert (with_card.status_code, with_card.json["code"]) == (400, "resource_not_fit")


def test_the_command_line_makes_waits_lists_and_deletes(hub: Context, tiny: Any, sku: Any, run_jobs: Any) -> None:
    environment = environment_of(hub.settings) | {"HUB_LOG_LEVEL": "critical"}

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["deployment", *words], env=environment)

    arguments = ("--engine", "vllm", "--arg", "max-model-len=512", "--json")
    made = run("create", "ada/tiny", "--name", "chat", "--resource", str(sku()), *arguments)
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["owner_namespace"] == "ada"
    run_jobs()
    assert run("wait", "1").stdout == "1: Running\n"
    [row] = json.loads(run("list", "--search", "TIN", "--json").stdout)["deployments"]
    assert (row["deploy_name"], row["engine_args"]) == ("chat", '{"max-model-len": "512"}')
    assert run("delete", "1", "--yes").stdout == "1: Deleted\n"
    assert "There is no such deployment" in str(run("show", "1").exception)
