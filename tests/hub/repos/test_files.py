"""Commits through the service: one for all changes of a request, with large content in LFS."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.accounts.models import Role, User
from hub.accounts.policy import ANONYMOUS, Actor
from hub.base.context import Context
from hub.base.errors import (
    Conflict,
    Denied,
    HubError,
    Invalid,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    Unprocessable,
)
from hub.db.uow import reading, unit_of_work
from hub.git.pointer import format_pointer
from hub.git.repository import find_revision, get_commit
from hub.git.tree import find_entry, read_blob
from hub.repos import branches, refs
from hub.repos.attributes import ATTRIBUTES_PATH, LFSRules
from hub.repos.files import CommitResult, FileEdit, commit_files
from hub.repos.lfs.service import get_content
from hub.repos.models import Push, Repository
from hub.repos.service import archive_repository, create_repository, repository_path


@pytest.fixture
def ada(make_user: Callable[..., User], actor_of: Callable[[User], Actor]) -> Actor:
    return actor_of(make_user("ada"))


@pytest.fixture
def thing(context: Context, ada: Actor) -> Repository:
    return create_repository(context, actor=ada, namespace="ada", name="thing", kind="model")


@pytest.fixture
def commit(context: Context, ada: Actor, thing: Repository) -> Callable[..., CommitResult]:
    """``commit(edit, ..., branch=...)`` as the owner."""

    def run(*edits: FileEdit, **fields: Any) -> CommitResult:
        return commit_files(
            context, **({"actor": ada, "repository_id": thing.id, "message": "m", "edits": edits} | fields)
        )

    return run


@pytest.fixture
def path(context: Context, thing: Repository) -> Path:
    return repository_path(context.settings, thing)


Commit = Callable[..., CommitResult]


def content(path: Path, name: str, revision: str = "main") -> bytes | None:
    entry = find_entry(path, revision, name)
    return read_blob(path, entry.oid).data if entry else None


def test_all_changes_of_a_request_are_one_commit_by_the_actor(commit: Commit, path: Path, context: Context) -> None:
    before = find_revision(path, "main")
    done = commit(
        FileEdit("./docs/a.txt", content=b"a"),
        FileEdit("b.txt", content=b"b"),
        FileEdit("README.md", "delete"),
        message="Three at once",
    )
    made = get_commit(path, "main")
    assert done == CommitResult(made.id, "main", is_new=True)
    assert (made.parent_ids, made.title) == ((before,), "Three at once")
    assert (made.author.name, made.author.email) == ("ada", "ada@example.org")
    assert [content(path, name) for name in ("docs/a.txt", "b.txt", "README.md")] == [b"a", b"b", None]
    with reading(context) as work:
        push = work.session.scalars(select(Push).order_by(Push.id.desc())).first()
    assert push is not None
    assert push.changes == [{"ref": "refs/heads/main", "old": before, "new": made.id}]
    assert subprocess.run(["git", "-C", path, "fsck", "--strict"], capture_output=True).returncode == 0


def test_changes_that_change_nothing_make_no_commit(commit: Commit, path: Path) -> None:
    first = commit(FileEdit("a.txt", content=b"a"))
    again = commit(FileEdit("a.txt", content=b"a"))
    assert again == CommitResult(first.commit_id, "main", is_new=False)


def test_a_file_that_a_pattern_gives_to_lfs_is_stored_there(
    commit: Commit, path: Path, context: Context, ada: Actor, thing: Repository, tmp_path: Path
) -> None:
    data = b"weights" * 1000
    (tmp_path / "spooled").write_bytes(data)
    oid = hashlib.sha256(data).hexdigest()
    commit(FileEdit("a/model.bin", content=tmp_path / "spooled"), FileEdit("empty.bin", content=b""))
    assert content(path, "a/model.bin") == format_pointer(oid, len(data))
    assert content(path, "empty.bin") == b"", "git-lfs leaves empty files as they are"
    stored = get_content(context, actor=ada, repository_id=thing.id, oid=oid)
    assert b"".join(stored.open_range(0, len(data))) == data
    with reading(context) as work:
        assert work.session.get_one(Repository, thing.id).lfs_size_bytes == len(data)


@pytest.mark.settings(max_blob_size_bytes=4000)
def test_a_large_file_becomes_lfs_and_a_clone_knows_it(commit: Commit, path: Path, context: Context) -> None:
    commit(FileEdit("notes [1] x.txt", content=b"x" * 4001), FileEdit("small.txt", content=b"x" * 4000))
    pointer = content(path, "notes [1] x.txt")
    assert pointer is not None
    assert pointer.startswith(b"version https://git-lfs")
    assert content(path, "small.txt") == b"x" * 4000
    attributes = content(path, ATTRIBUTES_PATH)
    assert attributes is not None
    rules = LFSRules.parse(attributes)
    assert rules.matches("notes [1] x.txt")
    assert not rules.matches("small.txt")
    lines = attributes.count(b"\n")
    commit(FileEdit("notes [1] x.txt", content=b"y" * 4001))
    again = content(path, ATTRIBUTES_PATH)
    assert again is not None
    assert again.count(b"\n") == lines, "it is told once"


def test_attributes_that_come_along_count_for_the_same_commit(commit: Commit, path: Path) -> None:
    commit(FileEdit(ATTRIBUTES_PATH, content=b"*.dat filter=lfs -text\n"), FileEdit("x.dat", content=b"1"))
    commit(FileEdit("x.bin", content=b"1"))
    pointer = content(path, "x.dat")
    assert pointer is not None
    assert pointer.startswith(b"version ")
    assert content(path, "x.bin") == b"1"


def test_a_pointer_needs_its_object_in_this_repository(
    commit: Commit, path: Path, context: Context, ada: Actor
) -> None:
    other = create_repository(context, actor=ada, namespace="ada", name="other", kind="model")
    commit_files(context, actor=ada, repository_id=other.id, message="m", edits=[FileEdit("x.bin", content=b"secret")])
    oid = hashlib.sha256(b"secret").hexdigest()
    before = find_revision(path, "main")
    for pointer in (format_pointer(oid, 6), format_pointer("0" * 64, 1)):
        with pytest.raises(Unprocessable) as refused:
            commit(FileEdit("x.bin", content=pointer))
        assert refused.value.code == "lfs_object_missing"
        assert refused.value.details["paths"] == ["x.bin"]
    assert find_revision(path, "main") == before
    commit(FileEdit("y.bin", content=b"secret"))
    commit(FileEdit("x.bin", content=format_pointer(oid, 6)))


def test_a_parent_that_is_no_longer_the_tip_is_refused(commit: Commit, path: Path) -> None:
    tip = find_revision(path, "main")
    second = commit(FileEdit("a.txt", content=b"1"), parent=tip)
    with pytest.raises(PreconditionFailed):
        commit(FileEdit("a.txt", content=b"2"), parent=tip)
    commit(FileEdit("a.txt", content=b"2"), parent=second.commit_id)


def test_a_file_that_changed_meanwhile_is_not_overwritten(commit: Commit, path: Path) -> None:
    commit(FileEdit("a.txt", content=b"1"), FileEdit("m.bin", content=b"1"))
    entry = find_entry(path, "main", "a.txt")
    assert entry is not None
    commit(FileEdit("a.txt", content=b"2", expected_oid=entry.oid))
    for edit in (
        FileEdit("a.txt", content=b"3", expected_oid=entry.oid),
        FileEdit("a.txt", "delete", expected_oid=entry.oid),
        FileEdit("new.txt", content=b"3", expected_oid=entry.oid),
    ):
        with pytest.raises(Conflict) as refused:
            commit(edit)
        assert refused.value.code == "file_changed"
    commit(FileEdit("m.bin", content=b"2", expected_oid=hashlib.sha256(b"1").hexdigest()))


def test_a_branch_that_moves_meanwhile_is_built_upon(
    commit: Commit, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, rivals = refs.receive, iter(("one", "two"))

    def receive_late(*args: Any, **fields: Any) -> Any:
        rival = next(rivals, None)
        if rival is not None:
            with monkeypatch.context() as patch:
                patch.setattr(refs, "receive", receive)
                commit(FileEdit(f"{rival}.txt", content=b"1"))
        return receive(*args, **fields)

    monkeypatch.setattr(refs, "receive", receive_late)
    done = commit(FileEdit("ours.txt", content=b"1"))
    assert find_revision(path, "main") == done.commit_id
    assert all(content(path, f"{name}.txt") for name in ("one", "two", "ours"))


def test_who_named_a_parent_is_told_when_the_branch_moves(
    commit: Commit, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = refs.receive

    def receive_late(*args: Any, **fields: Any) -> Any:
        monkeypatch.setattr(refs, "receive", receive)
        commit(FileEdit("rival.txt", content=b"1"))
        return receive(*args, **fields)

    monkeypatch.setattr(refs, "receive", receive_late)
    with pytest.raises(PreconditionFailed):
        commit(FileEdit("ours.txt", content=b"1"), parent=find_revision(path, "main"))
    assert content(path, "ours.txt") is None


def test_a_new_branch_begins_at_another_or_with_nothing(commit: Commit, path: Path) -> None:
    tip = find_revision(path, "main")
    beside = commit(FileEdit("a.txt", content=b"1"), branch="main", new_branch="topic/a")
    assert beside.branch == "topic/a"
    assert get_commit(path, "topic/a").parent_ids == (tip,)
    alone = commit(FileEdit("only.txt", content=b"1"), new_branch="alone")
    assert get_commit(path, "alone").parent_ids == ()
    assert (get_commit(path, "alone").id, content(path, "README.md", "alone")) == (alone.commit_id, None)
    with pytest.raises(Conflict) as refused:
        commit(FileEdit("a.txt", content=b"1"), new_branch="alone")
    assert refused.value.code == "branch_exists"
    assert find_revision(path, "main") == tip


def test_files_are_moved_and_directories_removed(commit: Commit, path: Path) -> None:
    commit(FileEdit("d/a.txt", content=b"1"), FileEdit("d/b.txt", content=b"2"))
    commit(FileEdit("e/a.txt", "move", source="d/a.txt"), FileEdit("c.txt", "copy", source="README.md"))
    commit(FileEdit("d", "delete_dir"))
    assert [content(path, name) for name in ("e/a.txt", "d/a.txt", "d/b.txt")] == [b"1", None, None]
    assert content(path, "c.txt") == content(path, "README.md")


@pytest.mark.parametrize(
    "edit",
    [FileEdit("../a"), FileEdit("a\0b"), FileEdit("x/.git/config"), FileEdit("README.md/x"), FileEdit("no", "delete")],
)
def test_a_change_that_cannot_be_made_moves_nothing(commit: Commit, path: Path, edit: FileEdit) -> None:
    before = find_revision(path, "main")
    with pytest.raises((Invalid, NotFound)):
        commit(FileEdit("good.txt", content=b"1"), edit)
    assert find_revision(path, "main") == before


def test_no_change_at_all_and_one_path_twice_are_refused(commit: Commit) -> None:
    with pytest.raises(Invalid):
        commit()
    with pytest.raises(Invalid):
        commit(FileEdit("a", content=b"1"), FileEdit("./a", content=b"2"))
    with pytest.raises(NotFound) as refused:
        commit(FileEdit("a", content=b"1"), branch="nowhere")
    assert refused.value.code == "branch_not_found"


def test_only_writers_commit_and_nobody_into_an_archived_repository(
    commit: Commit,
    context: Context,
    ada: Actor,
    thing: Repository,
    make_user: Callable[..., User],
    actor_of: Callable[[User], Actor],
) -> None:
    with pytest.raises(NotSignedIn):
        commit(FileEdit("a", content=b"1"), actor=ANONYMOUS)
    with pytest.raises(Denied):
        commit(FileEdit("a", content=b"1"), actor=actor_of(make_user("bob")))
    with unit_of_work(context) as work:
        archive_repository(work, actor=ada, repository_id=thing.id)
    with pytest.raises(Denied):
        commit(FileEdit("a", content=b"1"))


def test_a_protected_branch_refuses_a_commit_as_it_refuses_a_push(
    commit: Commit,
    context: Context,
    ada: Actor,
    thing: Repository,
    make_user: Callable[..., User],
    actor_of: Callable[[User], Actor],
) -> None:
    from hub.accounts.service import set_grant

    bob = make_user("bob")
    with unit_of_work(context) as work:
        set_grant(work, actor=ada, resource=thing, user=bob, role=Role.WRITE)
        branches.set_protected_branch(work, actor=ada, repository_id=thing.id, pattern="ma*", push_role=Role.ADMIN)
    with pytest.raises(Denied) as refused:
        commit(FileEdit("a", content=b"1"), actor=actor_of(bob))
    assert refused.value.code == "branch_protected"
    commit(FileEdit("a", content=b"1"), actor=actor_of(bob), branch="main", new_branch="bobs")
    commit(FileEdit("a", content=b"1"))


# Branches.


def test_branches_and_tags_come_and_go(context: Context, ada: Actor, thing: Repository, path: Path) -> None:
    tip = branches.create_branch(context, actor=ada, repository_id=thing.id, name="dev/one")
    assert branches.create_tag(context, actor=ada, repository_id=thing.id, name="v1", revision="dev/one") == tip
    for make, name, code in (
        (branches.create_branch, "dev/one", "branch_exists"),
        (branches.create_tag, "v1", "tag_exists"),
        (branches.create_branch, "dev", "ref_clash"),
        (branches.create_branch, "MAIN", "ref_clash"),
        (branches.create_branch, "a..b", "ref_invalid"),
        (branches.create_branch, "HEAD", "ref_invalid"),
    ):
        with pytest.raises(HubError) as refused:
            make(context, actor=ada, repository_id=thing.id, name=name)
        assert refused.value.code == code
    branches.delete_branch(context, actor=ada, repository_id=thing.id, name="dev/one")
    branches.delete_tag(context, actor=ada, repository_id=thing.id, name="v1")
    assert find_revision(path, "v1") is find_revision(path, "dev/one") is None
    with pytest.raises(NotFound):
        branches.delete_branch(context, actor=ada, repository_id=thing.id, name="dev/one")
    with pytest.raises(Denied):
        branches.delete_branch(context, actor=ada, repository_id=thing.id, name="main")


def test_another_branch_becomes_the_default_one(context: Context, ada: Actor, thing: Repository, path: Path) -> None:
    branches.create_branch(context, actor=ada, repository_id=thing.id, name="next")
    with pytest.raises(NotFound):
        branches.set_default_branch(context, actor=ada, repository_id=thing.id, name="nowhere")
    changed = branches.set_default_branch(context, actor=ada, repository_id=thing.id, name="next")
    assert changed.default_branch == "next"
    head = subprocess.run(["git", "-C", path, "symbolic-ref", "HEAD"], capture_output=True, text=True)
    assert head.stdout == "refs/heads/next\n"
    branches.delete_branch(context, actor=ada, repository_id=thing.id, name="main")


@pytest.mark.parametrize("pattern", ["", "a b", "../x", "x" * 256, "-x"])
def test_a_pattern_is_nearly_a_branch_name(context: Context, ada: Actor, thing: Repository, pattern: str) -> None:
    with pytest.raises(Invalid) as refused, unit_of_work(context) as work:
        branches.set_protected_branch(work, actor=ada, repository_id=thing.id, pattern=pattern)
    assert refused.value.code == "pattern_invalid"


def test_rules_are_seen_by_those_who_may_write(
    context: Context, make_user: Callable[..., User], actor_of: Callable[[User], Actor], ada: Actor, thing: Repository
) -> None:
    with unit_of_work(context) as work:
        branches.set_protected_branch(work, actor=ada, repository_id=thing.id, pattern="v*")
        archive_repository(work, actor=ada, repository_id=thing.id)
        branches.set_protected_branch(work, actor=ada, repository_id=thing.id, pattern="w*")
        assert len(branches.list_protected_branches(work, actor=ada, repository_id=thing.id)) == 2
    for actor, error in ((ANONYMOUS, NotSignedIn), (actor_of(make_user("eve")), Denied)):
        with pytest.raises(error), reading(context) as work:
            branches.list_protected_branches(work, actor=actor, repository_id=thing.id)


def test_a_rule_is_changed_by_setting_it_again(context: Context, ada: Actor, thing: Repository) -> None:
    for force in (True, False):
        with unit_of_work(context) as work:
            branches.set_protected_branch(work, actor=ada, repository_id=thing.id, pattern="v*", allow_force_push=force)
    with unit_of_work(context) as work:
        rules = branches.list_protected_branches(work, actor=ada, repository_id=thing.id)
        assert [(rule.pattern, rule.allow_force_push) for rule in rules] == [("v*", False)]
        branches.remove_protected_branch(work, actor=ada, repository_id=thing.id, pattern="v*")
        with pytest.raises(NotFound):
            branches.remove_protected_branch(work, actor=ada, repository_id=thing.id, pattern="v*")
