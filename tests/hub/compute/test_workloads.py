"""Workloads from their making to their end: what people ask for, what the driver says, what is told to others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.accounts.models import Member, Organization, Role, TokenScope, User
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.accounts.service.departures import delete_organization, delete_user
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.compute.events import WorkloadChanged
from hub.compute.machines import MACHINES
from hub.compute.models import Desired, Sku, TaskState, Workload, WorkloadTask
from hub.compute.reports import Status
from hub.compute.service import applying
from hub.compute.service.polling import see_workload
from hub.compute.service.reconciling import reconcile, refresh
from hub.compute.service.rules import WORKLOAD_LOGS, WORKLOAD_READ, WORKLOAD_WRITE, may
from hub.compute.service.starting import report_build, start_workload, wake_workload
from hub.compute.service.workloads import (
    create_workload,
    delete_workload,
    get_workload,
    list_workloads,
    open_secrets,
    stop_workload,
    update_workload,
)
from hub.compute.spec import Kind, Resources
from hub.compute.states import Code
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from tests.hub.compute.programs import endless_job, failing, job, serving

pytestmark = pytest.mark.settings(compute="fake")

Make = Callable[..., Workload]
RunJobs = Callable[[], list[str]]
GIB = 1024**3


def _load(context: Context, workload: Workload) -> Workload:
    with reading(context) as work:
        return work.session.get_one(Workload, workload.id)


@pytest.fixture
def heard(context: Context) -> list[tuple[int, int, int]]:
    """What was told of workloads after each commit: old code, new code, replicas."""
    told: list[tuple[int, int, int]] = []
    context.events.subscribe(WorkloadChanged, lambda event: told.append((event.old, event.new, event.replicas)))
    return told


def test_a_workload_is_made_started_stopped_changed_started_again_and_deleted(
    context: Context, make_user: Any, make_workload: Make, run_jobs: RunJobs, heard: list[tuple[int, int, int]]
) -> None:
    ada = make_user()
    actor = Actor.of_user(ada, via="session")
    spec = serving(secrets=("TOKEN",), replicas_min=2, replicas_max=2)
    workload = make_workload(ada, spec, secrets={"TOKEN": "hunter2"}, title="Chat", is_private=False)
    assert (workload.word, workload.desired, workload.secure_level) == ("Pending", Desired.STOPPED, 1)
    assert "hunter2" not in str(workload.spec) + workload.sealed_secrets
    assert open_secrets(context, workload) == {"TOKEN": "hunter2"}

    start_workload(context, actor=actor, workload_id=workload.id)
    start_workload(context, actor=actor, workload_id=workload.id)  # once is enough
    assert run_jobs() == ["compute.start"]
    running = _load(context, workload)
    assert (running.word, running.actual_replicas, running.task_number) == ("Running", 2, 1)
    assert running.endpoint.startswith("http://127.0.0.1:")
    assert [instance["status"] for instance in running.instances] == ["Running", "Running"]
    with pytest.raises(Conflict) as caught, unit_of_work(context) as work:
        update_workload(work, actor=actor, workload_id=workload.id, title="Talk")
    assert caught.value.code == "workload_running"

    with unit_of_work(context) as work:
        stop_workload(work, actor=actor, workload_id=workload.id)
        stop_workload(work, actor=actor, workload_id=workload.id)
    assert run_jobs() == ["compute.stop"]
    stopped = _load(context, workload)
    assert (stopped.word, stopped.endpoint, stopped.instances) == ("Stopped", "", [])
    assert stopped.released_at is not None
    with unit_of_work(context) as work:
        changed = update_workload(
            work, actor=actor, workload_id=workload.id, title="Talk", replicas_min=1, secrets={"A": "1", "B": "2"}
        )
        assert (changed.title, changed.parsed_spec.secrets) == ("Talk", ("A", "B"))
        for odd in ({"svc_name": "other"}, {"replicas_min": 9}):
            with pytest.raises(Invalid):
                update_workload(work, actor=actor, workload_id=workload.id, **odd)

    start_workload(context, actor=actor, workload_id=workload.id)
    run_jobs()
    assert (_load(context, workload).word, _load(context, workload).task_number) == ("Running", 2)
    with unit_of_work(context) as work:
        delete_workload(work, actor=actor, workload_id=workload.id)
    run_jobs()
    gone = _load(context, workload)
    assert (gone.word, gone.sealed_secrets, context[MACHINES].driver.names()) == ("Deleted", "", set())
    with pytest.raises(NotFound):
        start_workload(context, actor=actor, workload_id=workload.id)
    assert heard == [(0, 20, 0), (20, 23, 2), (23, 26, 0), (26, 0, 0), (0, 20, 0), (20, 23, 1), (23, 27, 0)]
    with reading(context) as work:
        tasks = work.session.scalars(select(WorkloadTask).order_by(WorkloadTask.number)).all()
    assert [task.state for task in tasks] == [TaskState.CANCELLED, TaskState.CANCELLED]


def test_news_of_an_earlier_start_and_of_what_is_not_wanted_change_nothing(
    context: Context, make_user: Any, make_workload: Make, run_jobs: RunJobs, heard: list[tuple[int, int, int]]
) -> None:
    workload = make_workload(make_user(), serving())
    start_workload(context, actor=SYSTEM, workload_id=workload.id)
    run_jobs()
    with unit_of_work(context) as work:
        stop_workload(work, actor=SYSTEM, workload_id=workload.id)
        assert not applying.apply_status(work, workload.id, Status("web", Code.DEPLOY_FAILED, 1, reason="late"))
        assert not applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 1))
    start_workload(context, actor=SYSTEM, workload_id=workload.id)
    with unit_of_work(context) as work:
        assert not applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 1, endpoint="http://old"))
        assert not applying.note_failed(work, workload.id, 1, reason="late", message="")
        assert not applying.note_accepted(work, workload.id, 1)
        assert not applying.apply_status(work, workload.id, Status("web", Code.STOPPED, 2))
        # What has run cannot fail to start; another number of instances is told, the same one is not.
        assert applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 2, actual=1, desired=1))
        assert applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 2, actual=3, desired=3))
        assert not applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 2, actual=3, desired=3))
        failed = Status("web", Code.DEPLOY_FAILED, 2, reason="x" * 500, message="\0\ud800" + "m" * 9000)
        assert applying.apply_status(work, workload.id, failed)
    found = _load(context, workload)
    assert (found.word, len(found.reason), len(found.message)) == ("RuntimeError", 128, 4000)
    assert heard[-4:] == [(26, 0, 0), (0, 23, 1), (23, 23, 3), (23, 24, 0)]
    with unit_of_work(context) as work:
        assert not applying.apply_status(work, 10_000, Status("none", Code.RUNNING, 1))
        delete_workload(work, actor=SYSTEM, workload_id=workload.id)
        assert not applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 2))


def test_failures_jobs_and_sleep(
    context: Context, clock: FixedClock, make_user: Any, make_workload: Make, run_jobs: RunJobs
) -> None:
    ada = make_user()
    workloads = {
        spec.svc_name: make_workload(ada, spec)
        for spec in (
            *(failing(), job(), job("1/0", image="fail", svc_name="job2"), endless_job(svc_name="job3")),
            *(serving("crash", image="crash"), serving("nap", replicas_min=0, sleep_after_s=60)),
        )
    }
    for workload in workloads.values():
        start_workload(context, actor=SYSTEM, workload_id=workload.id)
    run_jobs()
    refresh(context, [workload.id for workload in workloads.values()])
    words = {name: _load(context, workload).word for name, workload in workloads.items()}
    assert words == {
        "bad": "DeployFailed",
        "job": "Succeeded",
        "job2": "Failed",
        "job3": "Running",
        "crash": "RuntimeError",
        "nap": "Running",
    }
    assert _load(context, workloads["bad"]).reason == "ExitCode:1"
    clock.advance(61)
    reconcile(context)
    nap = workloads["nap"]
    assert _load(context, nap).word == "Sleeping"
    wake_workload(context, workload_id=nap.id)
    wake_workload(context, workload_id=nap.id)
    assert _load(context, nap).word == "Deploying"
    assert see_workload(context, workload_id=nap.id).word == "Running"
    assert see_workload(context, workload_id=nap.id).as_json()["details"][0]["status"] == "Running"
    with unit_of_work(context) as work:
        for name in ("job", "job3", "bad"):
            stop_workload(work, actor=SYSTEM, workload_id=workloads[name].id)
    run_jobs()
    words = [_load(context, workloads[name]).word for name in ("job", "job3", "bad")]
    assert words == ["Succeeded", "Stopped", "Stopped"]


def test_an_image_is_made_first_where_it_must_be(
    context: Context, make_user: Any, make_workload: Make, run_jobs: RunJobs, heard: list[tuple[int, int, int]]
) -> None:
    workload = make_workload(make_user(), serving(image=""))
    start_workload(context, actor=SYSTEM, workload_id=workload.id, is_built=False)
    assert run_jobs() == []
    with unit_of_work(context) as work:
        assert not report_build(work, workload_id=workload.id, code=Code.BUILDING)
        assert report_build(work, workload_id=workload.id, code=Code.BUILD_IN_QUEUE)
        assert report_build(work, workload_id=workload.id, code=Code.BUILDING, message="step 1")
        assert report_build(work, workload_id=workload.id, code=Code.BUILD_SUCCESS, image="registry/made:1")
        assert not report_build(work, workload_id=workload.id, code=Code.BUILD_FAILED)
    run_jobs()
    found = _load(context, workload)
    assert (found.word, found.spec["image"]) == ("Running", "registry/made:1")
    assert [new for _, new, _ in heard] == [10, 11, 13, 20, 23]


def test_what_is_written_down_becomes_true_again_after_any_loss(
    context: Context, clock: FixedClock, make_user: Any, make_workload: Make, run_jobs: RunJobs
) -> None:
    ada = make_user()
    driver = context[MACHINES].driver
    web = make_workload(ada, serving("web"))
    start_workload(context, actor=SYSTEM, workload_id=web.id)
    _lose_jobs(context)  # the hub died between its commit and the driver
    assert _load(context, web).word == "Pending"
    reconcile(context)
    reconcile(context)
    assert run_jobs() == ["compute.start"]
    assert _load(context, web).word == "Running"

    driver.purge("web")  # the driver has lost what it knew
    long = make_workload(ada, endless_job(svc_name="long"))
    start_workload(context, actor=SYSTEM, workload_id=long.id)
    run_jobs()
    driver.purge("long")
    driver.run(serving("stranger"), secrets={})  # of nobody whom the hub knows
    reconcile(context)
    run_jobs()
    refresh(context, [web.id, long.id])
    assert (_load(context, web).word, _load(context, web).task_number) == ("Running", 1)
    lost = _load(context, long)
    assert (lost.word, lost.reason) == ("Failed", "not_found")  # half a job is not done again by itself
    assert driver.names() == {"web"}

    with unit_of_work(context) as work:
        stop_workload(work, actor=SYSTEM, workload_id=web.id)
    _lose_jobs(context)
    assert driver.statuses(["web"])["web"].code is Code.RUNNING
    reconcile(context)
    assert run_jobs() == ["compute.stop"]
    assert driver.statuses(["web"])["web"].code is Code.STOPPED
    reconcile(context)
    assert run_jobs() == []

    start_workload(context, actor=SYSTEM, workload_id=web.id)
    with unit_of_work(context) as work:
        stop_workload(work, actor=SYSTEM, workload_id=web.id)
    assert run_jobs() == ["compute.start", "compute.stop"]  # the start finds that it is not wanted
    assert driver.statuses(["web"])["web"].task_id == 1


def _lose_jobs(context: Context) -> None:
    with unit_of_work(context) as work:
        for row in work.session.scalars(select(Job).where(Job.state == JobState.QUEUED)):
            row.state = JobState.FAILED


@pytest.mark.settings(compute="absent")
def test_a_driver_that_is_away_is_waited_for_but_not_for_ever(
    context: Context, clock: FixedClock, make_user: Any, make_workload: Make
) -> None:
    workload = make_workload(make_user(), serving())
    with unit_of_work(context) as work:
        applying.begin(work, work.session.get_one(Workload, workload.id))
        applying.note_accepted(work, workload.id, 1)
    reconcile(context)
    assert _load(context, workload).word == "Deploying"
    clock.advance(901)
    reconcile(context)
    found = _load(context, workload)
    assert (found.word, found.reason) == ("DeployFailed", "runner_unreachable")
    with unit_of_work(context) as work:
        row = work.session.get_one(Workload, workload.id)
        applying.begin(work, row)
        applying.apply_status(work, workload.id, Status("web", Code.RUNNING, 2, actual=1, desired=1))
    clock.advance(90_000)
    reconcile(context)
    assert _load(context, workload).word == "Running"  # nobody knows better
    assert see_workload(context, workload_id=workload.id).word == "ResourceUnhealthy"


def test_nothing_is_promised_twice(context: Context, make_user: Any, make_workload: Make, run_jobs: RunJobs) -> None:
    ada = make_user()
    half = Resources(cpu_millis=40_000, memory_bytes=100 * GIB)  # of the 64 cores of the driver's machine
    first, second = (make_workload(ada, serving(name, resources=half)) for name in ("a", "b"))
    refused: list[str] = []

    def start(workload: Workload) -> None:
        try:
            start_workload(context, actor=SYSTEM, workload_id=workload.id)
        except Conflict as error:
            refused.append(error.code)

    threads = [threading.Thread(target=start, args=(workload,)) for workload in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["insufficient_cpu"]
    run_jobs()
    winner, loser = sorted((_load(context, first), _load(context, second)), key=lambda one: one.desired)
    assert (winner.word, loser.word, loser.task_number) == ("Running", "Pending", 0)
    with unit_of_work(context) as work:
        stop_workload(work, actor=SYSTEM, workload_id=winner.id)
    start_workload(context, actor=SYSTEM, workload_id=loser.id)


def test_who_may_do_what(
    context: Context, make_user: Any, make_organization: Any, make_workload: Make, run_jobs: RunJobs
) -> None:
    people = {name: make_user(name) for name in ("maker", "reader", "writer", "stranger")} | {
        "boss": make_user("boss", admin=True)
    }
    acme = make_organization()
    with unit_of_work(context) as work:
        for name, role in (("reader", Role.READ), ("writer", Role.WRITE), ("maker", Role.WRITE)):
            row = Member(organization_id=acme.id, user_id=people[name].id, role=role, created_at=work.now())
            work.session.add(row)
    actors = {name: Actor.of_user(user, via="session") for name, user in people.items()}
    actors["read token"] = replace(actors["writer"], via="token", scope=TokenScope.READ)
    actors["nobody"] = ANONYMOUS
    private = make_workload(people["maker"], serving("private"), organization=acme)
    public = make_workload(people["maker"], serving("public"), organization=acme, is_private=False)
    notebook = make_workload(people["maker"], serving("nb", kind=Kind.NOTEBOOK), organization=acme, is_private=False)
    assert notebook.secure_level == 2
    with unit_of_work(context) as work:
        for member in work.session.scalars(select(Member).where(Member.user_id == people["maker"].id)):
            work.session.delete(member)  # who made it may always

    def allowed(workload: Workload, permission: str) -> set[str]:
        with reading(context) as work:
            return {name for name, actor in actors.items() if may(work, actor, permission, workload)}

    writers = {"maker", "writer", "boss"}
    assert allowed(private, WORKLOAD_READ) == writers | {"reader", "read token"}
    assert allowed(public, WORKLOAD_READ) == set(actors)
    for workload in (private, public):
        assert allowed(workload, WORKLOAD_LOGS) == writers | {"read token"}
        assert allowed(workload, WORKLOAD_WRITE) == writers
    with reading(context) as work:
        names = {
            name: [one.svc_name for one in list_workloads(work, actor=actor).items] for name, actor in actors.items()
        }
    assert names["stranger"] == names["nobody"] == ["public"]
    assert names["maker"] == names["reader"] == names["boss"] == ["nb", "public", "private"]
    refusals = {}
    for name, actor in actors.items():
        for what, workload in (("private", private), ("public", public)):
            try:
                start_workload(context, actor=actor, workload_id=workload.id)
            except (NotFound, Denied, NotSignedIn) as error:
                refusals[name, what] = type(error)
    assert refusals == {
        ("reader", "private"): Denied,
        ("reader", "public"): Denied,
        ("stranger", "private"): NotFound,
        ("stranger", "public"): Denied,
        ("read token", "private"): Denied,
        ("read token", "public"): Denied,
        ("nobody", "private"): NotFound,
        ("nobody", "public"): NotSignedIn,
    }
    for name in ("reader", "stranger", "read token", "maker"):
        with pytest.raises(Denied), unit_of_work(context) as work:
            create_workload(work, actor=actors[name], namespace=acme.namespace, purpose="tests", spec=serving("new"))


def test_lists_are_paged_and_take_as_many_queries_however_long(
    context: Context, make_user: Any, make_workload: Make, count_queries: Any
) -> None:
    ada, bob = make_user("ada"), make_user("bob")
    for number in range(12):
        make_workload(ada, serving(f"w{number}"), purpose="inference" if number % 2 else "space")
    actor = Actor.of_user(ada, via="session")

    def look(per: int) -> tuple[int, list[str]]:
        with count_queries() as queries, reading(context) as work:
            found = list_workloads(work, actor=actor, page=PageArgs(1, per))
            shown = [f"{one.namespace.path}/{one.svc_name} of {one.user.name}" for one in found.items if one.user]
        return len(queries), shown

    assert look(2)[0] == look(12)[0] == 2
    assert look(2)[1] == ["ada/w11 of ada", "ada/w10 of ada"]
    with reading(context) as work:
        assert list_workloads(work, actor=actor, purpose="space").total == 6
        assert list_workloads(work, actor=actor, codes=[Code.RUNNING]).total == 0
        assert list_workloads(work, actor=actor, purpose="\0").total == 0
        assert list_workloads(work, actor=Actor.of_user(bob, via="session")).total == 0
        assert get_workload(work, actor=actor, svc_name="w3").purpose == "inference"


def test_accounts_with_workloads_stay_until_those_are_deleted(
    context: Context, make_user: Any, make_organization: Any, make_workload: Make
) -> None:
    ada, acme = make_user("ada"), make_organization("acme")
    own = make_workload(ada, serving("own"))
    with unit_of_work(context) as work:
        shared = create_workload(work, actor=SYSTEM, namespace=acme.namespace, purpose="tests", spec=serving("shared"))

    def leave(which: int) -> None:
        with unit_of_work(context) as work:
            if which == own.id:
                delete_user(work, actor=SYSTEM, name="ada")
            else:
                organization = work.session.get_one(Organization, acme.id)
                delete_organization(work, actor=SYSTEM, organization=organization)

    for workload in (own, shared):
        with pytest.raises(Conflict) as caught:
            leave(workload.id)
        assert caught.value.code == "USER-ERR-16"
        with unit_of_work(context) as work:
            delete_workload(work, actor=SYSTEM, workload_id=workload.id)
        leave(workload.id)


def test_a_namespace_takes_its_workloads_along_and_a_name_is_there_once(
    context: Context, make_user: Any, make_workload: Make, run_jobs: RunJobs
) -> None:
    ada = make_user()
    workload = make_workload(ada, serving())
    with pytest.raises(Conflict) as caught:
        make_workload(ada, serving())
    assert caught.value.code == "svc_name_taken"
    start_workload(context, actor=SYSTEM, workload_id=workload.id)
    run_jobs()
    with unit_of_work(context) as work:
        user = work.session.get_one(User, ada.id)
        work.session.delete(user)
        work.session.delete(user.namespace)
    with reading(context) as work:
        assert work.session.scalar(select(func.count(Workload.id))) == 0
    reconcile(context)
    assert context[MACHINES].driver.names() == set()
    with reading(context) as work:
        names = work.session.scalars(select(Sku.name)).all()
    assert "CPU 2 · 4Gi" in names
    assert "Fake-80G · 1" in names
