"""Pull requests on both databases: numbers, merges, conflicts, two at once, and a crash in between."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from hub.accounts.models import Role, TokenScope
from hub.accounts.policy import ANONYMOUS, SYSTEM, Action, Actor
from hub.accounts.service import set_grant
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn, PreconditionFailed
from hub.base.topics import TOPICS
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionStatus
from hub.community.pulls import SETTLE_JOB, TIDY_JOB
from hub.community.service import discussions, merging, pulls, timeline
from hub.db.uow import reading, unit_of_work
from hub.git.merge import ConflictKind, MergeConflict, held_by
from hub.git.repository import get_commit, list_refs
from hub.git.types import RefChange
from hub.jobs.models import Job, JobState
from hub.jobs.run import execute, run_due
from hub.jobs.service import enqueue
from hub.repos import branches, refs
from hub.repos.checks import Purpose
from hub.repos.files import FileEdit, build_proposal, commit_files
from hub.repos.lookup import repository_path
from hub.repos.service import fork_repository


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def bob(make_user):
    return make_user("bob")


@pytest.fixture
def thing(ada, make_repository):
    return make_repository(ada, "thing")


@pytest.fixture
def commit(context, thing):
    """``commit(actor, {"a.txt": b"1"}, proposal=1)``: one commit; its id."""

    def run(actor, files, **where):
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        return commit_files(
            context, actor=actor, repository_id=thing.id, message="Files", edits=edits, **where
        ).commit_id

    return run


def refs_of(context, repository):
    return list_refs(repository_path(context.settings, repository))


def statuses(context, repository_id, number):
    with reading(context) as work:
        pull = pulls.find_pull(work, repository_id, number)
        found = timeline.list_events(work, pull.discussion)
        told = [
            event.data["status"] for event in found if isinstance(event, DiscussionEvent) and "status" in event.data
        ]
        return pull.discussion.status, told


def test_a_reader_proposes_and_a_writer_merges(context, ada, bob, thing, commit, actor_of):
    topics = {topic.event_class: topic for topic in context[TOPICS].values()}
    told = []

    def record(work, event):
        if (topic := topics.get(type(event))) and topic.name.startswith("pull_request."):
            told.append((topic.name, topic.describe(work, event).data["pull_request"]["status"]))

    context.events.record_with(record)
    writer, reader = actor_of(ada), actor_of(bob)
    tip = commit(writer, {"a.txt": b"1"})
    pull = pulls.open_pull(
        context, actor=reader, repository_id=thing.id, title="Better", description="See.", is_draft=True
    )
    assert (pull.discussion.number, pull.discussion.status, pull.base_ref) == (1, "draft", "refs/heads/main")
    # Its ref is there at once, where the base is.
    assert refs_of(context, thing)["refs/pr/1"] == tip == pull.opened_commit
    with pytest.raises(Conflict, match="no commits yet"):
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    head = commit(reader, {"b.txt": b"2"}, proposal=1)
    assert refs_of(context, thing)["refs/pr/1"] == head
    assert refs_of(context, thing)["refs/heads/main"] == tip
    with pytest.raises(Conflict, match="is a draft"):
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    with unit_of_work(context) as work:
        pulls.set_draft(work, actor=reader, repository_id=thing.id, number=1, is_draft=False)
    for actor, error in ((reader, Denied), (ANONYMOUS, NotSignedIn)):
        with pytest.raises(error):
            merging.merge_pull(context, actor=actor, repository_id=thing.id, number=1)
    merged = merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    # The base had nothing else, so it goes forward.
    assert (merged.merge_commit, merged.merged_by.name, merged.base_commit) == (head, "ada", tip)
    assert refs_of(context, thing)["refs/heads/main"] == head
    assert statuses(context, thing.id, 1) == ("merged", ["open", "merged"])
    assert told == [("pull_request.opened", "draft"), ("pull_request.merged", "merged")]
    changes = pulls.read_changes(context, thing, merged, actor=ANONYMOUS)
    assert [file.new_path for file in changes.diff.files] == ["b.txt"]
    with pytest.raises(Conflict, match="is merged"):
        commit(reader, {"c.txt": b"3"}, proposal=1)
    with pytest.raises(Conflict, match="is merged"):
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    with unit_of_work(context) as work, pytest.raises(Conflict, match="close it instead"):
        discussions.delete_discussion(work, actor=writer, discussion_id=merged.discussion_id)
    # A fork has none of them.
    fork = fork_repository(context, actor=reader, source_id=thing.id, namespace="bob", name="copy")
    assert [*refs_of(context, fork)] == ["refs/heads/main"]


def test_both_sides_are_brought_together_or_told_apart(context, ada, bob, thing, commit, actor_of):
    writer, reader = actor_of(ada), actor_of(bob)
    commit(writer, {"a.txt": b"1", "b.txt": b"1"})
    for number, name in ((1, "a.txt"), (2, "new.txt")):
        built = build_proposal(
            context,
            actor=reader,
            repository_id=thing.id,
            message="Mine",
            edits=[FileEdit(name, content=b"mine")],
        )
        pull = pulls.open_pull(context, actor=reader, repository_id=thing.id, title=name, commit_id=built)
        assert (pull.discussion.number, pull.start_commit) == (number, built)
    base = commit(writer, {"a.txt": b"theirs"})
    with reading(context) as work:
        one, two = (pulls.find_pull(work, thing.id, number) for number in (1, 2))
    assert pulls.read_conflicts(context, thing, one) == [MergeConflict("a.txt", ConflictKind.BOTH_MODIFIED)]
    assert pulls.read_conflicts(context, thing, two) == []
    with pytest.raises(Conflict) as caught:
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    assert (caught.value.code, caught.value.details["paths"]) == ("merge_conflict", ["a.txt"])
    merged = merging.merge_pull(context, actor=writer, repository_id=thing.id, number=2)
    made = get_commit(repository_path(context.settings, thing), merged.merge_commit)
    assert made.parent_ids == (base, two.start_commit)
    assert (made.author.name, made.title) == ("ada", "Merge pull request #2: new.txt")
    # What the base holds cannot be proposed again; nor for a branch that is not there.
    with pytest.raises(Invalid, match="holds all of this"):
        pulls.open_pull(context, actor=reader, repository_id=thing.id, title="x", revision="main")
    with pytest.raises(NotFound):
        pulls.open_pull(context, actor=reader, repository_id=thing.id, title="x", base="none")
    # Commits that no branch has are brought back by nobody who knows their ids.
    with pytest.raises(NotFound):
        pulls.open_pull(context, actor=reader, repository_id=thing.id, title="x", revision=one.start_commit)
    for parent in (one.start_commit, "f" * 40, "main"):
        with pytest.raises(PreconditionFailed):
            build_proposal(
                context,
                actor=reader,
                repository_id=thing.id,
                message="Mine",
                edits=[FileEdit("z", content=b"z")],
                parent=parent,
            )


def test_who_may_do_what_to_one(context, ada, bob, thing, commit, actor_of, make_user):
    writer, reader, other = actor_of(ada), actor_of(bob), actor_of(make_user("eve"))
    commit(writer, {"a.txt": b"1"})
    for actor, error in ((ANONYMOUS, NotSignedIn), (Actor.of_user(bob, via="token", scope=TokenScope.READ), Denied)):
        with pytest.raises(error):
            pulls.open_pull(context, actor=actor, repository_id=thing.id, title="x")
    pull = pulls.open_pull(context, actor=reader, repository_id=thing.id, title="One")
    head = commit(writer, {"b.txt": b"1"}, proposal=1)
    with pytest.raises(Denied):
        commit(other, {"c.txt": b"1"}, proposal=1)
    # By no other right, and no other ref by this one.
    path = repository_path(context.settings, thing)
    for ref, action in (("refs/pr/1", Action.REPOSITORY_WRITE), ("refs/heads/main", Action.REPOSITORY_PROPOSE)):
        change = RefChange(ref, list_refs(path)[ref], head)
        with pytest.raises(Denied) as caught:
            refs.receive(context, actor=writer, repository=thing, changes=[change], via="api", action=action)
        assert caught.value.code == "ref_reserved"
    number = pull.discussion_id
    with unit_of_work(context) as work, pytest.raises(Denied):
        timeline.set_status(work, actor=other, discussion_id=number, status=DiscussionStatus.CLOSED)
    for actor, status in ((reader, "closed"), (writer, "open"), (writer, "closed")):
        with unit_of_work(context) as work:
            timeline.set_status(work, actor=actor, discussion_id=number, status=DiscussionStatus(status), comment="So.")
    assert statuses(context, thing.id, 1) == ("closed", ["closed", "open", "closed"])
    with pytest.raises(Conflict, match="is closed"):
        commit(reader, {"c.txt": b"1"}, proposal=1)
    with unit_of_work(context) as work:
        comment = discussions.create_comment(work, actor=other, discussion_id=number, content="Secret").id
        with pytest.raises(Denied):
            timeline.hide_comment(work, actor=reader, discussion_id=number, comment_id=comment)
        hidden = timeline.hide_comment(work, actor=writer, discussion_id=number, comment_id=comment)
        assert (hidden.shown_content, hidden.is_edited) == ("This comment has been hidden.", False)
        discussions.update_discussion(work, actor=writer, discussion_id=number, title="Two")
    with reading(context) as work:
        found = timeline.list_events(work, discussions.get_discussion(work, actor=other, discussion_id=number))
        assert [event.content for event in found if isinstance(event, Comment)] == ["So."] * 3 + ["Secret"]
        assert found[-1].data == {"from": "One", "to": "Two"}


def test_a_protected_branch_is_merged_into_by_those_who_may_push_to_it(context, ada, bob, thing, commit, actor_of):
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=thing, user=bob, role=Role.WRITE)
    admin, writer = actor_of(ada), actor_of(bob)
    tip = commit(admin, {"a.txt": b"1"})
    with unit_of_work(context) as work:
        branches.set_protected_branch(work, actor=admin, repository_id=thing.id, pattern="main", push_role=Role.ADMIN)
    pulls.open_pull(context, actor=writer, repository_id=thing.id, title="One")
    commit(writer, {"b.txt": b"1"}, proposal=1)
    with pytest.raises(Denied, match="protected"):
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    with pytest.raises(Denied, match="force-pushed"):
        branches.squash_branch(context, actor=admin, repository_id=thing.id, name="main", message="All")
    assert refs_of(context, thing)["refs/heads/main"] == tip
    assert merging.merge_pull(context, actor=admin, repository_id=thing.id, number=1).merge_commit


def test_numbers_and_merges_of_many_at_once(context, ada, thing, commit, actor_of):
    actor = actor_of(ada)
    commit(actor, {"a.txt": b"1"})

    def open_one(number):
        if number % 2:
            with unit_of_work(context) as work:
                return discussions.create_discussion(work, actor=actor, repository_id=thing.id, title="x").number
        return pulls.open_pull(context, actor=actor, repository_id=thing.id, title="x").discussion.number

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(open_one, range(8)))
    assert numbers == [*range(1, 9)]
    with reading(context) as work:
        opened = [number for number in numbers if pulls.find_pull(work, thing.id, number)]
    one, two, *_ = opened
    for number in (one, two):
        commit(actor, {f"{number}.txt": b"1"}, proposal=number)

    def merge(number):
        try:
            return merging.merge_pull(context, actor=actor, repository_id=thing.id, number=number).merge_commit
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(3) as pool:
        results = [*pool.map(merge, (one, two, one))]
    # Each is merged once, and neither merge undoes the other.
    assert statuses(context, thing.id, one) == statuses(context, thing.id, two) == ("merged", ["merged"])
    assert {results[0], results[2]} - {"pull_request_closed"} <= {*results}
    path = repository_path(context.settings, thing)
    tip = list_refs(path)["refs/heads/main"]
    with reading(context) as work:
        heads = [pulls.find_pull(work, thing.id, number).head_commit for number in (one, two)]
    assert held_by(path, tip, heads) == {*heads}


def test_a_merge_that_died_between_ref_and_row_is_finished(context, ada, bob, thing, commit, actor_of, monkeypatch):
    writer, reader = actor_of(ada), actor_of(bob)
    commit(writer, {"a.txt": b"1"})
    pulls.open_pull(context, actor=reader, repository_id=thing.id, title="One")
    pulls.open_pull(context, actor=reader, repository_id=thing.id, title="Empty")
    head = commit(reader, {"b.txt": b"1"}, proposal=1)

    def die(*_args, **_values):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(refs, "settle", die)
        with pytest.raises(SystemExit):
            merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    assert refs_of(context, thing)["refs/heads/main"] == head
    assert statuses(context, thing.id, 1) == ("open", [])
    assert refs.reconcile(context, look_for_drift=False).settled == 1
    with reading(context) as work:
        queued = work.session.scalars(
            select(Job.uuid).where(Job.name == SETTLE_JOB, Job.state == JobState.QUEUED)
        ).all()
    for uuid in queued:
        execute(context, uuid)
    assert statuses(context, thing.id, 1) == ("merged", ["merged"])
    assert statuses(context, thing.id, 2) == ("open", [])
    with reading(context) as work:
        pull = pulls.find_pull(work, thing.id, 1)
        assert (pull.merged_by.name, pull.merge_commit) == ("ada", head)


def test_a_stranger_has_twenty_open_ones_and_a_crash_leaves_none(
    context, ada, bob, thing, commit, actor_of, clock, monkeypatch
):
    writer, reader = actor_of(ada), actor_of(bob)
    commit(writer, {"a.txt": b"1"})
    monkeypatch.setattr(pulls, "MAX_OPEN_EACH", 3)

    def open_one(actor=reader, **more):
        return pulls.open_pull(context, actor=actor, repository_id=thing.id, title="x", **more).discussion

    def is_refused(_=0):
        try:
            open_one()
        except Conflict as error:
            assert error.code == "too_many_pull_requests"
            return True
        return False

    first = open_one()
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(is_refused, range(4))) == [False, False, True, True]
    for _ in range(4):
        open_one(writer)
    with unit_of_work(context) as work:
        timeline.set_status(work, actor=reader, discussion_id=first.id, status=DiscussionStatus.CLOSED)
    open_one()
    with unit_of_work(context) as work, pytest.raises(Conflict, match="open pull requests"):
        timeline.set_status(work, actor=reader, discussion_id=first.id, status=DiscussionStatus.OPEN)
    # Refs without a row: of those that were refused late, and of one whose process died.
    refs.receive(
        context,
        actor=reader,
        repository=thing,
        changes=[RefChange("refs/pr/99", "0" * 40, refs_of(context, thing)["refs/heads/main"])],
        via="api",
        action=Action.REPOSITORY_PROPOSE,
        purpose=Purpose.OPEN,
    )
    with reading(context) as work:
        numbers = work.session.scalars(select(Discussion.number)).all()
    known = {f"refs/pr/{number}" for number in numbers}
    for seconds, is_left in ((0, True), (90_000, False)):
        clock.advance(seconds)
        with unit_of_work(context) as work:
            enqueue(work, TIDY_JOB)
        run_due(context)
        found = {ref for ref in refs_of(context, thing) if ref.startswith("refs/pr/")}
        assert ("refs/pr/99" in found) is is_left
    assert found == known
    assert len(known) == 8


@pytest.mark.any_database
def test_every_open_one_for_the_branch_is_settled(context, ada, bob, thing, commit, actor_of, monkeypatch):
    writer, reader = actor_of(ada), actor_of(bob)
    commit(writer, {"a.txt": b"1"})
    commit(writer, {"a.txt": b"2"}, new_branch="other", branch="main")
    monkeypatch.setattr(merging, "_SETTLED_AT_ONCE", 2)
    for _ in range(3):
        pulls.open_pull(context, actor=reader, repository_id=thing.id, title="x")
    commit(reader, {"b.txt": b"2"}, proposal=1)
    pulls.open_pull(context, actor=reader, repository_id=thing.id, title="x", base="other")
    tips = refs_of(context, thing)
    change = RefChange("refs/heads/main", tips["refs/heads/main"], tips["refs/pr/1"])
    push = refs.receive(context, actor=writer, repository=thing, changes=[change], via="http")
    assert merging.settle_pulls(context, repository_id=thing.id, push_id=push.id) == 1
    assert statuses(context, thing.id, 1)[0] == "merged"
