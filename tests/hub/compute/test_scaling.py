"""As many instances as calls take: how many, when fewer, and that none ends under a call or takes another's room."""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.compute.local.scaling import BELIEVED_S, DRAIN_LEAST_S, DRAIN_MOST_S, Scale
from hub.compute.reports import Status
from hub.compute.spec import Health, Kind, Resources, WorkloadSpec
from hub.compute.states import Code, Reason
from tests.hub.compute.programs import serving
from tests.support.compute import LocalCompute
from tests.support.processes import wait_until

pytestmark = pytest.mark.any_database

WINDOW_S = 60.0


def _all(count: int) -> int:
    return count


def _look(scale: Scale, now: float, *, least: int = 1, most: int = 8, room: Callable[[int], int] = _all) -> int:
    scale.look(now, least=least, most=most, room=room)
    return scale.count


def test_one_instance_answers_four_calls_and_a_half_at_once() -> None:
    scale = Scale(window_s=WINDOW_S)
    counts = []
    for calls in (0, 1, 4, 5, 9, 10, 40):
        scale.tell("a", {"x": calls}, 0.0)
        counts.append(_look(scale, 0.0))
    assert counts == [1, 1, 1, 2, 2, 3, 8]  # 40 calls would take nine
    # What waits counts as well, and what each process says.
    other = Scale(window_s=WINDOW_S)
    other.tell("a", {"x": 3, "": 3}, 0.0)
    other.tell("b", {"y": 4}, 0.0)
    assert _look(other, 0.0) == 3
    assert (other.calls(0.0), other.calls(0.0, "x"), other.calls(0.0, "z")) == (10, 3, 0)
    assert _look(other, 0.0, least=5) == 5


def test_more_come_at_once_and_fewer_when_fewer_were_enough_for_a_while() -> None:
    scale = Scale(window_s=WINDOW_S)
    scale.tell("a", {"x": 20}, 100.0)
    assert _look(scale, 100.0) == 5
    scale.tell("a", {"x": 8}, 101.0)
    assert _look(scale, 101.0) == 5
    scale.tell("a", {"x": 8}, 159.0)
    assert _look(scale, 159.0) == 5
    assert _look(scale, 160.5) == 2
    scale.tell("a", {"x": 30}, 161.0)
    assert _look(scale, 161.0) == 7
    # A process that says nothing any more has ended, with its calls.
    assert _look(scale, 161.0 + BELIEVED_S + 1) == 7
    assert _look(scale, 161.0 + BELIEVED_S + 1 + WINDOW_S) == 1


def test_it_is_looked_at_again_when_that_can_change_something() -> None:
    scale = Scale(window_s=WINDOW_S)
    options: dict[str, Any] = {"least": 1, "most": 8, "room": _all}
    assert scale.look(0.0, **options) == float("inf")
    scale.tell("a", {"x": 20}, 1.0)
    assert scale.look(1.0, **options) == 1.0 + BELIEVED_S
    later = 2.0 + BELIEVED_S
    assert scale.look(later, **options) == 1.0 + WINDOW_S
    assert scale.look(0.0, least=3, most=3, room=_all) == float("inf")


def test_where_there_is_no_room_those_that_there_are_stay_and_the_least_is_no_question() -> None:
    scale = Scale(window_s=WINDOW_S)
    scale.tell("a", {"x": 20}, 0.0)
    assert (_look(scale, 0.0, room=lambda _: 3), scale.is_short) == (3, True)
    assert (_look(scale, 0.0, least=4, room=lambda _: 0), scale.is_short) == (4, True)
    assert (_look(scale, 0.0), scale.is_short) == (5, False)


def test_one_too_many_goes_on_until_its_last_call_has_ended() -> None:
    scale = Scale(window_s=WINDOW_S)
    scale.tell("a", {"x": 1}, 0.0)
    assert scale.keeps(1, "x", 0.0)
    assert scale.keeps(2, "y", DRAIN_LEAST_S - 1)
    assert scale.keeps(1, "x", DRAIN_LEAST_S + 1)
    assert not scale.keeps(2, "y", 2 * DRAIN_LEAST_S)
    scale.readmit(2)
    assert scale.keeps(2, "y", 2 * DRAIN_LEAST_S)
    scale.tell("a", {"x": 1}, DRAIN_MOST_S)
    assert not scale.keeps(1, "x", DRAIN_MOST_S + 1)


def test_a_supervisor_that_is_started_anew_keeps_what_ran_for_the_usual_while() -> None:
    scale = Scale(window_s=WINDOW_S)
    scale.recall(4, 10.0)
    assert _look(scale, 11.0) == 4
    assert _look(scale, 10.0 + WINDOW_S) == 1


# On the machine

_HOLD = """
import http.server, socketserver, sys, threading
go = threading.Event()
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.path == "/go":
            go.set()
        if self.path == "/hold":
            self.wfile.flush()
            go.wait()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[LocalCompute]:
    """A supervisor that has fewer instances after two seconds."""
    found = LocalCompute(tmp_path, {"compute_scale_window_s": 2})
    try:
        yield found.start()
    finally:
        found.close()


def elastic(svc_name: str = "web", *, most: int = 3, **changes: Any) -> WorkloadSpec:
    """A service that answers; where it is asked to hold, once it is asked to go on."""
    argv = (sys.executable, "-c", _HOLD, "{port}")
    health = Health("/", ready_timeout_s=60, interval_s=1)
    return serving(svc_name, **{"argv": argv, "health": health, "replicas_max": most} | changes)


def _wait(
    compute: LocalCompute, svc_name: str, count: int, *, calls: dict[str, int] | None = None, wakes: bool = False
) -> Status:
    """Wait until so many instances answer, while so many calls are told. wakes: it may fall asleep before one looks."""
    found: list[Status] = []

    def has_come() -> bool:
        if wakes:
            compute.driver.wake(svc_name)
        if calls is not None:
            compute.driver.touch(svc_name, calls=calls)
        status = compute.driver.status(svc_name)
        found[:] = (
            [status] if status is not None and len(list(filter(None, status.endpoint.split(",")))) == count else []
        )
        return bool(found)

    wait_until(has_come, timeout_s=60, what=f"{svc_name} to answer at {count} places")
    return found[0]


def test_instances_come_with_calls_survive_the_supervisor_and_go_after_their_last_call(compute: LocalCompute) -> None:
    compute.driver.run(elastic(), secrets={})
    first = _wait(compute, "web", 1)
    many = _wait(compute, "web", 3, calls={first.endpoint: 12})
    assert (many.actual, many.desired, many.code) == (3, 3, Code.RUNNING)
    assert first.endpoint in many.endpoint
    *_, last = many.endpoint.split(",")
    pids = {number: compute.record("web", number).pid for number in range(3)}
    # Killed with all its memory of calls: nothing ends because of that alone.
    compute.kill()
    compute.start()
    assert {number: compute.record("web", number).pid for number in range(3)} == pids
    answered: list[bytes] = []

    def ask(path: str) -> None:
        connection = http.client.HTTPConnection(last.removeprefix("http://"), timeout=240)
        connection.request("GET", path)
        answered.append(connection.getresponse().read())

    caller = threading.Thread(target=ask, args=("/hold",))
    caller.start()
    # It gets no new calls, while it still answers one.
    alone = _wait(compute, "web", 1, calls={last: 1})
    assert alone.endpoint == first.endpoint
    assert alone.actual > 1
    assert caller.is_alive()
    ask("/go")
    caller.join()
    assert answered == [b"ok"] * 2
    wait_until(lambda: not compute.record("web", 2).is_running, timeout_s=60, what="the last one to end")
    assert compute.record("web", 0).pid == pids[0]
    status = compute.driver.status("web")
    assert status is not None
    assert (status.actual, status.reason) == (1, "")


def test_what_has_no_room_says_so_and_runs_on_and_gives_way_to_what_is_started(compute: LocalCompute) -> None:
    [node] = compute.driver.nodes()
    half = Resources(cpu_millis=node.cpu_millis // 3)
    compute.driver.run(elastic(resources=half, most=5), secrets={})
    first = _wait(compute, "web", 1)
    calls = {first.endpoint: 40}
    full = _wait(compute, "web", 3, calls=calls)
    assert (full.code, full.reason, full.actual) == (Code.RUNNING, Reason.NO_CAPACITY, 3)
    assert [one.available_cpu_millis < half.cpu_millis for one in compute.driver.nodes()] == [True]
    # The hub admits what it has promised room to: what came for the load alone goes.
    compute.driver.run(elastic("other", resources=half, most=1), secrets={})
    _wait(compute, "web", 2, calls=calls)
    _wait(compute, "other", 1)
    assert compute.driver.status("web") is not None
    compute.driver.stop("other")
    _wait(compute, "web", 3, calls=calls)


def test_what_falls_asleep_wakes_as_one(compute: LocalCompute) -> None:
    compute.driver.run(elastic("nap", replicas_min=0, sleep_after_s=1), secrets={})
    first = _wait(compute, "nap", 1, calls={})
    _wait(compute, "nap", 2, calls={first.endpoint: 9})
    wait_until(
        lambda: (status := compute.driver.status("nap")) is not None and status.code is Code.SLEEPING,
        timeout_s=60,
        what="it to sleep",
    )
    woken = _wait(compute, "nap", 1, wakes=True)
    assert (woken.actual, woken.desired) == (1, 1)


def test_a_job_is_one_whatever_is_said(compute: LocalCompute) -> None:
    argv = (sys.executable, "-c", "import signal; signal.pause()")
    compute.driver.run(WorkloadSpec("work", Kind.JOB, 1, argv=argv), secrets={})
    compute.driver.touch("work", calls={"": 100})
    wait_until(
        lambda: (status := compute.driver.status("work")) is not None and status.code is Code.RUNNING,
        what="the job to run",
    )
    status = compute.driver.status("work")
    assert status is not None
    assert len(status.instances) == 1
