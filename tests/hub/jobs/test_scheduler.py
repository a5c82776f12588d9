import dataclasses
import threading

import pytest

from hub.jobs.queue import REDIS
from hub.jobs.scheduler import SCHEDULER_KEY, Scheduler, SchedulerLock
from tests.support.processes import wait_until


@pytest.fixture
def settings(settings, redis_url):
    return dataclasses.replace(settings, redis_url=redis_url)


@pytest.mark.any_database
def test_one_of_two_holds_the_lock_until_it_gives_it_back(context):
    first, second = SchedulerLock(context[REDIS]), SchedulerLock(context[REDIS])
    assert first.hold()
    assert not second.hold()
    assert first.hold()
    second.release()
    assert not second.hold()
    first.release()
    assert second.hold()


@pytest.mark.any_database
def test_a_holder_that_died_is_replaced_when_its_time_is_over(context):
    first, second = SchedulerLock(context[REDIS], ttl_s=30), SchedulerLock(context[REDIS])
    assert first.hold()
    assert not second.hold()
    # Redis itself ends it; here sooner than half a minute from now.
    assert 0 < context[REDIS].pttl(SCHEDULER_KEY) <= 30_000
    context[REDIS].pexpire(SCHEDULER_KEY, 1)
    wait_until(second.hold, what="the lock to expire")
    assert not first.hold()


def test_the_active_scheduler_ticks_and_the_other_stands_by(context):
    active, standby = Scheduler(context), Scheduler(context)
    assert active.tick()
    assert not standby.tick()
    assert active.tick()


def test_a_stopped_scheduler_lets_the_stand_by_take_over_at_once(context):
    scheduler = Scheduler(context)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    lock = SchedulerLock(context[REDIS])
    wait_until(lambda: context[REDIS].exists(SCHEDULER_KEY), what="the scheduler to be active")
    assert not lock.hold()
    scheduler.stop()
    thread.join()
    assert lock.hold()


def test_without_redis_no_scheduler_is_active(context):
    context[REDIS].connection_pool.connection_kwargs["port"] = 1
    context[REDIS].connection_pool.disconnect()
    assert not Scheduler(context).tick()
