"""How pull requests are merged: by each method, from branches and forks, past the rules of protected branches."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from hub.accounts.models import Role
from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.accounts.service import set_grant
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.paging import PageArgs
from hub.community.models import DiscussionStatus
from hub.community.service import mergeability, merging, pulls, timeline
from hub.db.uow import reading, unit_of_work
from hub.git import replay
from hub.git.merge import ConflictKind
from hub.git.pointer import format_pointer
from hub.git.repository import get_commit, list_refs
from hub.git.types import FileChange, RefChange, Signature
from hub.git.write import build_commit
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.repos import branches, refs
from hub.repos.differences import Asked
from hub.repos.files import FileEdit, commit_files
from hub.repos.lfs.contents import get_content, receive_object
from hub.repos.lookup import repository_path
from hub.repos.models import LFSLink
from hub.repos.service import delete_repository, fork_repository


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
def commit(context):
    """``commit(repository, actor, {"a.txt": b"1"}, branch="x")``: one commit; its id."""

    def run(repository, actor, files, message="Files", **where):
        edits = [
            FileEdit(path, action="delete") if content is None else FileEdit(path, content=content)
            for path, content in files.items()
        ]
        return commit_files(
            context, actor=actor, repository_id=repository.id, message=message, edits=edits, **where
        ).commit_id

    return run


def refs_of(context, repository):
    return list_refs(repository_path(context.settings, repository))


def status_of(context, repository, number):
    with reading(context) as work:
        return pulls.find_pull(work, repository.id, number).discussion.status


def stands(context, actor, repository, number=1):
    return mergeability.read_mergeability(context, actor=actor, repository=repository, number=number)


def test_each_method_makes_of_it_what_it_says(context, ada, bob, thing, commit, actor_of, monkeypatch):
    writer, other = actor_of(ada), actor_of(bob)
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=thing, user=bob, role=Role.WRITE)
    path = repository_path(context.settings, thing)
    commit(thing, writer, {"a.txt": b"1\n"})

    def propose(number, **options):
        name = f"side{number}"
        commit(thing, other, {f"{number}-1.txt": b"1"}, message="First", branch="main", new_branch=name)
        tip = commit(thing, writer, {f"{number}-2.txt": b"2"}, message="Second", branch=name)
        base = commit(thing, writer, {f"base{number}.txt": b"1"})
        made = pulls.open_pull(context, actor=other, repository_id=thing.id, title=name, revision=name)
        number = made.discussion.number
        merged = merging.merge_pull(context, actor=writer, repository_id=thing.id, number=number, **options)
        assert (merged.base_commit, merged.head_commit) == (base, tip)
        assert refs_of(context, thing)["refs/heads/main"] == merged.merge_commit
        return base, tip, get_commit(path, merged.merge_commit), merged

    base, tip, made, _ = propose(1, method="merge")
    assert made.parent_ids == (base, tip)
    base, _, made, merged = propose(2, method="squash", message="All of it", delete_source=True)
    assert (made.parent_ids, made.author.name, made.committer.name) == ((base,), "bob", "ada")
    assert made.message.strip() == f"All of it\n\nCo-authored-by: ada <{ada.email}>"
    assert "refs/heads/side2" not in refs_of(context, thing)
    assert merged.merge_method == "squash"
    base, tip, made, _ = propose(3, method="rebase")
    first = get_commit(path, made.parent_ids[0])
    assert first.parent_ids == (base,)
    assert [(one.title, one.author.name, one.committer.name) for one in (first, made)] == [
        ("First", "bob", "ada"),
        ("Second", "ada", "ada"),
    ]
    with pytest.raises(Conflict) as caught:
        propose(4, method="fast_forward")
    assert caught.value.code == "not_forward"
    found = stands(context, writer, thing, 4)
    assert (found.state, found.is_behind) == ("mergeable", True)
    assert {one.method.value: one.is_possible for one in found.methods}["fast_forward"] is False
    # The base comes into it, and then it goes forward.
    merging.update_pull_branch(context, actor=writer, repository_id=thing.id, number=4, method="rebase")
    tip = refs_of(context, thing)["refs/pr/4"]
    assert tip == refs_of(context, thing)["refs/heads/side4"]
    with pytest.raises(Conflict, match="has all that its base has"):
        merging.update_pull_branch(context, actor=writer, repository_id=thing.id, number=4)
    where = {"context": context, "actor": writer, "repository_id": thing.id, "number": 4}
    with pytest.raises(Conflict) as caught:
        merging.merge_pull(**where, expected_head=base)
    assert caught.value.code == "head_changed"
    assert merging.merge_pull(**where, method="fast_forward", expected_head=tip).merge_commit == tip
    # What is merged can be taken back, whatever the method.
    undone = merging.revert_pull(context, actor=other, repository_id=thing.id, number=3)
    assert undone.discussion.title == 'Revert "side3"'
    files = pulls.list_pull_files(context, thing, undone, actor=writer, asked=Asked(PageArgs())).files
    assert [(file.change.path, file.change.status) for file in files] == [
        ("3-1.txt", "deleted"),
        ("3-2.txt", "deleted"),
    ]
    with unit_of_work(context) as work:
        for wrong in ({"methods": []}, {"methods": ["none"]}, {"methods": ["merge"], "default_method": "squash"}):
            with pytest.raises(Invalid):
                mergeability.set_settings(work, actor=writer, repository_id=thing.id, **wrong)
        mergeability.set_settings(work, actor=writer, repository_id=thing.id, methods=["squash", "rebase"])
    monkeypatch.setattr(replay, "MAX_REPLAYED", 1)
    for method, code in (("merge", "merge_method_not_allowed"), ("rebase", "rebase_too_long")):
        with pytest.raises(Conflict) as caught:
            propose(6, method=method) if method == "merge" else merging.merge_pull(
                context, actor=writer, repository_id=thing.id, number=6, method=method
            )
        assert caught.value.code == code
    assert merging.merge_pull(context, actor=writer, repository_id=thing.id, number=6).merge_method == "squash"


def test_two_squashes_at_once_and_one_that_died_are_one(context, ada, thing, commit, actor_of, monkeypatch):
    writer = actor_of(ada)
    commit(thing, writer, {"a.txt": b"1"})
    for name in ("one", "two"):
        commit(thing, writer, {f"{name}.txt": b"1"}, branch="main", new_branch=name)
        pulls.open_pull(context, actor=writer, repository_id=thing.id, title=name, revision=name)
    commit(thing, writer, {"b.txt": b"1"})

    def merge(number):
        try:
            return merging.merge_pull(
                context, actor=writer, repository_id=thing.id, number=number, method="squash"
            ).discussion.status
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(merge, (1, 1))]
    assert "merged" in results
    assert {*results} <= {"merged", "pull_request_closed", "nothing_to_merge"}
    path = repository_path(context.settings, thing)
    tip = get_commit(path, "main")
    assert [get_commit(path, tip.parent_ids[0]).title, tip.title] == ["Files", "one (#1)"]

    def die(*_args, **_values):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(refs, "settle", die)
        with pytest.raises(SystemExit):
            merge(2)
    made = refs_of(context, thing)["refs/heads/main"]
    assert refs.reconcile(context, look_for_drift=False).settled == 1
    run_due(context)
    with reading(context) as work:
        pull = pulls.find_pull(work, thing.id, 2)
    assert (pull.discussion.status, pull.merge_commit, pull.merge_method) == ("merged", made, "squash")


def test_a_fork_is_followed_until_it_goes(context, ada, bob, thing, commit, actor_of, make_user, make_repository):
    writer, reader, eve = actor_of(ada), actor_of(bob), actor_of(make_user("eve"))
    commit(thing, writer, {"a.txt": b"1"})
    fork = fork_repository(context, actor=reader, source_id=thing.id, namespace="bob", name="copy")
    commit(thing, writer, {"b.txt": b"1"})
    commit(fork, reader, {"mine.txt": b"1"}, branch="main", new_branch="mine")
    where = {"context": context, "repository_id": thing.id, "title": "Mine", "revision": "mine"}
    stranger = make_repository(ada, "other")
    with pytest.raises(Invalid):
        pulls.open_pull(**where, actor=writer, source_id=stranger.id)
    with pytest.raises(NotFound):
        pulls.open_pull(**where | {"revision": "none"}, actor=reader, source_id=fork.id)
    pull = pulls.open_pull(**where, actor=reader, source_id=fork.id)
    assert (pull.source_repository_id, pull.source_ref) == (fork.id, "refs/heads/mine")
    with pytest.raises(Conflict, match="number 1"):
        pulls.open_pull(**where, actor=eve, source_id=fork.id)
    # A push there is proposed, too; nothing else goes into its ref.
    tip = commit(fork, reader, {"mine.txt": b"2"}, branch="mine")
    with pytest.raises(Conflict, match="follows the branch 'mine' of its fork"):
        commit(thing, reader, {"x": b"1"}, proposal=1)
    run_due(context)
    assert refs_of(context, thing)["refs/pr/1"] == tip
    # A large file that the fork holds is proposed with it, and becomes the owner's by the merge.
    large = b"large" * 1000
    oid = hashlib.sha256(large).hexdigest()
    receive_object(context, actor=reader, repository_id=fork.id, oid=oid, size_bytes=len(large), chunks=[large])
    tip = commit(fork, reader, {"large.bin": format_pointer(oid, len(large))}, branch="mine")
    run_due(context)
    assert refs_of(context, thing)["refs/pr/1"] == tip
    assert get_content(context, actor=ANONYMOUS, repository_id=thing.id, oid=oid).size_bytes == len(large)
    # What nobody has followed yet, a merge does.
    tip = commit(fork, reader, {"mine.txt": b"3"}, branch="mine")
    with pytest.raises(Denied):
        merging.update_pull_branch(context, actor=eve, repository_id=thing.id, number=1)
    merging.update_pull_branch(context, actor=reader, repository_id=thing.id, number=1)
    tip = refs_of(context, fork)["refs/heads/mine"]
    assert refs_of(context, thing)["refs/pr/1"] == tip
    merged = merging.merge_pull(
        context, actor=writer, repository_id=thing.id, number=1, method="merge", delete_source=True
    )
    assert merged.head_commit == tip
    with reading(context) as work:
        assert work.session.get(LFSLink, (thing.id, oid)) is not None
    # It is not the merger's to remove.
    assert refs_of(context, fork)["refs/heads/mine"] == tip

    # A private fork's later commits are nobody's to give away who may only read it.
    private = fork_repository(context, actor=writer, source_id=thing.id, namespace="ada", name="secret", private=True)
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=private, user=bob, role=Role.READ)
    commit(private, writer, {"c.txt": b"1"}, branch="main")
    with pytest.raises(Denied):
        pulls.open_pull(**where | {"revision": "main"}, actor=reader, source_id=private.id)

    # With the branch or the fork goes the pull request.
    for name in ("gone", "kept"):
        commit(fork, reader, {f"{name}.txt": b"1"}, branch="main", new_branch=name)
        pulls.open_pull(**where | {"revision": name}, actor=reader, source_id=fork.id)
    numbers = (pull.discussion.number + 1, pull.discussion.number + 2)
    branches.delete_branch(context, actor=reader, repository_id=fork.id, name="gone")
    run_due(context)
    assert [status_of(context, thing, number) for number in numbers] == ["closed", "open"]
    with unit_of_work(context) as work:
        delete_repository(work, actor=reader, repository_id=fork.id)
    run_due(context)
    assert status_of(context, thing, numbers[1]) == "closed"
    with reading(context) as work:
        assert work.session.scalars(select(Job.name).where(Job.state == JobState.FAILED)).all() == []


def test_a_branch_that_takes_pull_requests_only(context, ada, bob, thing, commit, actor_of, make_user, monkeypatch):
    admin, writer = actor_of(ada), actor_of(bob)
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=thing, user=bob, role=Role.WRITE)
    commit(thing, admin, {"a.txt": b"1"})
    commit(thing, writer, {"b.txt": b"1"}, branch="main", new_branch="side")

    def protect(**rule):
        with unit_of_work(context) as work:
            branches.set_protected_branch(
                work, actor=admin, repository_id=thing.id, pattern="main", require_pull=True, **rule
            )

    protect(required_approvals=2, require_resolved=True)
    for actor in (admin, writer):
        with pytest.raises(Denied) as caught:
            commit(thing, actor, {"c.txt": b"1"}, branch="main")
        assert caught.value.code == "pull_required"
    pulls.open_pull(context, actor=writer, repository_id=thing.id, title="Side", revision="side")
    monkeypatch.setattr(mergeability, "count_approvals", lambda *_args, **_options: 1)
    with pytest.raises(Conflict, match="1 of 2 required approvals") as caught:
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    assert caught.value.code == "merge_blocked"
    found = stands(context, writer, thing)
    assert found.state == "blocked"
    assert {check.name: check.passed for check in found.checks} == {
        "ready": True,
        "commits": True,
        "conflicts": True,
        "write": True,
        "role": True,
        "approvals": False,
        "changes": True,
        "conversations": True,
    }
    reader = actor_of(make_user("eve"))
    assert [check.name for check in stands(context, reader, thing).checks if not check.passed] == [
        *("write", "role", "approvals")
    ]
    # Administrators are held to it, unless the rule says otherwise.
    with pytest.raises(Conflict, match="required approvals"):
        merging.merge_pull(context, actor=admin, repository_id=thing.id, number=1)
    protect(required_approvals=2, allow_admins=True)
    commit(thing, admin, {"c.txt": b"1"}, branch="main")
    with pytest.raises(Conflict):
        merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1)
    assert stands(context, admin, thing).state == "mergeable"
    monkeypatch.setattr(mergeability, "count_approvals", lambda *_args, **_options: 2)
    assert merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1).merged_at


def test_conflicts_are_told_one_by_one(context, ada, thing, actor_of):
    writer = actor_of(ada)
    path = repository_path(context.settings, thing)
    who = Signature("Ada", "ada@example.org", context.clock.now())

    def build(parent, files):
        steps = [
            FileChange("delete", name) if content is None else FileChange("put", name, content)
            for name, content in files.items()
        ]
        return build_commit(path, parent=parent, changes=steps, author=who, committer=who, message="x")

    old = refs_of(context, thing)["refs/heads/main"]
    start = build(
        old, {"both": b"1\n", "base-gone": b"1\n", "head-gone": b"gone\n", "blob": b"\0", "place": b"place\n"}
    )
    base = build(
        start,
        {"both": b"2\n", "base-gone": None, "head-gone": b"2\n", "blob": b"\0\1", "new": b"1\n", "place": b"2\n"},
    )
    head = build(
        start,
        {
            "both": b"3\n",
            "base-gone": b"2\n",
            "head-gone": None,
            "blob": b"\0\2",
            "new": b"2\n",
            "place": None,
            "place/in": b"in\n",
        },
    )
    changes = [RefChange("refs/heads/main", old, base), RefChange("refs/heads/side'$x", "0" * 40, head)]
    refs.receive(context, actor=writer, repository=thing, changes=changes, via="api")
    pulls.open_pull(context, actor=writer, repository_id=thing.id, title="x", revision="side'$x")
    found = stands(context, writer, thing)
    assert found.state == "conflicts"
    kinds = {conflict.path: conflict.kind for conflict in found.conflicts}
    assert kinds["place"] == ConflictKind.FILE_AND_FOLDER
    assert {name: kinds[name] for name in ("both", "base-gone", "head-gone", "blob", "new")} == {
        "both": ConflictKind.BOTH_MODIFIED,
        "base-gone": ConflictKind.DELETED_BY_BASE,
        "head-gone": ConflictKind.DELETED_BY_HEAD,
        "blob": ConflictKind.BINARY,
        "new": ConflictKind.BOTH_ADDED,
    }
    assert found.commands[-1] == """git push origin 'side'"'"'$x'"""
    for method in ("merge", "squash", "rebase"):
        with pytest.raises(Conflict) as caught:
            merging.merge_pull(context, actor=writer, repository_id=thing.id, number=1, method=method)
        assert caught.value.code == "merge_conflict"
        assert "both" in caught.value.details["paths"]
    with pytest.raises(Conflict):
        merging.update_pull_branch(context, actor=writer, repository_id=thing.id, number=1)


@pytest.mark.any_database
def test_a_draft_waits_and_a_base_can_be_another(context, ada, bob, thing, commit, actor_of):
    writer, reader = actor_of(ada), actor_of(bob)
    commit(thing, writer, {"a.txt": b"1"})
    commit(thing, writer, {"old.txt": b"1"}, branch="main", new_branch="old")
    commit(thing, writer, {"b.txt": b"1"}, branch="old", new_branch="side")
    pulls.open_pull(context, actor=writer, repository_id=thing.id, title="x", revision="side", is_draft=True)
    where = {"repository_id": thing.id, "number": 1}
    assert stands(context, writer, thing).state == "draft"
    with pytest.raises(Conflict, match="draft"):
        merging.merge_pull(context, actor=writer, **where)
    for base, error in (("none", NotFound), ("side", NotFound)):
        with pytest.raises(error):
            pulls.change_base(context, actor=writer, **where, base=base)
    with pytest.raises(Denied):
        pulls.change_base(context, actor=reader, **where, base="old")
    assert pulls.change_base(context, actor=writer, **where, base="old").base_ref == "refs/heads/old"
    with unit_of_work(context) as work:
        with pytest.raises(Denied):
            pulls.set_draft(work, actor=reader, **where, is_draft=False)
        pull = pulls.set_draft(work, actor=writer, **where, is_draft=False)
        assert pull.discussion.status == DiscussionStatus.OPEN
        told = [getattr(event, "type", None) for event in timeline.list_events(work, pull.discussion)]
        assert told == ["commit", "base-change", "status-change"]
    merged = merging.merge_pull(context, actor=writer, **where)
    assert refs_of(context, thing)["refs/heads/old"] == merged.merge_commit
    with unit_of_work(context) as work, pytest.raises(Conflict):
        pulls.set_draft(work, actor=writer, **where, is_draft=True)
