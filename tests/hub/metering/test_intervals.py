"""Time that something runs is counted to the second, once, however the hub is stopped and started meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from hub.base.errors import Invalid
from hub.db.uow import reading, unit_of_work
from hub.metering.models import UsageEvent, UsageInterval
from hub.metering.service import Running, start_interval, stop_interval, tell_intervals
from hub.metering.usage import Power, Scene

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUNNING = Running("i-7", "owner", Scene.INFERENCE, "3", "CPU 2", power=Power(2000, 4096))


def _at(seconds):
    return NOON + timedelta(seconds=seconds)


def _start(context, running, at):
    with unit_of_work(context) as work:
        start_interval(work, running, at=at)


def _stop(context, at):
    with unit_of_work(context) as work:
        return stop_interval(work, "i-7", at=at)


def _counted(context):
    with reading(context) as work:
        return [
            (row.occurred_at, row.quantity, row.details["replicas"])
            for row in work.session.scalars(select(UsageEvent).order_by(UsageEvent.occurred_at, UsageEvent.id))
        ]


def test_each_second_is_counted_once_however_often_it_is_told(context, clock):
    _start(context, RUNNING, NOON)
    _start(context, RUNNING, _at(30))
    for seconds in (60, 60, 61, 150):
        clock.moment = _at(seconds)
        tell_intervals(context)
    assert _stop(context, _at(200.9)) == _at(200.9)
    assert _stop(context, _at(300)) is None
    clock.moment = _at(500)
    assert tell_intervals(context) == 1
    assert tell_intervals(context) == 0
    assert sum(quantity for _, quantity, _ in _counted(context)) == 200


def test_a_change_splits_the_time_and_replicas_multiply_it(context, clock):
    _start(context, RUNNING, NOON)
    _start(context, replace(RUNNING, replicas=3), _at(100))
    _start(context, replace(RUNNING, replicas=3), _at(150))
    _stop(context, _at(200))
    clock.moment = _at(1000)
    tell_intervals(context)
    assert _counted(context) == [(NOON, 100, 1), (_at(100), 300, 3)]


@pytest.mark.any_database
def test_time_that_was_told_is_not_told_again_by_an_earlier_end(context, clock):
    _start(context, RUNNING, NOON)
    clock.moment = _at(120)
    tell_intervals(context)
    _start(context, replace(RUNNING, replicas=2), _at(90))
    clock.moment = _at(180)
    tell_intervals(context)
    _stop(context, _at(180))
    tell_intervals(context)
    assert _counted(context) == [(NOON, 120, 1), (_at(120), 120, 2)]


@pytest.mark.any_database
def test_days_have_what_is_theirs_after_a_long_silence(context, clock):
    _start(context, RUNNING, NOON)
    clock.moment = NOON + timedelta(days=2)
    tell_intervals(context)
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert _counted(context) == [
        (NOON, 43_200, 1),
        (midnight, 86_400, 1),
        (midnight + timedelta(days=1), 43_200, 1),
    ]


@pytest.mark.any_database
def test_what_cannot_be_told_is_told_once_when_it_can(context, clock):
    _start(context, RUNNING, NOON)
    clock.moment = _at(60)
    _set_replicas(context, 2**50)
    with pytest.raises(Invalid):
        tell_intervals(context)
    assert _counted(context) == []
    _set_replicas(context, 1)
    tell_intervals(context)
    tell_intervals(context)
    assert _counted(context) == [(NOON, 60, 1)]


def _set_replicas(context, number):
    with unit_of_work(context) as work:
        work.session.execute(update(UsageInterval).values(replicas=number))
