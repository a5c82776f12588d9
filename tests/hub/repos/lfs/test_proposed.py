"""Contents that strangers bring for pull requests: whose they are, who gets them, and how long they stay."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts.policy import ANONYMOUS, Action
from hub.base.errors import NotFound, QuotaExceeded, Unprocessable
from hub.community.models import DiscussionStatus
from hub.community.pulls import TIDY_JOB
from hub.community.service import merging, pulls, timeline
from hub.db.uow import reading, unit_of_work
from hub.git.pointer import format_pointer
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.jobs.service import enqueue
from hub.repos.files import FileEdit, build_proposal, commit_files
from hub.repos.lfs import service
from hub.repos.lfs.garbage import collect_garbage
from hub.repos.lfs.housekeeping import copy_held
from hub.repos.quotas import used_bytes
from tests.support.lfs import oid_of
from tests.support.shelf import Shelf, stored

BIG = b"proposed" * 500
OID = oid_of(BIG)


@pytest.fixture
def eve(make_user, actor_of):
    return actor_of(make_user("eve"))


@pytest.fixture
def bob(make_user, actor_of):
    return actor_of(make_user("bob"))


@pytest.fixture
def public(context, make_shelf):
    shelf = make_shelf(private=False)
    commit(context, shelf, shelf.actor, "README.md", b"hello")
    return shelf


def commit(context, shelf, actor, path, content, **where):
    edits = [FileEdit(path, content=content)]
    return commit_files(context, actor=actor, repository_id=shelf.repository.id, message="x", edits=edits, **where)


def bring(context, shelf, actor, content=BIG):
    service.receive_object(
        context,
        actor=actor,
        repository_id=shelf.repository.id,
        oid=oid_of(content),
        size_bytes=len(content),
        chunks=[content],
        action=Action.REPOSITORY_PROPOSE,
    )


def propose(context, shelf, actor, content=BIG, path="big.bin"):
    edits = [FileEdit(path, content=format_pointer(oid_of(content), len(content)))]
    who = {"actor": actor, "repository_id": shelf.repository.id}
    built = build_proposal(context, **who, message="Mine", edits=edits)
    return pulls.open_pull(context, **who, title="Mine", commit_id=built).discussion


def can_read(context, shelf, actor, oid=OID):
    try:
        service.get_content(context, actor=actor, repository_id=shelf.repository.id, oid=oid)
    except NotFound:
        return False
    return True


def used(context, shelf):
    with reading(context) as work:
        return used_bytes(work, shelf.repository.namespace_id)


def test_a_proposed_content_is_the_owners_once_it_is_merged(context, public, eve, bob, later_run):
    before = public.size_bytes()
    bring(context, public, eve)
    assert (public.size_bytes(), public.held()) == (before, set())
    # It is no way of hosting files under another's name.
    assert [can_read(context, public, actor) for actor in (eve, public.actor, bob, ANONYMOUS)] == [True] + [False] * 3
    with pytest.raises(Unprocessable):
        propose(context, public, bob)
    discussion = propose(context, public, eve)
    assert can_read(context, public, ANONYMOUS)
    assert public.size_bytes() == before
    later_run(days=30)
    assert can_read(context, public, ANONYMOUS)
    # The owner's quota is asked when it becomes the owner's.
    number = {"actor": public.actor, "repository_id": public.repository.id, "number": discussion.number}
    settings = context.settings
    context.settings = dataclasses.replace(settings, quota_bytes=used(context, public) + len(BIG) - 1)
    with pytest.raises(QuotaExceeded):
        merging.merge_pull(context, **number)
    context.settings = settings
    merging.merge_pull(context, **number)
    assert (public.size_bytes(), public.held()) == (before + len(BIG), {OID})
    later_run(days=30)
    assert public.get(OID) == BIG


def test_what_no_open_pull_request_names_goes(context, public, eve, later_run):
    bring(context, public, eve)
    bring(context, public, eve, b"stray" * 100)
    discussion = propose(context, public, eve)
    later_run(days=13)
    assert can_read(context, public, eve, oid_of(b"stray" * 100))
    later_run(days=2)
    assert stored(context) == {OID}
    with unit_of_work(context) as work:
        timeline.set_status(work, actor=public.actor, discussion_id=discussion.id, status=DiscussionStatus.CLOSED)
    later_run(days=1)
    assert stored(context) == set()
    # Opened again, it cannot be merged with a file that nobody has.
    with unit_of_work(context) as work:
        timeline.set_status(work, actor=public.actor, discussion_id=discussion.id, status=DiscussionStatus.OPEN)
    with pytest.raises(Unprocessable):
        merging.merge_pull(context, actor=public.actor, repository_id=public.repository.id, number=discussion.number)


def test_proposals_have_a_room_of_their_own(context, public, eve, make_shelf):
    source = Shelf(context, eve, make_shelf("mallory", private=False).repository)
    context.settings = dataclasses.replace(context.settings, proposal_quota_bytes=len(BIG) + 10, quota_bytes=10**6)
    bring(context, public, eve)
    bring(context, public, eve)
    with pytest.raises(QuotaExceeded):
        bring(context, source, eve, b"another one")
    # Not by links either, which move no byte.
    other = make_shelf("owner", private=False)
    other.put(b"x" * 11)
    other.put(b"y" * 10)
    with unit_of_work(context) as work, pytest.raises(QuotaExceeded):
        copy_held(
            work,
            actor=eve,
            source_id=other.repository.id,
            target_id=public.repository.id,
            oids=[oid_of(b"x" * 11)],
        )
    with unit_of_work(context) as work:
        copy_held(
            work,
            actor=eve,
            source_id=other.repository.id,
            target_id=public.repository.id,
            oids=[oid_of(b"y" * 10)],
        )
    assert (public.size_bytes(), public.held()) == (0, set())
    # A full quota of the owner's is no reason to refuse what the owner does not pay for.
    context.settings = dataclasses.replace(context.settings, proposal_quota_bytes=10**6, quota_bytes=1)
    bring(context, public, eve, b"more of it")


@pytest.fixture
def later_run(context, clock):
    """``later_run(days=1)``: the time goes by, then the jobs of the night run."""

    def run(days):
        clock.advance(timedelta(days=days).total_seconds())
        with unit_of_work(context) as work:
            uuid = enqueue(work, TIDY_JOB).uuid
        run_due(context)
        with reading(context) as work:
            job = work.session.scalar(select(Job).where(Job.uuid == uuid))
        assert job.state == JobState.SUCCEEDED, job.error
        collect_garbage(context, now=clock.now(), grace=timedelta(0))

    return run
