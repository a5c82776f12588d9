"""Single commits taken back and brought elsewhere, each on a new branch."""

import pytest

from hub.accounts.policy import ANONYMOUS
from hub.base.errors import Conflict, Invalid, NotFound, NotSignedIn
from hub.git.repository import get_commit
from hub.git.tree import list_files
from hub.repos.branches import create_branch
from hub.repos.files import FileEdit, commit_files
from hub.repos.reverts import pick_commit, revert_commit
from tests.support.pushes import Workbench

pytestmark = pytest.mark.any_database


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def bench(context, ada, make_repository):
    return Workbench(context, make_repository(ada))


@pytest.fixture
def owner(ada, actor_of):
    return actor_of(ada)


@pytest.fixture
def write(context, bench, owner):
    def commit(path, content, **more):
        edit = FileEdit(path, "delete") if content is None else FileEdit(path, content=content)
        given = {"actor": owner, "repository_id": bench.repository.id}
        return commit_files(context, **given, message=f"Write {path}", edits=[edit], **more).commit_id

    return commit


def test_a_commit_is_taken_back_on_a_new_branch(context, bench, owner, write):
    given = {"actor": owner, "repository_id": bench.repository.id}
    first = write("a.txt", b"one\n")
    write("b.txt", b"two\n")
    made = revert_commit(context, **given, commit_id=first)
    assert (made.branch, made.base, made.title) == (f"revert-{first[:8]}", "main", 'Revert "Write a.txt"')
    assert made.commit_id == bench.refs[f"refs/heads/{made.branch}"]
    assert get_commit(bench.path, made.commit_id).parent_ids == (bench.head,)
    files = list_files(bench.path, made.commit_id, limit=100)
    assert ("b.txt" in files, "a.txt" in files) == (True, False)
    assert revert_commit(context, **given, commit_id=first).branch == f"revert-{first[:8]}-2"
    with pytest.raises(NotSignedIn):
        revert_commit(context, actor=ANONYMOUS, repository_id=bench.repository.id, commit_id=first)
    with pytest.raises(NotFound):
        revert_commit(context, **given, commit_id="0" * 40)
    write("a.txt", b"three\n")
    with pytest.raises(Conflict) as refused:
        revert_commit(context, **given, commit_id=first)
    assert (refused.value.code, refused.value.details["paths"]) == ("merge_conflict", ["a.txt"])


def test_a_commit_is_brought_to_another_branch_in_its_authors_name(context, bench, owner, write):
    given = {"actor": owner, "repository_id": bench.repository.id}
    create_branch(context, **given, name="stable")
    first = write("a.txt", b"one\n")
    made = pick_commit(context, **given, commit_id=first, base="stable", new_branch="fix")
    commit = get_commit(bench.path, made.commit_id)
    assert (made.branch, made.base, commit.title) == ("fix", "stable", "Write a.txt")
    assert f"(cherry picked from commit {first})" in commit.message
    with pytest.raises(Invalid) as refused:
        pick_commit(context, **given, commit_id=first)
    assert refused.value.code == "nothing_to_commit"
