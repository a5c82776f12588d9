"""What every compute driver must do. A driver joins by its name in ``conftest.driver``."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hub.base.errors import Conflict, Invalid
from hub.compute.driver import ComputeDriver
from hub.compute.reports import INSTANCE_RUNNING, History, LogLine, Status
from hub.compute.states import Code, Reason
from tests.hub.compute.programs import endless_job, failing, job, serving
from tests.support.processes import wait_until

pytestmark = pytest.mark.any_database

Reach = Callable[..., Status]


@pytest.fixture
def reach(driver: ComputeDriver) -> Reach:
    """``reach("web", Code.RUNNING)``: the status of the workload once it has this code."""

    def wait(svc_name: str, code: Code) -> Status:
        def has_come() -> bool:
            status = driver.status(svc_name)
            return status is not None and status.code is code

        wait_until(has_come, timeout_s=60, what=f"{svc_name} to be {code.name}")
        status = driver.status(svc_name)
        assert status is not None
        return status

    return wait


def _lines(driver: ComputeDriver, svc_name: str) -> list[str]:
    return [line.text for line in driver.logs(svc_name) if line is not None]


def test_a_service_is_started_once_replaced_by_a_later_start_stopped_and_forgotten(
    driver: ComputeDriver, reach: Reach
) -> None:
    spec = serving(secrets=("TOKEN",))
    driver.run(spec, secrets={"TOKEN": "hunter2-is-secret"})
    status = reach("web", Code.RUNNING)
    assert (status.task_id, status.actual, status.desired, status.reason) == (1, 1, 1, "")
    assert [instance.status for instance in status.instances] == [INSTANCE_RUNNING]
    with urllib.request.urlopen(f"{status.endpoint}/", timeout=60) as answer:
        assert answer.status == 200
    assert driver.usage("web") is not None

    driver.run(spec, secrets={"TOKEN": "hunter2-is-secret"})
    assert driver.status("web") == status  # not started again
    wait_until(lambda: any("***" in text for text in _lines(driver, "web")), what="its secret, masked")
    assert "hunter2" not in "".join(_lines(driver, "web"))

    driver.run(spec.with_task(3), secrets={"TOKEN": "hunter2-is-secret"})
    wait_until(lambda: reach("web", Code.RUNNING).task_id == 3, what="the later start")
    with pytest.raises(Conflict) as caught:
        driver.run(spec.with_task(2), secrets={"TOKEN": "hunter2-is-secret"})
    assert caught.value.code == "task_stale"
    assert reach("web", Code.RUNNING).task_id == 3

    driver.stop("web")
    stopped = reach("web", Code.STOPPED)
    assert (stopped.endpoint, stopped.actual, stopped.desired) == ("", 0, 0)
    driver.stop("web")
    driver.run(spec.with_task(3), secrets={"TOKEN": "hunter2-is-secret"})
    assert reach("web", Code.STOPPED).task_id == 3  # that start is over
    assert driver.usage("web") is None

    driver.purge("web")
    driver.purge("web")
    driver.stop("web")
    driver.wake("web")
    driver.touch("web")
    assert driver.status("web") is None
    assert _lines(driver, "web") == []


def test_what_never_serves_has_failed_with_a_reason_and_can_be_started_again(
    driver: ComputeDriver, reach: Reach
) -> None:
    driver.run(failing(), secrets={})
    status = reach("bad", Code.DEPLOY_FAILED)
    assert status.reason.startswith("ExitCode:")
    assert status.message
    assert status.endpoint == ""
    driver.run(serving("bad", task_id=2), secrets={})
    assert reach("bad", Code.RUNNING).reason == ""
    driver.run(failing(task_id=3), secrets={})
    reach("bad", Code.DEPLOY_FAILED)
    driver.stop("bad")
    assert reach("bad", Code.STOPPED).task_id == 3
    driver.purge("bad")


def test_a_job_ends_by_itself_or_is_ended(driver: ComputeDriver, reach: Reach) -> None:
    driver.run(job(svc_name="good"), secrets={})
    driver.run(job("raise SystemExit(1)", image="fail", svc_name="bad"), secrets={})
    driver.run(endless_job(svc_name="long"), secrets={})
    driver.run(endless_job(svc_name="late", deadline_s=1), secrets={})
    good, bad = reach("good", Code.SUCCEEDED), reach("bad", Code.FAILED)
    assert [instance.exit_code for instance in (*good.instances, *bad.instances)] == [0, 1]
    assert (good.reason, bad.reason) == ("", "ExitCode:1")
    assert reach("late", Code.FAILED).reason == Reason.DEADLINE
    assert reach("long", Code.RUNNING).endpoint == ""
    driver.stop("long")
    reach("long", Code.STOPPED)
    driver.stop("good")
    assert reach("good", Code.SUCCEEDED).task_id == 1  # what has ended cannot be stopped
    for name in ("good", "bad", "long", "late"):
        driver.purge(name)
    assert driver.statuses(["good", "bad", "long", "late"]) == {}


def test_lines_are_read_from_the_end_from_a_moment_and_as_they_come(driver: ComputeDriver, reach: Reach) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    driver.run(job("print('one'); print('two')", svc_name="talk"), secrets={})
    followed = [line for line in driver.logs("talk", follow=True) if line is not None]  # it ends with the job
    reach("talk", Code.SUCCEEDED)
    lines = [line for line in driver.logs("talk") if line is not None]
    assert len(lines) >= 2
    assert all(isinstance(line, LogLine) and line.at.tzinfo for line in lines)
    assert [line.text for line in followed] == [line.text for line in lines][: len(followed)]
    assert list(driver.logs("talk", limit=1)) == lines[-1:]
    assert list(driver.logs("talk", since=began)) == lines
    assert list(driver.logs("talk", since=datetime.now(UTC) + timedelta(hours=1))) == []
    driver.run(endless_job(svc_name="hum"), secrets={})
    reach("hum", Code.RUNNING)
    reader = driver.logs("hum", follow=True)
    while next(reader) is not None:
        pass
    reader.close()
    for name in ("talk", "hum"):
        driver.purge(name)


def test_what_nobody_calls_falls_asleep_and_is_woken(driver: ComputeDriver, reach: Reach) -> None:
    driver.run(serving("nap", replicas_min=0, sleep_after_s=1), secrets={})
    assert reach("nap", Code.SLEEPING).endpoint == ""
    driver.touch("nap")
    assert reach("nap", Code.SLEEPING).actual == 0
    driver.wake("nap")

    def is_awake() -> bool:
        # Again, for it may fall asleep before anybody looks.
        driver.wake("nap")
        status = driver.status("nap")
        return status is not None and status.code is Code.RUNNING

    wait_until(is_awake, what="it to wake")
    reach("nap", Code.SLEEPING)
    driver.stop("nap")
    reach("nap", Code.STOPPED)
    driver.wake("nap")
    assert reach("nap", Code.STOPPED).task_id == 1
    driver.purge("nap")


def test_what_one_instance_used_is_remembered_by_the_minute(driver: ComputeDriver, reach: Reach) -> None:
    since = datetime.now(UTC) - timedelta(minutes=5)
    driver.run(serving(), secrets={})
    status = reach("web", Code.RUNNING)
    [instance] = status.instances
    found: list[History] = []

    def has_come() -> bool:
        history = driver.history("web", instance.name, since=since)
        found[:] = [history] if history is not None and any(one.memory_bytes for one in history.samples) else []
        return bool(found)

    wait_until(has_come, timeout_s=60, what="what it used")
    [history] = found
    assert history.endpoint == status.endpoint
    assert all(one.at.second == 0 and since - timedelta(minutes=1) <= one.at for one in history.samples)
    assert sorted(history.samples, key=lambda one: one.at) == list(history.samples)
    later = driver.history("web", instance.name, since=datetime.now(UTC) + timedelta(hours=1))
    assert later is not None
    assert later.samples == ()
    for unknown in ("web-7", "web", "other-0", "web-x", "web-" + "9" * 30):
        assert driver.history("web", unknown, since=since) is None
    assert driver.history("other", "other-0", since=since) is None
    driver.purge("web")


def test_another_object_of_the_driver_knows_the_same(driver: ComputeDriver, reach: Reach, other: ComputeDriver) -> None:
    driver.run(serving("a"), secrets={})
    driver.run(job(svc_name="b"), secrets={})
    reach("a", Code.RUNNING)
    reach("b", Code.SUCCEEDED)
    assert other.statuses(["a", "b", "c"]) == driver.statuses(["a", "b", "c"])
    assert set(other.statuses(["a", "b", "c"])) == other.names() == {"a", "b"}
    other.stop("a")
    reach("a", Code.STOPPED)


def test_values_of_secrets_are_those_of_the_names(driver: ComputeDriver) -> None:
    for secrets in ({}, {"TOKEN": "x", "OTHER": "y"}, {"TOKEN": "a\0b"}):
        with pytest.raises(Invalid):
            driver.run(serving(secrets=("TOKEN",)), secrets=secrets)
    assert driver.status("web") is None


def test_a_node_has_more_than_nothing_and_no_more_left_than_there_is(driver: ComputeDriver) -> None:
    nodes = driver.nodes()
    assert nodes
    for node in nodes:
        assert node.name
        assert node.status == "Ready"
        assert node.isolation
        assert 0 <= node.available_cpu_millis <= node.cpu_millis > 0
        assert 0 <= node.available_memory_bytes <= node.memory_bytes > 0
        for cards in node.accelerators:
            assert 0 <= cards.available <= cards.count > 0
