"""Locks, below HTTP."""

from __future__ import annotations

import pytest

from hub.accounts.models import Grant, Role
from hub.accounts.policy import ANONYMOUS, Actor
from hub.base.errors import Denied, HubError, Invalid, NotFound, NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.repos.lfs import locks
from hub.repos.lfs.locks import LockExists


@pytest.fixture
def colleague(context, shelf, make_user):
    """``colleague("bob", Role.WRITE)``: a user with that role on the repository."""

    def make(name, role):
        user = make_user(name)
        with unit_of_work(context) as work:
            work.session.add(
                Grant(
                    resource_type="repository",
                    resource_id=shelf.repository.id,
                    user_id=user.id,
                    role=role,
                    created_at=work.now(),
                )
            )
        return Actor.of_user(user, via="session")

    return make


def lock(shelf, path, actor=None):
    with unit_of_work(shelf.context) as work:
        return locks.create_lock(work, actor=actor or shelf.actor, repository_id=shelf.repository.id, path=path)


def unlock(shelf, lock_id, actor=None, **options):
    with unit_of_work(shelf.context) as work:
        return locks.remove_lock(
            work, actor=actor or shelf.actor, repository_id=shelf.repository.id, lock_id=lock_id, **options
        )


def listed(shelf, **options):
    with reading(shelf.context) as work:
        return locks.list_locks(work, **{**shelf.who, **options})


def paths(page):
    return [found.path for found in page.locks]


def test_a_lock_is_made_shown_and_taken_back(shelf):
    made = lock(shelf, "/data/a.bin")
    assert (made.path, made.owner_name) == ("data/a.bin", "ada")
    assert paths(listed(shelf)) == ["data/a.bin"]
    assert unlock(shelf, str(made.id)).path == "data/a.bin"
    assert paths(listed(shelf)) == []
    with pytest.raises(NotFound):
        unlock(shelf, str(made.id))


def test_a_file_has_one_lock(shelf, colleague):
    made = lock(shelf, "a.bin")
    for actor in (shelf.actor, colleague("bob", Role.WRITE)):
        with pytest.raises(LockExists) as caught:
            lock(shelf, "a.bin", actor)
        assert caught.value.lock.id == made.id
        assert "ada" in str(caught.value)


@pytest.mark.parametrize("path", ["", "../x", "a\0b", "/", "a/../b", "\ud800", "x" * 2000])
def test_a_path_that_is_none_is_refused(shelf, path):
    with pytest.raises(Invalid):
        lock(shelf, path)


def test_pages_go_on_where_the_last_one_ended(shelf):
    for number in range(5):
        lock(shelf, f"{number}.bin")
    seen, cursor = [], None
    while True:
        page = listed(shelf, limit=2, cursor=cursor)
        seen.append(paths(page))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [["0.bin", "1.bin"], ["2.bin", "3.bin"], ["4.bin"]]
    for cursor in ("x", "-1", "1" * 30):
        with pytest.raises(Invalid):
            listed(shelf, cursor=cursor)
    assert len(listed(shelf, limit=0).locks) == 1
    assert len(listed(shelf, limit=10**9).locks) == 5


def test_locks_are_found_by_path_and_by_id(shelf):
    made = [lock(shelf, f"{number}.bin") for number in range(3)]
    assert paths(listed(shelf, path="1.bin")) == ["1.bin"]
    assert paths(listed(shelf, path="nothing.bin")) == []
    assert paths(listed(shelf, lock_id=str(made[2].id))) == ["2.bin"]
    for lock_id in ("x", "999999", "-1", "1" * 30):
        assert paths(listed(shelf, lock_id=lock_id)) == []


def test_only_its_owner_and_administrators_remove_a_lock(shelf, colleague):
    writer, admin = colleague("bob", Role.WRITE), colleague("eve", Role.ADMIN)
    made = lock(shelf, "a.bin")
    for actor, force in ((writer, False), (writer, True), (admin, False)):
        with pytest.raises(Denied):
            unlock(shelf, str(made.id), actor, force=force)
    assert unlock(shelf, str(made.id), admin, force=True).id == made.id


def test_a_lock_of_another_repository_is_not_there(shelf, make_shelf):
    other = make_shelf("bob")
    made = lock(other, "a.bin")
    with pytest.raises(NotFound):
        unlock(shelf, str(made.id), force=True)
    assert paths(listed(shelf)) == []


def test_readers_see_locks_and_make_none(make_shelf, make_user, actor_of):
    public, private = make_shelf("ada", private=False), make_shelf("bob")
    reader = actor_of(make_user("eve"))
    made = lock(public, "a.bin")
    assert paths(listed(public, actor=reader)) == paths(listed(public, actor=ANONYMOUS)) == ["a.bin"]
    with pytest.raises(Denied):
        lock(public, "b.bin", reader)
    with pytest.raises(Denied):
        unlock(public, str(made.id), reader)
    with pytest.raises(NotSignedIn):
        lock(public, "b.bin", ANONYMOUS)
    with reading(public.context) as work, pytest.raises(Denied):
        locks.list_locks_for_push(work, actor=reader, repository_id=public.repository.id)
    for attempt in (lambda: lock(private, "a.bin", reader), lambda: listed(private, actor=reader)):
        with pytest.raises(HubError) as caught:
            attempt()
        assert isinstance(caught.value, NotFound)
