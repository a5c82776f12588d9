"""Where contents that are known by their SHA-256 lie."""

from __future__ import annotations

import hashlib

import pytest

from hub.db.uow import unit_of_work
from hub.repos.branches import create_branch
from hub.repos.files import FileEdit, commit_files
from hub.repos.lfs.paths import find_paths
from hub.repos.models_upkeep import LFSUse

WEIGHTS = bytes(range(256)) * 40


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def write(context, shelf):
    """``write("a.bin", b"...", branch="x")``: a commit of one file."""

    def commit(path: str, content: bytes, **options: str) -> None:
        edits = [FileEdit(path, content=content)]
        commit_files(
            context, actor=shelf.actor, repository_id=shelf.repository.id, message="Files", edits=edits, **options
        )

    return commit


@pytest.mark.any_database
def test_a_path_is_found_on_the_default_branch_or_as_the_last_look_at_all_commits_has_it(context, shelf, write):
    id, other = shelf.repository.id, WEIGHTS + b"1"
    wanted = {(id, oid_of(WEIGHTS)), (id, oid_of(other)), (id, "0" * 64), (4711, oid_of(WEIGHTS))}
    assert find_paths(context, wanted) == {}
    write("data/b.bin", WEIGHTS)
    write("data/a.bin", WEIGHTS)
    create_branch(context, actor=shelf.actor, repository_id=id, name="side")
    write("c.bin", other, branch="side")
    assert find_paths(context, wanted) == {(id, oid_of(WEIGHTS)): "data/a.bin"}
    with unit_of_work(context) as work:
        used = {"repository_id": id, "refs": 1, "used_at": work.now()}
        work.session.add(LFSUse(**used, oid=oid_of(other), path="c.bin"))
    assert find_paths(context, wanted) == {(id, oid_of(WEIGHTS)): "data/a.bin", (id, oid_of(other)): "c.bin"}
