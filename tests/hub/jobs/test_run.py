import os
import signal
import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from hub.base.errors import Conflict, Invalid
from hub.db.uow import unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.queue import QUEUE, InlineQueue
from hub.jobs.run import (
    MAX_LOG_BYTES,
    PLUGIN_PATIENCE_S,
    PLUGIN_WAIT_S,
    Interruption,
    JobCancelled,
    describe,
    execute,
    run_due,
    settle_dead,
)
from hub.jobs.service import cancel_job, retry_job
from tests.support.processes import wait_until


def test_a_job_reports_progress_and_log(define, ask, run, look):
    def work(job):
        job.progress(10, 40, "bytes")
        job.log("first")
        job.log("second\n")

    define(work)
    job = ask("test.job")
    assert run(job) == JobState.SUCCEEDED
    row = look(job)
    assert (row.progress_done, row.progress_total, row.progress_unit) == (10, 40, "bytes")
    assert row.log == "first\nsecond\n"
    assert row.started_at is not None
    assert row.finished_at is not None


def test_progress_is_seen_while_the_job_runs_and_may_be_made_inside_a_unit_of_work(context, define, ask, look):
    seen = threading.Event()

    def work(job):
        with unit_of_work(job.context):
            job.progress(1, 2, "steps")
        assert seen.wait(60)

    define(work)
    job = ask("test.job")
    thread = threading.Thread(target=execute, args=(context, job.uuid))
    thread.start()
    wait_until(lambda: look(job).progress_done == 1, what="the job's progress")
    assert look(job).state == JobState.RUNNING
    seen.set()
    thread.join()
    assert look(job).state == JobState.SUCCEEDED


def test_the_last_64_kib_of_the_log_are_kept_in_whole_lines(define, ask, run, look):
    define(lambda job: [job.log(f"line {number} " + "x" * 90) for number in range(2000)])
    job = ask("test.job")
    run(job)
    log = look(job).log
    assert len(log.encode()) <= MAX_LOG_BYTES
    assert log.startswith("line ")
    assert log.rstrip().splitlines()[-1].startswith("line 1999")


def test_a_second_delivery_runs_nothing(define, ask, run):
    ran = []
    define(lambda job: ran.append(job.uuid))
    job = ask("test.job")
    assert run(job) == JobState.SUCCEEDED
    assert run(job) is None
    assert ran == [job.uuid]


def test_of_deliveries_at_once_one_runs(context, define, ask):
    ran = []
    define(lambda job: ran.append(job.attempt))
    job = ask("test.job")
    threads = [threading.Thread(target=execute, args=(context, job.uuid)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [1]


def test_a_failing_job_is_tried_again_after_its_pauses_and_then_fails(clock, context, define, ask, look):
    def work(job):
        raise OSError("no luck")

    define(work, max_attempts=3, backoff_s=(10, 60))
    job = ask("test.job")
    pauses = []
    while run_due(context):
        row = look(job)
        pauses.append((row.run_after - clock.now()).total_seconds() if row.state == JobState.QUEUED else None)
        clock.advance(pauses[-1] or 0)
    assert pauses == [10, 60, None]
    assert look(job).state == JobState.FAILED
    assert look(job).error == "OSError: no luck"


def test_what_is_refused_as_such_is_not_tried_again(define, ask, run, look):
    def work(job):
        raise Invalid("The file is no table.")

    define(work)
    job = ask("test.job")
    assert run(job) == JobState.FAILED
    assert look(job).error == "The file is no table."
    assert look(job).attempt == 1


def rename_job(context, name):
    with unit_of_work(context) as work:
        work.session.execute(update(Job).values(name=name))


def test_a_job_whose_plugin_is_away_waits_for_it_and_loses_no_attempt(clock, context, define, ask, look):
    ran = []
    define(lambda job: ran.append(job.attempt))
    job = ask("test.job")
    left = look(job).max_attempts
    rename_job(context, "away.job")
    for _ in range(5):
        run_due(context)
        assert look(job).state == JobState.QUEUED
        assert "away.job" in look(job).error
        clock.advance(PLUGIN_WAIT_S)
    rename_job(context, "test.job")
    run_due(context)
    assert (look(job).state, ran) == (JobState.SUCCEEDED, [6])
    assert look(job).max_attempts - look(job).attempt == left - 1


def test_a_job_whose_plugin_stays_away_fails_with_its_name(clock, context, define, ask, look):
    define(lambda job: None)
    job = ask("test.job")
    rename_job(context, "gone.job")
    clock.advance(PLUGIN_PATIENCE_S)
    run_due(context)
    assert look(job).state == JobState.FAILED
    assert "gone.job" in look(job).error
    with pytest.raises(Conflict, match="does not run"), unit_of_work(context) as work:
        retry_job(work, job.uuid)


def test_a_dotted_name_is_imported_at_the_run(define, ask, run, look):
    define("tests.support.missing:function", max_attempts=1)
    job = ask("test.job")
    assert run(job) == JobState.FAILED
    assert "tests.support.missing" in look(job).error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach postgresql://ada:word@db/hub", "ValueError: cannot reach postgresql://***@db/hub"),
        ("password=word and more", "ValueError: password=*** and more"),
        ("{'token': 'abc'}", "ValueError: {'token': ***"),
        ("Authorization: Bearer", "ValueError: Authorization: ***"),
    ],
)
def test_an_error_shows_no_credential(text, shown):
    assert describe(ValueError(text)) == shown


def test_a_running_job_sees_that_it_is_cancelled(context, define, ask, look, monkeypatch):
    monkeypatch.setattr("hub.jobs.run.CANCEL_LOOK_S", 0.0)

    def work(job):
        with unit_of_work(job.context) as unit:
            cancel_job(unit, job.uuid)
        try:
            job.check_cancelled()
        except Exception:
            pytest.fail("a cancellation passes `except Exception`")

    define(work)
    job = ask("test.job")
    assert execute(context, job.uuid) == JobState.CANCELLED
    assert look(job).state == JobState.CANCELLED


def test_a_job_that_fails_after_it_was_cancelled_is_cancelled(define, ask, run, look):
    def work(job):
        with unit_of_work(job.context) as unit:
            cancel_job(unit, job.uuid)
        raise OSError("cut off")

    define(work)
    job = ask("test.job")
    assert run(job) == JobState.CANCELLED


def test_a_run_that_was_given_up_cannot_settle_the_row_of_the_next(context, define, ask, look):
    def work(job):
        if job.attempt == 1:
            # As the sweep does, when this run's heartbeat stopped: the row goes to another run, which ends first.
            settle_dead(job.context, job.uuid, attempt=1, reason="no heartbeat")
            assert execute(job.context, job.uuid) == JobState.SUCCEEDED
            raise OSError("the first run fails late")

    define(work)
    job = ask("test.job")
    assert execute(context, job.uuid) == JobState.SUCCEEDED
    assert (look(job).state, look(job).attempt, look(job).error) == (JobState.SUCCEEDED, 2, "")


def test_a_given_up_run_is_told_to_stop(context, define, ask, monkeypatch):
    monkeypatch.setattr("hub.jobs.run.CANCEL_LOOK_S", 0.0)
    told = []

    def work(job):
        if job.attempt == 1:
            settle_dead(job.context, job.uuid, attempt=1, reason="no heartbeat", delay_s=600)
            try:
                job.check_cancelled()
            except JobCancelled:
                told.append(job.attempt)
                raise

    define(work)
    execute(context, ask("test.job").uuid)
    assert told == [1]


def test_a_retry_gives_way_to_a_newer_job_of_the_same_key(context, define, ask, look):
    newer = []

    def work(job):
        if not newer:
            newer.append(ask("test.job", unique_key="k"))
            raise OSError("first")

    define(work)
    first = ask("test.job", unique_key="k")
    execute(context, first.uuid)
    assert look(first).state == JobState.FAILED
    assert "newer job" in look(first).error
    assert look(newer[0]).state == JobState.QUEUED


def test_an_inline_queue_runs_the_job_after_the_commit(context, define, ask, look, monkeypatch):
    monkeypatch.setitem(context._values, QUEUE.name, InlineQueue(lambda uuid: execute(context, uuid)))
    define(lambda job: job.log("ran"))
    assert look(ask("test.job")).log == "ran\n"


def test_run_due_runs_what_the_jobs_ask_for_too(context, define, ask):
    ran = []

    def first(job):
        ran.append("first")
        ask("test.second")

    define(first, "test.first")
    define(lambda job: ran.append("second"), "test.second")
    ask("test.first")
    assert run_due(context) == 2
    assert ran == ["first", "second"]


def test_a_cancelled_job_is_left_alone_by_the_dead_runs_settlement(context, define, ask, look):
    define(lambda job: None)
    job = ask("test.job")
    with unit_of_work(context) as work:
        now = work.now() - timedelta(minutes=5)
        work.session.execute(
            update(Job).values(state=JobState.RUNNING, attempt=1, heartbeat_at=now, is_cancel_requested=True)
        )
    assert settle_dead(context, job.uuid, attempt=1, reason="gone") == JobState.CANCELLED
    assert settle_dead(context, job.uuid, attempt=1, reason="gone") == JobState.CANCELLED


def test_an_interruption_rises_once_and_only_in_the_jobs_own_function(define, ask, context, look):
    interruption = Interruption()
    before = signal.getsignal(signal.SIGTERM)
    steps = []

    def work(job):
        with unit_of_work(job.context) as unit:
            cancel_job(unit, job.uuid)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("not reached")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("cleaned up")

    define(work)
    job = ask("test.job")
    interruption.listen()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert execute(context, job.uuid, interruption=interruption) == JobState.CANCELLED
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert steps == ["cleaned up"]
    assert look(job).state == JobState.CANCELLED
