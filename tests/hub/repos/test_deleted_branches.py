"""Branches that were deleted: listed, brought back, kept from Git's collection, and gone in the end."""

import pytest

from hub.accounts.policy import Action
from hub.base.errors import Conflict, Denied, NotFound
from hub.db.uow import reading
from hub.git.repository import maintain
from hub.git.types import ZERO_OID, RefChange
from hub.git.write import update_refs
from hub.repos import branches, deleted_branches, refs
from hub.repos.kept_refs import KEPT_REFS
from tests.support.pushes import Workbench


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def actor(ada, actor_of):
    return actor_of(ada)


@pytest.fixture
def bench(context, ada, make_repository):
    return Workbench(context, make_repository(ada))


@pytest.fixture
def listed(context, bench, actor):
    """The deleted branches as the actor sees them."""

    def look():
        with reading(context) as work:
            return deleted_branches.list_deleted(work, actor=actor, repository_id=bench.repository.id).items

    return look


def make(bench, actor, name):
    """A branch with a commit of its own; the commit."""
    commit_id = bench.commit({f"{name}.txt": name.encode()}, message=name)
    change = RefChange(f"refs/heads/{name}", ZERO_OID, commit_id)
    refs.receive(bench.context, actor=actor, repository=bench.repository, changes=[change], via="api")
    return commit_id


def is_there(bench, commit_id):
    return commit_id in bench.git("cat-file", "--batch-check", "--batch-all-objects")


def test_a_deleted_branch_survives_gc_and_is_brought_back(bench, actor, context, listed, make_user, actor_of):
    commit_id = make(bench, actor, "old/work")
    branches.delete_branch(context, actor=actor, repository_id=bench.repository.id, name="old/work")
    [branch] = listed()
    assert (branch.name, branch.commit_id, branch.deleted_by) == ("old/work", commit_id, "ada")
    bench.git("gc", "--prune=now", "--quiet")
    assert is_there(bench, commit_id)
    # Its ref is nobody's: no clone has it, and the records are not out of step with the refs.
    assert not refs.reconcile(context).recorded
    given = {"repository_id": bench.repository.id, "uuid": branch.uuid}
    with pytest.raises(Denied):
        deleted_branches.restore_branch(context, actor=actor_of(make_user("bob")), **given)
    branches.create_branch(context, actor=actor, repository_id=bench.repository.id, name="old/work")
    with pytest.raises(Conflict, match="another name"):
        deleted_branches.restore_branch(context, actor=actor, **given)
    assert deleted_branches.restore_branch(context, actor=actor, **given, name="again") == "again"
    assert bench.refs["refs/heads/again"] == commit_id
    assert listed() == []
    assert not [ref for ref in bench.refs if ref.startswith(KEPT_REFS)]
    with pytest.raises(NotFound):
        deleted_branches.restore_branch(context, actor=actor, **given)


def test_what_a_git_push_deletes_counts_and_what_is_renamed_does_not(bench, actor, context, listed):
    first, second = make(bench, actor, "first"), make(bench, actor, "second")
    # As git's receive-pack does it: the refs move between the two hooks; here the second one never came.
    gone = [RefChange(f"refs/heads/{name}", oid, ZERO_OID) for name, oid in (("first", first), ("second", second))]
    push = refs.prepare(
        context, actor=actor, repository_id=bench.repository.id, changes=gone, via="ssh", action=Action.REPOSITORY_WRITE
    )
    update_refs(bench.path, gone)
    refs.reconcile(context, grace_s=0, look_for_drift=False)
    refs.finish(context, push)
    assert sorted((branch.name, branch.commit_id) for branch in listed()) == [("first", first), ("second", second)]
    make(bench, actor, "third")
    branches.rename_branch(context, actor=actor, repository_id=bench.repository.id, name="third", new_name="fourth")
    assert len(listed()) == 2


def test_when_its_time_is_over_a_branch_is_gone_for_good(bench, actor, context, listed, clock):
    commit_id = make(bench, actor, "old")
    branches.delete_branch(context, actor=actor, repository_id=bench.repository.id, name="old")
    clock.advance(deleted_branches.KEPT_DAYS * 24 * 3600 - 1)
    assert deleted_branches.forget_old(context) == 0
    clock.advance(1)
    assert listed() == []
    assert deleted_branches.forget_old(context) == 1
    assert not [ref for ref in bench.refs if ref.startswith(KEPT_REFS)]
    bench.git("gc", "--prune=now", "--quiet")
    assert not is_there(bench, commit_id)
    maintain(bench.path, full=True)
