import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.base.settings import environment_of
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import execute
from hub.jobs.service import JobSpec, enqueue, get_job, register
from tests.support.jobs import register_jobs
from tests.support.processes import family_of, kill_family, stop, wait_until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ask(context):
    """``ask("test.note", unique_key="k")``: the committed job."""

    def enqueue_one(name, **options):
        with unit_of_work(context) as work:
            return enqueue(work, name, **options)

    return enqueue_one


@pytest.fixture
def look(context):
    """``look(job)``: the job's row as it is now."""

    def read(job):
        with reading(context) as work:
            return get_job(work, job.uuid)

    return read


@pytest.fixture
def define(context):
    """``define(function, name="test.job", **spec)``: register a job and return its name."""

    def add(function, name="test.job", **spec):
        register(context, JobSpec(name, function, **{"backoff_s": (0,), **spec}))
        return name

    return add


@pytest.fixture
def run(context):
    """``run(job)``: run it here and return the state in which it ended."""
    return lambda job: execute(context, job.uuid)


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, settings, **environment):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.jobs"],
            env=kept | environment_of(settings) | environment,
            cwd=ROOT,
            start_new_session=True,
        )

    def stop(self):
        return stop(self.process)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def family(self):
        return family_of(self.process.pid)


@pytest.fixture
def start_worker(worker_context):
    """``start_worker()``: a worker on the test's database and Redis."""
    workers = []

    def start(**environment):
        workers.append(WorkerProcess(worker_context.settings, **environment))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            kill_family(worker.process.pid)
            worker.process.wait(60)


@pytest.fixture
def settings(settings, request):
    """The shared settings, with a real Redis for the tests of workers."""
    if "worker_context" in request.fixturenames:
        return dataclasses.replace(settings, redis_url=request.getfixturevalue("redis_url"))
    return settings


@pytest.fixture
def worker_context(context):
    """The context, with the jobs that the worker process knows, too."""
    register_jobs(context)
    return context


@pytest.fixture
def ended(look):
    """``ended(job)``: the job's row once nothing more will happen to it."""

    def wait(job, timeout_s=120):
        wait_until(lambda: look(job).state.is_final, timeout_s=timeout_s, what=f"the end of {job.name}")
        return look(job)

    return wait


@pytest.fixture
def request_run(ask, tmp_path):
    """``request_run("note")``: ask for a test job that reports below the test's directory."""
    return lambda name, **args: ask(f"test.{name}", args={"directory": str(tmp_path), **args})
