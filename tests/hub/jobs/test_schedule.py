from datetime import UTC, datetime, timedelta

import pytest
import redis

from hub.base.errors import NotFound
from hub.base.registry import RegistryError
from hub.db.uow import reading, unit_of_work
from hub.jobs.overview import list_schedules
from hub.jobs.queue import REDIS
from hub.jobs.run import run_due
from hub.jobs.schedule import (
    SCHEDULES,
    Schedule,
    create_schedules,
    enqueue_due,
    pause_schedule,
    register_schedule,
    resume_schedule,
    run_schedule,
)
from hub.jobs.service import list_jobs
from hub.jobs.workers import list_workers


@pytest.fixture
def every_hour(context, define, monkeypatch):
    """One schedule, "test.hourly", and no other."""
    define(lambda run: None)
    monkeypatch.setitem(context._values, SCHEDULES.name, create_schedules())
    register_schedule(context, Schedule("test.hourly", "0 * * * *", "test.job"))


def count(context):
    with reading(context) as work:
        return list_jobs(work, name="test.job").total


def test_a_new_schedule_is_due_at_its_next_moment(clock, context, every_hour):
    clock.moment = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    assert enqueue_due(context) == []
    clock.moment = datetime(2026, 11, 23, 12, 59, 59, tzinfo=UTC)
    assert enqueue_due(context) == []
    clock.moment = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
    assert enqueue_due(context) == ["test.hourly"]
    assert enqueue_due(context) == []


def test_it_runs_again_every_time(clock, context, every_hour):
    enqueue_due(context)
    for _ in range(5):
        clock.advance(3600)
        assert enqueue_due(context) == ["test.hourly"]
        run_due(context)
    assert count(context) == 5


def test_moments_missed_while_no_scheduler_ran_are_made_up_for_once(clock, context, every_hour):
    enqueue_due(context)
    clock.advance(timedelta(days=3).total_seconds())
    assert enqueue_due(context) == ["test.hourly"]
    assert enqueue_due(context) == []


def test_a_job_that_still_waits_is_not_asked_for_again(clock, context, every_hour):
    enqueue_due(context)
    for _ in range(3):
        clock.advance(3600)
        enqueue_due(context)
    assert count(context) == 1


def test_a_schedule_has_its_name_alone_and_a_valid_time(context, every_hour):
    with pytest.raises(RegistryError):
        register_schedule(context, Schedule("test.hourly", "0 * * * *", "test.job"))
    with pytest.raises(ValueError, match="cron"):
        Schedule("test.never", "every full moon", "test.job")


def test_every_schedule_of_the_hub_names_a_registered_job(context):
    from hub.jobs.service import JOBS

    assert [schedule.job for schedule in context[SCHEDULES].values() if schedule.job not in context[JOBS]] == []


def test_every_job_of_the_hub_leads_to_a_function(context):
    from hub.jobs.service import JOBS

    assert all(callable(spec.load()) for spec in context[JOBS].values())


def test_a_paused_schedule_waits_and_misses_what_it_missed(clock, context, every_hour):
    enqueue_due(context)
    with unit_of_work(context) as work:
        for _ in range(2):
            pause_schedule(work, "test.hourly", actor_id=7)
    clock.advance(3 * 3600)
    assert enqueue_due(context) == []
    with reading(context) as work:
        [standing] = list_schedules(work)
    assert standing.paused_at is not None
    assert standing.next_run_at is None
    with unit_of_work(context) as work:
        run_schedule(work, "test.hourly", actor_id=7)  # by hand it runs all the same
        for _ in range(2):
            resume_schedule(work, "test.hourly", actor_id=7)
        with pytest.raises(NotFound):
            pause_schedule(work, "test.unknown", actor_id=7)
    run_due(context)
    assert enqueue_due(context) == []
    clock.advance(3600)
    assert enqueue_due(context) == ["test.hourly"]


def test_workers_are_told_by_what_redis_knows_of_them(context, redis_url, clock, monkeypatch):
    client = redis.Redis.from_url(redis_url)
    now = clock.now()

    def write(name, **values):
        client.sadd("rq:workers", f"rq:worker:{name}")
        if values:
            client.hset(f"rq:worker:{name}", mapping={"hostname": name, "queues": "default,index", **values})

    write("a", last_heartbeat=now.isoformat(), pid=7)
    write("b", last_heartbeat=now.isoformat(), current_job="3f0c8a52-6c0e-4b7e-9c55-0a1d2e3f4a5b-2")
    write("c", last_heartbeat=(now - timedelta(minutes=5)).isoformat(), current_job="x-1")
    write("d")
    monkeypatch.setitem(context._values, REDIS.name, client)
    found = {worker.name: (worker.state.value, worker.job) for worker in list_workers(context)}
    busy = ("busy", "3f0c8a52-6c0e-4b7e-9c55-0a1d2e3f4a5b")
    assert found == {"a": ("idle", ""), "b": busy, "c": ("silent", "x"), "d": ("lost", "")}
