import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import update

from hub.db.uow import unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.queue import QUEUE, REDIS, delivery_id
from hub.jobs.sweep import GRACE_S, STALE_S, revive, send_due, send_missing, sweep


@pytest.fixture
def settings(settings, redis_url):
    return dataclasses.replace(settings, redis_url=redis_url)


@pytest.fixture
def age(context):
    """``age(job, seconds)``: as if the job had been asked for that long ago."""

    def make_older(job, seconds):
        with unit_of_work(context) as work:
            moment = work.now() - timedelta(seconds=seconds)
            work.session.execute(update(Job).where(Job.id == job.id).values(run_after=moment, created_at=moment))

    return make_older


def test_a_committed_job_is_in_redis_at_once(context, define, ask):
    define(lambda run: None, queue="index")
    job = ask("test.job")
    assert context[QUEUE].waiting("index") == {delivery_id(job)}


def test_what_a_lost_redis_dropped_is_sent_again(context, define, ask, age):
    define(lambda run: None)
    jobs = [ask("test.job") for _ in range(3)]
    for job in jobs:
        age(job, GRACE_S + 1)
    context[REDIS].flushall()
    assert send_missing(context) == 3
    assert context[QUEUE].waiting("default") == {delivery_id(job) for job in jobs}
    assert send_missing(context) == 0


def test_a_job_that_is_just_being_sent_is_left_alone(context, define, ask):
    define(lambda run: None)
    ask("test.job")
    context[REDIS].flushall()
    assert send_missing(context) == 0


def test_all_pages_of_a_long_queue_are_looked_at(context, define, ask, age, monkeypatch):
    monkeypatch.setattr("hub.jobs.sweep._PAGE", 2)
    define(lambda run: None)
    for _ in range(5):
        age(ask("test.job"), GRACE_S + 1)
    context[REDIS].flushall()
    assert send_missing(context) == 5


def test_a_run_without_heartbeat_goes_back_to_the_queue(context, define, ask, look):
    define(lambda run: None)
    job = ask("test.job")
    with unit_of_work(context) as work:
        stale = work.now() - timedelta(seconds=STALE_S + 1)
        work.session.execute(update(Job).values(state=JobState.RUNNING, attempt=1, heartbeat_at=stale))
    context[REDIS].flushall()
    assert sweep(context).revived == 1
    row = look(job)
    assert (row.state, row.attempt) == (JobState.QUEUED, 1)
    assert context[QUEUE].waiting("default") == {f"{job.uuid}-2"}


def test_a_run_without_heartbeat_and_attempts_has_failed(context, define, ask, look):
    define(lambda run: None, max_attempts=1)
    job = ask("test.job")
    with unit_of_work(context) as work:
        stale = work.now() - timedelta(seconds=STALE_S + 1)
        work.session.execute(update(Job).values(state=JobState.RUNNING, attempt=1, heartbeat_at=stale))
    assert revive(context) == 1
    assert look(job).state == JobState.FAILED
    assert "worker" in look(job).error


def test_a_run_with_a_heartbeat_is_left_alone(context, define, ask):
    define(lambda run: None)
    ask("test.job")
    with unit_of_work(context) as work:
        work.session.execute(update(Job).values(state=JobState.RUNNING, attempt=1, heartbeat_at=work.now()))
    assert revive(context) == 0


def test_a_pause_that_has_ended_is_noticed_between_two_sweeps(clock, context, define, ask):
    define(lambda run: None)
    job = ask("test.job", run_after=clock.now() + timedelta(seconds=10))
    assert context[QUEUE].waiting("default") == set()
    assert send_due(context, since_s=4) == 0
    clock.advance(11)
    assert send_due(context, since_s=4) == 1
    assert context[QUEUE].waiting("default") == {delivery_id(job)}


def test_without_redis_the_sweep_only_revives(context, define, ask, look, monkeypatch):
    define(lambda run: None)
    job = ask("test.job")
    context[REDIS].connection_pool.connection_kwargs["port"] = 1
    context[REDIS].connection_pool.disconnect()
    with unit_of_work(context) as work:
        stale = work.now() - timedelta(seconds=STALE_S + 1)
        work.session.execute(update(Job).values(state=JobState.RUNNING, attempt=1, heartbeat_at=stale))
    result = sweep(context)
    assert (result.sent, result.revived) == (0, 1)
    assert look(job).state == JobState.QUEUED
