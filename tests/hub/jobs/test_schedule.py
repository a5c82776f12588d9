from datetime import UTC, datetime, timedelta

import pytest

from hub.base.registry import RegistryError
from hub.db.uow import reading
from hub.jobs.run import run_due
from hub.jobs.schedule import SCHEDULES, Schedule, create_schedules, enqueue_due, register_schedule
from hub.jobs.service import list_jobs


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
