"""The driver ``local`` in real processes: what it survives, when it gives up, and that nothing outlives its end."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hub.compute.reports import INSTANCE_RUNNING, Status
from hub.compute.spec import Kind, Resources, WorkloadSpec
from hub.compute.states import Code, Reason
from tests.hub.compute.local_programs import fading, family, mute, ticking
from tests.hub.compute.programs import endless_job, job, serving
from tests.support.compute import LocalCompute
from tests.support.processes import is_alive, wait_until

pytestmark = pytest.mark.any_database

MIB = 1024 * 1024


@pytest.fixture
def start_compute(tmp_path: Path) -> Iterator[Callable[..., LocalCompute]]:
    """``start_compute(compute_max_jobs=1)``: a supervisor with other settings."""
    started = []

    def start(*, environment: dict[str, str] | None = None, prelude: str = "", **settings: Any) -> LocalCompute:
        compute = LocalCompute(tmp_path / f"home{len(started)}", settings)
        compute.environment |= environment or {}
        compute.prelude = prelude
        started.append(compute)
        return compute.start()

    yield start
    for compute in started:
        compute.close()


def reach(compute: LocalCompute, svc_name: str, code: Code) -> Status:
    """Wait until a workload has this code; its status then."""
    found: list[Status] = []

    def has_come() -> bool:
        status = compute.driver.status(svc_name)
        found[:] = [status] if status is not None and status.code is code else []
        return bool(found)

    wait_until(has_come, timeout_s=60, what=f"{svc_name} to be {code.name}: {compute.driver.status(svc_name)}")
    return found[0]


def texts(compute: LocalCompute, svc_name: str, *, stream: str = "stdout") -> list[str]:
    """What a workload has printed."""
    return [line.text for line in compute.driver.logs(svc_name) if line is not None and line.stream == stream]


def log_size(compute: LocalCompute, svc_name: str) -> int:
    """How much a workload has printed, known without a supervisor."""
    return compute.places.log(svc_name, 1, 0).stat().st_size


def wait_gone(*pids: int) -> None:
    wait_until(lambda: not any(map(is_alive, pids)), what="processes to be gone")


# Deaths of those who look after them


def test_a_service_neither_sees_nor_loses_anything_when_supervisor_and_keeper_are_killed(
    local_compute: LocalCompute,
) -> None:
    local_compute.driver.run(ticking(secrets=("TOKEN",)), secrets={"TOKEN": "open-sesame"})
    before = reach(local_compute, "clock", Code.RUNNING)
    record = local_compute.record("clock")
    local_compute.kill()
    size = log_size(local_compute, "clock")
    wait_until(lambda: log_size(local_compute, "clock") > size, what="output without a supervisor")

    local_compute.start()
    assert reach(local_compute, "clock", Code.RUNNING) == before  # the same process, the same port, no restart
    assert local_compute.record("clock") == record

    local_compute.kill()
    os.kill(record.keeper_pid, signal.SIGKILL)
    local_compute.start()
    assert reach(local_compute, "clock", Code.RUNNING) == before
    wait_until(lambda: local_compute.record("clock").keeper_pid != record.keeper_pid, what="another keeper")
    os.kill(local_compute.record("clock").keeper_pid, signal.SIGKILL)  # under a living supervisor, too
    wait_until(lambda: local_compute.record("clock").is_kept, what="a third keeper")
    assert local_compute.record("clock").pid == record.pid
    seen = len(texts(local_compute, "clock"))
    wait_until(lambda: len(texts(local_compute, "clock")) > seen + 2, what="output after all that")
    ticks = [int(text.split()[1]) for text in texts(local_compute, "clock")]
    assert ticks == list(range(len(ticks)))  # no line is missing

    # Its secrets were sealed on disk: the next process has them, and they are masked.
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: local_compute.record("clock").pid != record.pid, what="another process")
    after = reach(local_compute, "clock", Code.RUNNING)
    assert after.endpoint == before.endpoint
    assert after.instances[0].restarts == 1
    environ = psutil.Process(local_compute.record("clock").pid).environ()
    assert environ["TOKEN"] == "open-sesame"
    state = b"".join(path.read_bytes() for path in local_compute.places.root.glob("state.db*"))
    assert b"open-sesame" not in state

    local_compute.driver.stop("clock")
    reach(local_compute, "clock", Code.STOPPED)
    wait_gone(local_compute.record("clock").pid)


def test_how_jobs_ended_while_no_supervisor_ran_is_known_and_what_is_unwanted_is_ended(
    local_compute: LocalCompute,
) -> None:
    code = "import os, signal, time; print('begun', flush=True); signal.sigwait([signal.SIGUSR2]); os._exit({})"
    mask = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); "
    for name, status in (("good", 0), ("bad", 7)):
        local_compute.driver.run(job(mask + code.format(status), svc_name=name), secrets={})
    local_compute.driver.run(endless_job(svc_name="shot"), secrets={})
    local_compute.driver.run(endless_job(svc_name="stray"), secrets={})
    for name in ("good", "bad", "shot", "stray"):
        wait_until(lambda name=name: "begun" in texts(local_compute, name), what=f"{name} to begin")
    records = {name: local_compute.record(name) for name in ("good", "bad", "shot", "stray")}
    local_compute.kill()
    for name in ("good", "bad"):
        os.kill(records[name].pid, signal.SIGUSR2)
    for pid in (records["shot"].keeper_pid, records["shot"].pid):
        os.kill(pid, signal.SIGKILL)
    wait_gone(records["good"].pid, records["bad"].pid, records["shot"].pid)
    # A supervisor that has lost its memory of one of them does not leave it to itself.
    local_compute.forget("stray")

    local_compute.start()
    assert reach(local_compute, "good", Code.SUCCEEDED).instances[0].exit_code == 0
    assert reach(local_compute, "bad", Code.FAILED).reason == "ExitCode:7"
    assert reach(local_compute, "shot", Code.FAILED).reason == "interrupted"
    wait_gone(records["stray"].pid, records["stray"].keeper_pid)
    assert local_compute.driver.names() == {"good", "bad", "shot"}


def test_told_to_stop_it_ends_all_and_begins_services_anew_unless_they_are_to_go_on(
    start_compute: Callable[..., LocalCompute],
) -> None:
    compute = start_compute()
    compute.driver.run(serving(), secrets={})
    compute.driver.run(endless_job(), secrets={})
    reach(compute, "web", Code.RUNNING)
    wait_until(lambda: "begun" in texts(compute, "job"), what="the job")
    first = compute.record("web")
    assert compute.stop() == 0
    assert not any(map(is_alive, (first.pid, first.keeper_pid, compute.record("job").pid)))
    compute.start()
    assert reach(compute, "job", Code.FAILED).reason == "interrupted"
    assert reach(compute, "web", Code.RUNNING).instances[0].restarts == 0
    compute.stop()

    patient = start_compute(compute_keep_running=True)
    patient.driver.run(serving(), secrets={})
    reach(patient, "web", Code.RUNNING)
    kept = patient.record("web")
    assert patient.stop() == 0
    assert kept.is_running
    patient.start()
    reach(patient, "web", Code.RUNNING)
    assert patient.record("web") == kept


# Faults of what runs


def test_what_dies_again_and_again_is_given_up_and_what_answers_badly_is_started_again(
    local_compute: LocalCompute,
) -> None:
    local_compute.driver.run(fading(), secrets={})
    local_compute.driver.run(fading("sour", answers=2, stays=True), secrets={})
    failed = reach(local_compute, "frail", Code.RUNTIME_ERROR)
    assert failed.reason == Reason.CRASH_LOOP
    assert "ExitCode:5" in failed.message
    assert "it is all too much" in failed.message
    assert failed.instances[0].restarts == 5
    assert (failed.endpoint, failed.actual) == ("", 0)
    assert "is not started again: CrashLoopBackOff" in texts(local_compute, "frail", stream="system")
    wait_until(lambda: any("unhealthy" in text for text in texts(local_compute, "sour", stream="system")), what="sour")


def test_a_start_that_never_ends_is_ended_and_what_cannot_start_says_why(local_compute: LocalCompute) -> None:
    local_compute.driver.run(mute(), secrets={})
    local_compute.driver.run(WorkloadSpec("none", Kind.JOB, 1, argv=("no-such-program", "x")), secrets={})
    slow = reach(local_compute, "mute", Code.DEPLOY_FAILED)
    assert slow.reason == Reason.READY_TIMEOUT
    assert slow.message.splitlines() == [f"line {number}" for number in range(20, 60)]
    none = reach(local_compute, "none", Code.FAILED)
    assert none.reason == Reason.COMMAND
    assert "no-such-program" in none.message
    wait_gone(local_compute.record("mute").pid)


def test_what_takes_too_much_memory_or_disk_is_ended(local_compute: LocalCompute) -> None:
    hungry = "import signal; kept = b'x' * (300 * 1024 * 1024); print('full', flush=True); signal.pause()"
    local_compute.driver.run(job(hungry, svc_name="fat", resources=Resources(memory_bytes=64 * MIB)), secrets={})
    local_compute.driver.run(job(hungry, svc_name="fit", resources=Resources(memory_bytes=600 * MIB)), secrets={})
    writes = "open('big', 'wb').write(b'x' * (3 * 1024 * 1024))"
    local_compute.driver.run(job(writes, svc_name="wide", resources=Resources(disk_bytes=MIB)), secrets={})
    assert reach(local_compute, "fat", Code.FAILED).reason == Reason.OUT_OF_MEMORY
    assert reach(local_compute, "wide", Code.FAILED).reason in ("ExitCode:1", "Signal:SIGXFSZ")

    def used() -> int:
        usage = local_compute.driver.usage("fit")
        return usage.memory_bytes if usage else 0

    wait_until(lambda: used() > 300 * MIB, what="the memory to be counted")
    [node] = local_compute.driver.nodes()
    assert node.memory_bytes - node.available_memory_bytes == 600 * MIB


def test_jobs_wait_for_their_turn_and_one_that_fills_the_disk_is_ended(
    start_compute: Callable[..., LocalCompute],
) -> None:
    often = "import hub.compute.local.census as census; census.MEASURE_EVERY_S = 0.1; "
    compute = start_compute(prelude=often, compute_max_jobs=1)
    code = "import signal; [open(f'f{n}', 'wb').write(b'x' * 500_000) for n in range(9)]; signal.pause()"
    compute.driver.run(job(code, svc_name="first", resources=Resources(disk_bytes=MIB)), secrets={})
    compute.driver.run(job(svc_name="second"), secrets={})
    compute.driver.run(job(svc_name="third"), secrets={})
    compute.driver.stop("third")  # while it waits
    assert reach(compute, "first", Code.FAILED).reason == Reason.DISK_FULL
    assert reach(compute, "second", Code.SUCCEEDED).reason == ""
    assert reach(compute, "third", Code.STOPPED).instances == ()
    # One after the other, and the third one never.
    assert compute.record("second").started_at > compute.record("first").ended_at
    assert [record.task_id for record in compute.records()] == [1, 1]


# Ends


def test_nothing_that_it_started_outlives_a_stop(start_compute: Callable[..., LocalCompute]) -> None:
    compute = start_compute(compute_stop_grace_s=1)
    compute.driver.run(family(), secrets={})
    wait_until(lambda: texts(compute, "family"), what="the family")
    pids = [int(word) for word in texts(compute, "family")[0].split()[1:]]
    assert len(pids) == 3
    assert all(map(is_alive, pids))
    compute.driver.stop("family")
    reach(compute, "family", Code.STOPPED)
    assert not any(map(is_alive, pids))
    compute.driver.run(family("orphans"), secrets={})
    wait_until(lambda: texts(compute, "orphans"), what="the other family")
    pids = [int(word) for word in texts(compute, "orphans")[0].split()[1:]]
    os.kill(pids[0], signal.SIGKILL)  # the head of it: the children go, too, before it is started again
    wait_gone(*pids)
    compute.driver.purge("orphans")
    assert compute.driver.status("orphans") is None
    wait_until(lambda: not (compute.places.root / "workloads" / "orphans").exists(), what="its directory to be gone")


def test_many_calls_at_once_start_one_process_and_replicas_have_ports_of_their_own(local_compute: LocalCompute) -> None:
    spec = serving(replicas_min=2, replicas_max=2)
    threads = [
        threading.Thread(target=local_compute.driver.run, args=(spec,), kwargs={"secrets": {}}) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: reach(local_compute, "web", Code.RUNNING).actual == 2, what="both")
    status = reach(local_compute, "web", Code.RUNNING)
    assert len(set(status.endpoint.split(","))) == 2
    assert [instance.status for instance in status.instances] == [INSTANCE_RUNNING] * 2
    assert {local_compute.record("web", number).launch for number in (0, 1)} == {1, 2}
    # One of them dies: the other serves on, and is all that the endpoint names.
    os.kill(local_compute.record("web", 1).pid, signal.SIGKILL)
    wait_until(lambda: local_compute.record("web", 1).launch == 3, what="another one")
    assert local_compute.record("web", 0).launch == 1
    wait_until(lambda: reach(local_compute, "web", Code.RUNNING).endpoint == status.endpoint, what="both again")


# What it does not get


def test_it_has_a_directory_of_its_own_and_nothing_of_the_hub(start_compute: Callable[..., LocalCompute]) -> None:
    compute = start_compute(
        environment={"DATABASE_PASSWORD": "hidden", "LD_PRELOAD": ""}, redis_url="redis://:pw@127.0.0.1:1/0"
    )
    code = """
import json, os, resource, sys
print(json.dumps({"environment": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd(),
    "descriptors": sorted(os.listdir("/proc/self/fd")), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "status": open("/proc/self/status").read(), "adjusted": open("/proc/self/oom_score_adj").read(),
    "nice": os.nice(0), "modes": [oct(os.stat(name).st_mode & 0o777) for name in (".", "home", "tmp")]}))
"""
    tricks = ("{work}/a", "$(touch {work}/hacked)", "; touch hacked", "{port}{port}", "{nothing}", "%n\n", "--", "")
    spec = WorkloadSpec(
        "plain", Kind.JOB, 1, argv=(sys.executable, "-c", code, *tricks), environment={"WHERE": "{work}", "A": "`id`"}
    )
    compute.driver.run(spec, secrets={})
    reach(compute, "plain", Code.SUCCEEDED)
    [text] = texts(compute, "plain")
    seen = json.loads(text)
    work = str(compute.places.work("plain", 0))
    assert seen["cwd"] == work
    port = seen["environment"]["PORT"]
    expected = [f"{work}/a", f"$(touch {work}/hacked)", "; touch hacked", port + port, "{nothing}", "%n\n", "--", ""]
    assert seen["argv"] == expected
    assert not (Path(work) / "hacked").exists()
    environment = seen["environment"]
    assert {name for name in environment if name.startswith("HUB_")} == set()
    assert not {"DATABASE_PASSWORD", "LD_PRELOAD", "USER"} & set(environment)
    assert (environment["WHERE"], environment["A"], environment["HOME"]) == (work, "`id`", f"{work}/home")
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert seen["descriptors"] == ["0", "1", "2", "3"]  # the last one is the look itself
    assert (seen["files"], seen["nice"], seen["adjusted"].strip()) == (4096, 5, "500")
    assert "NoNewPrivs:\t1" in seen["status"]
    assert seen["modes"] == ["0o700"] * 3
