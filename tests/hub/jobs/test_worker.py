"""A real worker process on a real Redis, and what happens when either dies."""

import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from hub.base.settings import Settings
from hub.db.uow import unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.queue import QUEUE, RedisQueue, connect
from hub.jobs.service import cancel_job
from hub.jobs.sweep import STALE_S, sweep
from tests.support.jobs import ANEW_STATUS
from tests.support.processes import wait_until


def runs(directory):
    return sorted(int(path.name.rpartition("-")[2]) for path in Path(directory).glob("ran-*"))


def age_heartbeats(context):
    with unit_of_work(context) as work:
        stale = work.now() - timedelta(seconds=STALE_S + 1)
        work.session.execute(update(Job).where(Job.state == JobState.RUNNING).values(heartbeat_at=stale))


def test_jobs_run_report_and_end(worker_context, start_worker, request_run, ended, tmp_path):
    jobs = [request_run("note") for _ in range(3)]
    start_worker()
    rows = [ended(job) for job in jobs]
    assert [row.state for row in rows] == [JobState.SUCCEEDED] * 3
    assert {(row.progress_done, row.progress_unit, row.log) for row in rows} == {(3, "steps", "noted\n")}
    assert len(runs(tmp_path)) == 3


@pytest.mark.any_database
def test_a_delivery_that_comes_twice_runs_once(worker_context, start_worker, request_run, ended, tmp_path):
    job = request_run("note")
    worker_context[QUEUE].send(job)
    worker_context[QUEUE].send(job)
    last = request_run("note")
    start_worker()
    ended(last)
    assert ended(job).state == JobState.SUCCEEDED
    assert len(runs(tmp_path)) == 2


@pytest.mark.any_database
def test_a_failing_job_is_tried_again_in_the_worker(start_worker, request_run, ended, tmp_path):
    job = request_run("fail", times=2)
    start_worker()
    assert ended(job).state == JobState.SUCCEEDED
    assert runs(tmp_path) == [1, 2, 3]


@pytest.mark.any_database
def test_a_job_that_keeps_failing_ends_with_its_error_and_no_secret(start_worker, request_run, ended):
    job = request_run("fail", times=9)
    start_worker()
    row = ended(job)
    assert (row.state, row.attempt) == (JobState.FAILED, 3)
    assert "attempt 3" in row.error
    assert "secret-word" not in row.error


@pytest.mark.any_database
def test_a_job_whose_process_is_killed_is_tried_again(start_worker, request_run, ended, tmp_path):
    job = request_run("crash")
    start_worker()
    assert ended(job).state == JobState.SUCCEEDED
    assert runs(tmp_path) == [1, 2]


@pytest.mark.any_database
def test_a_job_over_its_time_limit_fails(ask, start_worker, ended, tmp_path):
    job = ask("test.wait", args={"directory": str(tmp_path)}, timeout_s=3)
    start_worker()
    row = ended(job)
    # The second attempt returns at once.
    assert (row.state, row.attempt) == (JobState.SUCCEEDED, 2)
    assert (tmp_path / "cleaned-up").exists()


def test_a_running_job_is_cancelled_and_cleans_up(worker_context, start_worker, request_run, ended, tmp_path):
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    with unit_of_work(worker_context) as work:
        cancel_job(work, job.uuid)
    assert ended(job).state == JobState.CANCELLED
    assert (tmp_path / "cleaned-up").exists()
    wait_until(lambda: len(worker.family()) == 1, what="the job's processes to be gone")
    after = request_run("note")
    assert ended(after).state == JobState.SUCCEEDED


@pytest.mark.any_database
def test_a_job_that_swallows_errors_is_cancelled_all_the_same(
    worker_context, start_worker, request_run, ended, tmp_path
):
    job = request_run("ignore")
    start_worker()
    wait_until(lambda: runs(tmp_path), what="the job to run")
    with unit_of_work(worker_context) as work:
        cancel_job(work, job.uuid)
    assert ended(job).state == JobState.CANCELLED


def test_a_killed_worker_takes_its_job_along_and_another_worker_runs_it(
    worker_context, start_worker, request_run, ended, look, tmp_path
):
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    pid = int((tmp_path / "pid").read_text())
    worker.kill()
    wait_until(lambda: not psutil.pid_exists(pid), what="the job's process to be gone")
    assert look(job).state == JobState.RUNNING
    age_heartbeats(worker_context)
    assert sweep(worker_context).revived == 1
    start_worker()
    row = ended(job)
    assert (row.state, row.attempt) == (JobState.SUCCEEDED, 2)


@pytest.mark.any_database
def test_a_worker_told_twice_to_stop_puts_its_job_back(start_worker, request_run, look, tmp_path):
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    worker.terminate()

    def is_gone():
        # RQ takes a second signal within a second for an echo of the first.
        worker.terminate()
        return worker.process.poll() is not None

    wait_until(is_gone, what="the worker to stop")
    assert look(job).state == JobState.QUEUED


@pytest.mark.any_database
def test_a_worker_told_to_stop_lets_its_job_end(start_worker, request_run, ended, tmp_path):
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    worker.terminate()
    running = psutil.Process(int((tmp_path / "pid").read_text()))
    wait_until(running.children, what="the program that the job waits for")
    running.children()[0].kill()
    assert ended(job).state == JobState.SUCCEEDED
    assert worker.process.wait(60) == 0


@pytest.mark.any_database
def test_a_worker_that_is_to_begin_anew_lets_its_job_end(start_worker, request_run, ended, tmp_path):
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    worker.process.send_signal(signal.SIGUSR1)
    running = psutil.Process(int((tmp_path / "pid").read_text()))
    wait_until(running.children, what="the program that the job waits for")
    running.children()[0].kill()
    assert ended(job).state == JobState.SUCCEEDED
    assert worker.process.wait(60) == ANEW_STATUS


@pytest.mark.any_database
def test_a_worker_without_a_job_begins_anew_at_once(start_worker, request_run, ended):
    worker = start_worker()
    ended(request_run("note"))
    worker.process.send_signal(signal.SIGUSR1)
    assert worker.process.wait(60) == ANEW_STATUS


@pytest.mark.any_database
def test_whoever_stops_a_worker_that_is_to_begin_anew_has_the_last_word(start_worker, request_run, ended, tmp_path):
    """And it is the first signal, not the second: the job may still end."""
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    for number in (signal.SIGUSR1, signal.SIGTERM):
        worker.process.send_signal(number)
    running = psutil.Process(int((tmp_path / "pid").read_text()))
    wait_until(running.children, what="the program that the job waits for")
    running.children()[0].kill()
    assert ended(job).state == JobState.SUCCEEDED
    assert worker.process.wait(60) == 0


@pytest.mark.any_database
def test_a_job_that_is_stopped_with_the_machine_is_tried_again(start_worker, request_run, look, tmp_path):
    job = request_run("wait")
    worker = start_worker()
    wait_until((tmp_path / "pid").exists, what="the job to run")
    # What systemd does to a unit: the same signal to every process of it. The program that the job waits for comes
    # last: a job that sees its end before its own signal has done its work.
    for process in sorted(worker.family(), key=lambda process: process.name() == "sleep"):
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    worker.process.wait(60)
    assert (look(job).state, look(job).attempt) == (JobState.QUEUED, 1)


def test_redis_of_this_homes_hub_is_found_without_a_setting(tmp_path):
    settings = Settings(home=tmp_path)
    assert connect(settings).connection_pool.connection_kwargs["path"].endswith("run/redis.sock")
    settings.run_path.mkdir()
    (settings.run_path / "redis.url").write_text("redis://:word@127.0.0.1:7777/0")
    assert connect(settings).connection_pool.connection_kwargs["port"] == 7777
    assert isinstance(RedisQueue(connect(settings)).send(Job(uuid="u", name="n", queue="default", attempt=0)), bool)
