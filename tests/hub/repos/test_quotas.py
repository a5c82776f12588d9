"""How much a namespace may store."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import update

from hub.accounts.models import Namespace
from hub.base.errors import QuotaExceeded, Unavailable
from hub.db.uow import reading, unit_of_work
from hub.repos import quotas
from hub.repos.models import Repository


@pytest.fixture
def repository(make_user, make_repository, context):
    """A repository that takes 100 bytes in Git and 50 in LFS, beside one of 30 bytes that was deleted."""
    ada = make_user("ada")
    made = make_repository(ada, "thing")
    deleted = make_repository(ada, "deleted")
    with unit_of_work(context) as work:
        for row, sizes in (
            (made, {"git_size_bytes": 100, "lfs_size_bytes": 50}),
            (deleted, {"git_size_bytes": 30, "deleted_at": work.now()}),
        ):
            work.session.execute(update(Repository).where(Repository.id == row.id).values(**sizes))
    return made


def set_quota(context, repository, limit):
    with unit_of_work(context) as work:
        work.session.execute(update(Namespace).where(Namespace.id == repository.namespace_id).values(quota_bytes=limit))


def has_room(context, repository, extra_bytes):
    with reading(context) as work:
        try:
            quotas.check_room(work, repository, extra_bytes)
            quotas.check_object_room(work, repository.namespace, extra_bytes)
        except QuotaExceeded:
            return False
        return True


def test_without_a_quota_there_is_room(context, repository):
    assert has_room(context, repository, 10**9)


@pytest.mark.settings(quota_bytes=2**40)
def test_all_that_a_namespace_stores_counts_against_its_own_quota_or_the_hubs(context, repository, make_user):
    set_quota(context, repository, 200)
    with reading(context) as work:
        assert quotas.used_bytes(work, repository.namespace_id) == 180
    assert has_room(context, repository, 20)
    assert not has_room(context, repository, 21)
    context.settings = dataclasses.replace(context.settings, quota_bytes=190)
    assert has_room(context, repository, 20)
    set_quota(context, repository, None)
    assert has_room(context, repository, 10)
    assert not has_room(context, repository, 11)
    set_quota(context, repository, 0)
    assert has_room(context, repository, 10**9)


def test_one_who_is_over_the_quota_may_still_do_what_takes_no_room(context, repository):
    set_quota(context, repository, 1)
    assert has_room(context, repository, 0)
    assert not has_room(context, repository, 1)


def test_the_refusal_says_how_much_there_is(context, repository):
    set_quota(context, repository, 3 * 2**29)
    with reading(context) as work, pytest.raises(QuotaExceeded) as caught:
        quotas.check_quota(work, repository, 5 * 2**40)
    assert "quota of 1.5 GiB" in str(caught.value)
    assert "another 5.0 TiB" in str(caught.value)
    assert "180 bytes are in use" in str(caught.value)
    assert caught.value.details == {"quota_bytes": 3 * 2**29, "used_bytes": 180}


def test_a_full_disk_has_no_room_for_anybody(context, repository):
    context.settings = dataclasses.replace(context.settings, min_free_disk_bytes=2**60)
    for check in (quotas.check_room, quotas.check_object_room):
        with reading(context) as work, pytest.raises(Unavailable) as caught:
            check(work, repository, 0)
        assert caught.value.code == "disk_full"
