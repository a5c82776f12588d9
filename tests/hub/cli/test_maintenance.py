import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from hub.base.settings import environment_of
from hub.cli.main import cli
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.jobs.service import enqueue, get_job
from hub.objects.store import STORE
from hub.repos.lfs.holdings import object_key
from hub.repos.models import LFSObject, Repository
from hub.repos.service import repository_path

OID = "ab" * 32


@pytest.fixture
def hub(context):
    """``hub("gc", "--json")``: the command on the test's hub; its standard output, after it has succeeded."""

    def run(*arguments, status=0):
        done = CliRunner().invoke(cli, arguments, env=environment_of(context.settings))
        assert done.exit_code == status, done.output
        return done.stdout

    return run


@pytest.fixture
def garbage(context, make_user, make_repository):
    """A repository whose time is over, and an old LFS object that nobody holds."""
    repository = make_repository(make_user())
    context[STORE].put(object_key(OID), [b"old"])
    with unit_of_work(context) as work:
        long_ago = work.now() - timedelta(days=30)
        work.session.execute(update(Repository).values(deleted_at=long_ago))
        work.session.add(LFSObject(oid=OID, size_bytes=3, created_at=long_ago))
    return repository_path(context.settings, repository)


@pytest.fixture
def job(context):
    """A queued job."""
    with unit_of_work(context) as work:
        return enqueue(work, "jobs.prune")


def test_gc_says_what_would_go_and_leaves_it(context, hub, garbage):
    found = json.loads(hub("gc", "--dry-run", "--json"))
    assert (found["repositories"], found["lfs_objects"], found["lfs_size_bytes"], found["dry_run"]) == (1, 1, 3, True)
    assert garbage.is_dir()
    assert context[STORE].find(object_key(OID)) is not None
    said = hub("gc", "--dry-run")
    assert said.startswith("Would remove: 1 repositories")
    assert "1 LFS objects" in said


def test_gc_removes_what_nothing_refers_to(context, hub, garbage):
    found = json.loads(hub("gc", "--json"))
    assert (found["repositories"], found["lfs_objects"]) == (1, 1)
    assert not garbage.exists()
    assert context[STORE].find(object_key(OID)) is None
    said = hub("gc")
    assert said.startswith("Removed: 0 repositories")
    assert "0 LFS objects" in said


def test_gc_leaves_what_is_in_use(context, hub, make_user, make_repository):
    repository = make_repository(make_user())
    hub("gc")
    assert repository_path(context.settings, repository).is_dir()


def test_reconcile_reports_in_numbers(hub):
    assert json.loads(hub("reconcile", "--json")) == {"repositories": 0, "settled": 0, "abandoned": 0, "recorded": 0}
    assert "recorded 0 pushes" in hub("reconcile")


def test_jobs_are_listed_and_shown(context, hub, job):
    run_due(context)
    [listed] = json.loads(hub("jobs", "list", "--json"))
    assert (listed["uuid"], listed["name"], listed["state"]) == (job.uuid, "jobs.prune", "succeeded")
    assert job.uuid in hub("jobs", "list", "--state", "succeeded")
    assert job.uuid not in hub("jobs", "list", "--state", "failed")
    assert "Forgot 0 jobs." in hub("jobs", "show", job.uuid)
    assert json.loads(hub("jobs", "show", job.uuid, "--json"))["log"] == "Forgot 0 jobs.\n"


def test_a_job_is_cancelled_and_tried_again(context, hub, job):
    assert "Cancelled." in hub("jobs", "cancel", job.uuid)
    assert "Queued jobs.prune" in hub("jobs", "retry", job.uuid)
    with reading(context) as work:
        assert get_job(work, job.uuid).state == JobState.QUEUED


def test_a_running_job_is_told_to_stop(context, hub, job):
    with unit_of_work(context) as work:
        work.session.execute(update(Job).values(state=JobState.RUNNING, attempt=1))
    assert "told to stop" in hub("jobs", "cancel", job.uuid)


def test_a_failed_job_shows_the_first_line_of_its_error(context, hub, job):
    with unit_of_work(context) as work:
        work.session.execute(update(Job).values(state=JobState.FAILED, error="first line\nsecond line"))
    listed = hub("jobs", "list")
    assert "first line" in listed
    assert "second line" not in listed
