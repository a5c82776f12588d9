import threading
from datetime import timedelta

import pytest

from hub.base.errors import Conflict, NotFound
from hub.base.registry import RegistryError
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import JobState
from hub.jobs.queue import QUEUE, REDIS, RedisQueue
from hub.jobs.run import run_due
from hub.jobs.service import (
    JOBS,
    KEEP_FINISHED_S,
    JobSpec,
    cancel_job,
    enqueue,
    get_job,
    list_jobs,
    prune,
    register,
    retry_job,
)


def nothing(run):
    pass


def boom(run):
    raise OSError("boom")


def test_a_job_is_a_row_with_what_its_kind_says(context, define, ask, look):
    define(nothing, "test.job", queue="index", timeout_s=7, max_attempts=2)
    job = look(ask("test.job", args={"repository_id": 4}, subject=("repository", 4), actor_id=1))
    assert (job.name, job.queue, job.state) == ("test.job", "index", JobState.QUEUED)
    assert (job.timeout_s, job.max_attempts, job.attempt) == (7, 2, 0)
    assert (job.args, job.subject_type, job.subject_id, job.actor_id) == ({"repository_id": 4}, "repository", 4, 1)


def test_a_job_of_an_unknown_name_is_a_programming_error(context):
    with unit_of_work(context) as work, pytest.raises(KeyError):
        enqueue(work, "test.unknown")


def test_a_name_is_registered_once(context, define):
    define(nothing)
    with pytest.raises(RegistryError):
        define(nothing)


def test_a_queue_that_nobody_listens_on_is_refused_at_the_start():
    with pytest.raises(ValueError, match="queue"):
        JobSpec("test.job", nothing, queue="fast")


def test_a_rolled_back_unit_of_work_leaves_no_job(context, define):
    define(nothing)
    with pytest.raises(ZeroDivisionError), unit_of_work(context) as work:
        enqueue(work, "test.job")
        raise ZeroDivisionError
    with reading(context) as work:
        assert list_jobs(work).total == 0


def test_asking_twice_with_one_key_is_asking_once(define, ask):
    define(nothing)
    assert ask("test.job", unique_key="k").uuid == ask("test.job", unique_key="k").uuid
    assert ask("test.job", unique_key="other").uuid != ask("test.job", unique_key="k").uuid


def test_asking_twice_in_one_unit_of_work_is_asking_once(context, define):
    define(nothing)
    with unit_of_work(context) as work:
        assert enqueue(work, "test.job", unique_key="k") is enqueue(work, "test.job", unique_key="k")


def test_a_key_is_free_again_once_its_job_runs(context, define, ask):
    asked = []
    define(lambda run: asked.append(ask("test.job", unique_key="k")) if not asked else None)
    first = ask("test.job", unique_key="k")
    run_due(context, limit=1)
    assert [job.uuid for job in asked] != [first.uuid]


def test_of_many_who_ask_at_once_with_one_key_all_get_the_same_job(context, define):
    define(nothing)
    barrier = threading.Barrier(6)
    found = []

    def ask():
        barrier.wait()
        with unit_of_work(context) as work:
            found.append(enqueue(work, "test.job", unique_key="k").uuid)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_enqueuing_succeeds_while_redis_is_away(context, define, ask, look):
    define(nothing)
    assert isinstance(context[QUEUE], RedisQueue)
    assert look(ask("test.job")).state == JobState.QUEUED
    with pytest.raises(Exception, match="connect"):
        context[REDIS].ping()


def test_a_job_for_later_does_not_run_before(clock, context, define, ask, look):
    define(nothing)
    job = ask("test.job", run_after=clock.now() + timedelta(hours=1))
    assert run_due(context) == 0
    clock.advance(3600)
    assert run_due(context) == 1
    assert look(job).state == JobState.SUCCEEDED


def test_a_queued_job_is_cancelled_at_once(context, define, ask, look):
    define(nothing)
    job = ask("test.job")
    with unit_of_work(context) as work:
        cancel_job(work, job.uuid)
    assert look(job).state == JobState.CANCELLED
    assert run_due(context) == 0
    with unit_of_work(context) as work:
        assert cancel_job(work, job.uuid).state == JobState.CANCELLED


def test_a_job_that_has_ended_is_not_cancelled(context, define, ask):
    define(nothing)
    job = ask("test.job")
    run_due(context)
    with unit_of_work(context) as work, pytest.raises(Conflict):
        cancel_job(work, job.uuid)


def test_a_failed_job_is_tried_again_with_all_its_attempts(context, define, ask, look):
    define(boom, max_attempts=2)
    job = ask("test.job")
    run_due(context)
    assert (look(job).state, look(job).attempt) == (JobState.FAILED, 2)
    with unit_of_work(context) as work:
        retry_job(work, job.uuid)
    assert look(job).state == JobState.QUEUED
    run_due(context)
    assert (look(job).state, look(job).attempt) == (JobState.FAILED, 4)


def test_retrying_a_job_whose_key_waits_again_gives_the_waiting_one(context, define, ask):
    define(boom, max_attempts=1)
    failed = ask("test.job", unique_key="k")
    run_due(context)
    waiting = ask("test.job", unique_key="k")
    with unit_of_work(context) as work:
        assert retry_job(work, failed.uuid).uuid == waiting.uuid


@pytest.mark.parametrize("is_run", [False, True])
def test_only_failed_and_cancelled_jobs_are_tried_again(context, define, ask, is_run):
    define(nothing)
    job = ask("test.job")
    if is_run:
        run_due(context)
    with unit_of_work(context) as work, pytest.raises(Conflict):
        retry_job(work, job.uuid)


def test_jobs_are_listed_newest_first_and_narrowed(context, define, ask):
    define(nothing)
    define(nothing, "test.other")
    first, second = ask("test.job", subject=("repository", 1)), ask("test.other")
    with reading(context) as work:
        assert [job.uuid for job in list_jobs(work).items] == [second.uuid, first.uuid]
        assert [job.uuid for job in list_jobs(work, name="test.other").items] == [second.uuid]
        assert [job.uuid for job in list_jobs(work, subject=("repository", 1)).items] == [first.uuid]
        assert list_jobs(work, state=JobState.FAILED).total == 0


def test_a_job_that_is_not_there_is_not_found(context):
    with reading(context) as work, pytest.raises(NotFound):
        get_job(work, "nothing")


def test_jobs_that_ended_long_ago_are_forgotten(clock, context, define, ask):
    define(nothing)
    ask("test.job")
    run_due(context)
    clock.advance(KEEP_FINISHED_S - 60)
    live = ask("test.job")
    assert prune(context) == 0
    clock.advance(120)
    assert prune(context) == 1
    with reading(context) as work:
        assert [job.uuid for job in list_jobs(work).items] == [live.uuid]


def test_a_plugins_job_keeps_its_owner(context):
    register(context, JobSpec("things.job", nothing), owner="things")
    entries = {entry.name: entry.owner for entry in context[JOBS].entries()}
    assert entries["things.job"] == "things"
