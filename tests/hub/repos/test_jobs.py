"""What happens to repositories in the background."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts.policy import SYSTEM
from hub.db.uow import reading, unit_of_work
from hub.git.types import ZERO_OID
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.jobs.schedule import SCHEDULES
from hub.jobs.service import JOBS, enqueue
from hub.repos import jobs, refs
from hub.repos.downloads import DownloadCounter
from hub.repos.models import PushState, Repository
from tests.support.pushes import Workbench


@pytest.fixture
def bench(context, make_user, make_repository):
    return Workbench(context, make_repository(make_user("ada"), "thing"))


@pytest.fixture
def run(context):
    """Run one job to its end and give its row."""

    def run(name, **args):
        with unit_of_work(context) as work:
            uuid = enqueue(work, name, args=args).uuid
        run_due(context)
        with reading(context) as work:
            job = work.session.scalar(select(Job).where(Job.uuid == uuid))
        assert job.state == JobState.SUCCEEDED, job.error
        return job

    return run


def pack_count(bench):
    return len(list((bench.path / "objects" / "pack").glob("*.pack")))


def push(bench, message, *, as_pack=True):
    """A commit on main; its objects in a pack of their own, as a push leaves them."""
    change = bench.update(bench.commit({"a.txt": message.encode()}, message=message))
    refs.receive(bench.context, actor=SYSTEM, repository=bench.repository, changes=[change], via="api")
    if as_pack:
        bench.git("repack", "-q", "-d")


def test_many_packs_become_few(bench, run):
    for number in range(jobs._MANY_PACKS + 1):
        push(bench, str(number))
    assert pack_count(bench) >= jobs._MANY_PACKS
    head = bench.head
    run("repos.after_push", repository_id=bench.repository.id)
    assert pack_count(bench) < 4
    assert bench.git("rev-parse", "main") == head
    bench.git("fsck", "--strict")


def test_few_packs_are_left_alone(bench, run):
    push(bench, "1")
    before = pack_count(bench)
    run("repos.after_push", repository_id=bench.repository.id)
    assert pack_count(bench) == before


def test_a_repository_that_is_gone_is_no_failure(run):
    run("repos.after_push", repository_id=12345)


def test_noting_the_size_is_no_change_of_the_repository(bench, run, context):
    with reading(context) as work:
        before = work.session.get_one(Repository, bench.repository.id).updated_at
    run("repos.after_push", repository_id=bench.repository.id)
    with reading(context) as work:
        repository = work.session.get_one(Repository, bench.repository.id)
        assert repository.updated_at == before
        assert repository.git_size_bytes > 0


def test_what_was_pushed_lately_gets_one_pack_with_a_bitmap(bench, run, context, make_user, make_repository):
    push(bench, "1")
    push(bench, "2")
    idle = Workbench(context, make_repository(make_user("bob"), "idle"))
    with unit_of_work(context) as work:
        work.session.get_one(Repository, idle.repository.id).pushed_at = work.now() - timedelta(days=3)
    job = run("repos.maintain")
    assert pack_count(bench) == 1
    assert list((bench.path / "objects" / "pack").glob("*.bitmap"))
    assert pack_count(idle) == 0
    assert (job.progress_done, job.progress_total, job.progress_unit) == (1, 1, "repositories")


def test_one_broken_repository_does_not_stop_the_upkeep_of_others(bench, run, context, make_user, make_repository):
    lost = Workbench(context, make_repository(make_user("bob"), "lost"))
    lost.path.rename(lost.path.with_suffix(".away"))
    push(bench, "1", as_pack=False)
    assert f"Repository {lost.repository.id}" in run("repos.maintain").log
    assert pack_count(bench) == 1


def test_cut_off_pushes_are_finished_in_the_background(bench, run, context):
    change = bench.update(bench.commit())
    refs.prepare(context, actor=SYSTEM, repository_id=bench.repository.id, changes=[change], via="http")
    bench.git("update-ref", change.ref, change.new)
    assert "Recorded 1 pushes late" in run("repos.reconcile").log
    assert bench.pushes()[0].state == PushState.APPLIED


def test_drift_is_looked_for_once_a_day_only(bench, run, context):
    bench.git("update-ref", "refs/heads/side", bench.head)
    assert "found 0" in run("repos.reconcile").log
    assert "found 1" in run("repos.reconcile", look_for_drift=True).log
    assert [schedule.args for schedule in context[SCHEDULES].values() if schedule.job == "repos.reconcile"] == [
        {},
        {"look_for_drift": True},
    ]


def test_every_schedule_names_a_job(context):
    assert {schedule.job for schedule in context[SCHEDULES].values()} <= set(context[JOBS])


def test_downloads_are_added_up_and_written_together(bench, context):
    counter = DownloadCounter(context, write_after_s=3600)
    for repository_id in [bench.repository.id] * 3 + [4711]:
        counter.count(repository_id)
    counter.write()
    counter.write()
    with reading(context) as work:
        assert work.session.get_one(Repository, bench.repository.id).download_count == 3


def test_a_push_deleted_branches_included_leaves_the_repository_whole(bench, run):
    push(bench, "1")
    side = bench.update(bench.head, ref="refs/heads/side")
    refs.receive(bench.context, actor=SYSTEM, repository=bench.repository, changes=[side], via="api")
    gone = bench.update(ZERO_OID, ref="refs/heads/side")
    refs.receive(bench.context, actor=SYSTEM, repository=bench.repository, changes=[gone], via="api")
    run("repos.maintain")
    bench.git("fsck", "--strict")
