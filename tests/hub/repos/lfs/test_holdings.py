"""Which repository holds what, and what each repository is said to hold in bytes."""

from __future__ import annotations

import pytest

from hub.base.errors import NotFound, Unprocessable
from hub.db.uow import reading, unit_of_work
from hub.git.types import LFSPointer
from hub.repos.lfs import service
from hub.repos.lfs.holdings import register_object, unlink_object
from hub.repos.models import Repository
from tests.support.lfs import oid_of


def test_only_what_is_held_with_the_right_size_is_not_missing(context, shelf, make_shelf):
    held, elsewhere = shelf.put(b"held"), make_shelf("bob").put(b"elsewhere")
    pointers = [
        LFSPointer(held, 4),
        LFSPointer(held, 5),
        LFSPointer(elsewhere, 9),
        LFSPointer("0" * 64, 1),
    ]
    with reading(context) as work:
        assert service.missing_objects(work, shelf.repository.id, pointers) == pointers[1:]
        assert service.missing_objects(work, shelf.repository.id, iter(pointers[:1])) == []
        assert service.missing_objects(work, shelf.repository.id, []) == []


def test_many_pointers_are_looked_up_at_once(context, shelf):
    held = shelf.put(b"held")
    pointers = [LFSPointer(f"{number:064x}", 1) for number in range(2500)]
    with reading(context) as work:
        missing = service.missing_objects(work, shelf.repository.id, [*pointers, LFSPointer(held, 4)])
    assert missing == pointers


def test_an_object_counts_once_however_often_it_is_put(shelf):
    shelf.put(b"12345")
    shelf.put(b"12345")
    shelf.put(b"123")
    assert shelf.size_bytes() == 8


def test_a_fork_holds_what_its_source_holds(context, shelf, make_shelf):
    oids = {shelf.put(b"one"), shelf.put(b"three")}
    fork = make_shelf("bob")
    with unit_of_work(context) as work:
        service.copy_links(work, shelf.repository.id, fork.repository.id)
    assert fork.held() == oids
    assert fork.size_bytes() == shelf.size_bytes() == 8
    assert fork.get(oid_of(b"one")) == b"one"


def test_linking_takes_what_is_stored_and_nothing_else(context, shelf, make_shelf):
    oid = make_shelf("bob").put(b"content")
    with unit_of_work(context) as work:
        repository = work.session.get_one(Repository, shelf.repository.id)
        assert service.link_objects(work, repository, {oid: None}) == 1
        assert service.link_objects(work, repository, {oid: None}) == 0
        with pytest.raises(Unprocessable) as caught:
            service.link_objects(work, repository, {oid: None, "0" * 64: None})
        assert caught.value.code == "lfs_object_missing"
    assert shelf.get(oid) == b"content"
    assert shelf.size_bytes() == 7


def test_unlinking_gives_the_bytes_back_once(context, shelf):
    oid = shelf.put(b"content")
    for _ in range(2):
        with unit_of_work(context) as work:
            unlink_object(work, shelf.repository.id, oid, 7)
    assert shelf.size_bytes() == 0
    with pytest.raises(NotFound):
        shelf.get(oid)


def test_an_object_has_one_size(context, shelf):
    oid = shelf.put(b"content")
    with unit_of_work(context) as work, pytest.raises(Unprocessable):
        register_object(work, work.session.get_one(Repository, shelf.repository.id), oid, 8)
