"""What is removed, and what never is."""

from __future__ import annotations

import os
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from hub.base.errors import Unavailable
from hub.db.uow import unit_of_work
from hub.objects.store import STORE
from hub.repos.lfs import garbage, service
from hub.repos.lfs.contents import prepare_uploads
from hub.repos.lfs.garbage import GRACE
from hub.repos.lfs.holdings import object_key, unlink_object
from hub.repos.models import LFSObject, Repository
from tests.support.lfs import oid_of
from tests.support.shelf import files_below, stored, uploads


@pytest.fixture
def now():
    """The moment: files have the system's time, whatever clock a test sets."""
    return datetime.now(UTC)


@pytest.fixture
def later(now):
    """When the grace of all that a test makes is over."""
    return now + 2 * GRACE


def drop(shelf, oid, size_bytes):
    with unit_of_work(shelf.context) as work:
        unlink_object(work, shelf.repository.id, oid, size_bytes)


def forget_row(context, oid):
    with unit_of_work(context) as work:
        work.session.execute(delete(LFSObject).where(LFSObject.oid == oid))


def test_an_object_that_nobody_holds_goes_after_its_grace(context, shelf, now, later):
    kept, dropped = shelf.put(b"kept"), shelf.put(b"dropped")
    drop(shelf, dropped, 7)
    assert service.collect_garbage(context, now=now).objects == 0
    report = service.collect_garbage(context, now=later)
    assert (report.objects, report.size_bytes) == (1, 7)
    assert stored(context) == {kept}
    assert files_below(context[STORE].root) == {object_key(kept)}
    assert service.collect_garbage(context, now=later) == service.GarbageReport()


def test_an_object_that_another_repository_holds_stays(context, shelf, make_shelf, later):
    other = make_shelf("bob")
    oid = shelf.put(b"shared")
    other.put(b"shared")
    drop(shelf, oid, 6)
    assert service.collect_garbage(context, now=later).objects == 0
    assert other.get(oid) == b"shared"


def test_the_objects_of_a_repository_that_is_gone_go(context, shelf, later):
    shelf.put(b"content")
    with unit_of_work(context) as work:
        work.session.delete(work.session.get_one(Repository, shelf.repository.id))
    assert service.collect_garbage(context, now=later).objects == 1
    assert files_below(context[STORE].root) == set()


def test_more_objects_go_than_are_looked_at_at_once(context, shelf, later):
    for number in range(3):
        drop(shelf, shelf.put(str(number).encode()), 1)
    rows = [{"oid": f"{number:064x}", "size_bytes": 1, "created_at": context.clock.now()} for number in range(600)]
    with unit_of_work(context) as work:
        work.session.execute(LFSObject.__table__.insert(), rows)
    assert service.collect_garbage(context, now=later).objects == 603
    assert stored(context) == set()


def test_bytes_without_a_row_go_after_their_grace(context, shelf, now, later):
    """kill -9 came after the bytes had their name and before the row was committed."""
    content = random.Random(1).randbytes(1000)
    oid = oid_of(content)
    context[STORE].put(object_key(oid), [content], size_bytes=1000, sha256=oid)
    context[STORE].put("lfs/notes/of-someone-else", [b"not ours"])
    assert service.collect_garbage(context, now=now).objects == 0
    assert service.collect_garbage(context, now=later).objects == 1
    assert files_below(context[STORE].root) == {"lfs/notes/of-someone-else"}


def test_bytes_without_a_row_are_taken_up_by_who_has_them(context, shelf, later):
    oid = shelf.put(b"content")
    drop(shelf, oid, 7)
    forget_row(context, oid)
    shelf.put(b"content")
    assert service.collect_garbage(context, now=later).objects == 0
    assert shelf.get(oid) == b"content"


def test_leftovers_of_uploads_go_after_their_grace(context, shelf, now, later):
    store = context[STORE]
    store.put("staging/left", [b"left over"])
    old = (now - GRACE - timedelta(minutes=1)).timestamp()
    os.utime(store.local_path("staging/left"), (old, old))
    store.put("staging/fresh", [b"on its way"])
    assert service.collect_garbage(context, now=now).staged == 1
    assert files_below(store.root) == {"staging/fresh"}
    assert service.collect_garbage(context, now=now + timedelta(seconds=1), grace=timedelta(0)).staged == 1
    assert files_below(store.root) == set()


def test_an_upload_in_parts_lives_as_long_as_its_addresses(context, shelf, now):
    prepare_uploads(context, **shelf.who, sizes={oid_of(b"content"): 7})
    lifetime = timedelta(seconds=context.settings.lfs_url_ttl_s)
    assert lifetime > GRACE
    report = service.collect_garbage(context, now=now + lifetime - timedelta(hours=1))
    assert (report.uploads, report.staged) == (0, 0)
    [upload] = uploads(context)
    assert context[STORE].list_parts(upload.object_key, upload.upload_id) == []
    assert service.collect_garbage(context, now=now + lifetime + timedelta(hours=1)).uploads == 1
    assert uploads(context) == []
    assert files_below(context[STORE].root) == set()


def test_what_is_linked_while_garbage_is_collected_is_never_lost(context, shelf, make_shelf, now):
    """Two repositories take up and drop the same three objects while everything without a link is garbage at once."""
    contents = [random.Random(number).randbytes(1000) for number in range(3)]
    cut_off = now + timedelta(days=365)
    finished = threading.Event()
    failures = []

    def guarded(work):
        def run():
            try:
                work()
            except BaseException as error:
                failures.append(error)
                raise

        return run

    def collect():
        while not finished.is_set():
            garbage._adopt_strays(context, cut_off)
            garbage._remove_unlinked_objects(context, cut_off)

    def use(shelf, seed):
        choose = random.Random(seed)
        for _ in range(40):
            content = choose.choice(contents)
            try:
                oid = shelf.put(content)
            except Unavailable as error:
                assert error.code == "lfs_object_lost"
                assert oid_of(content) not in shelf.held()
                continue
            assert shelf.get(oid) == content
            drop(shelf, oid, len(content))

    users = [
        threading.Thread(target=guarded(lambda one=one: use(*one))) for one in ((shelf, 1), (make_shelf("bob"), 2))
    ]
    collector = threading.Thread(target=guarded(collect))
    for thread in (collector, *users):
        thread.start()
    for thread in users:
        thread.join()
    finished.set()
    collector.join()
    assert failures == []
    assert shelf.held() == set()
    assert shelf.size_bytes() == 0
    assert service.collect_garbage(context, now=cut_off).size_bytes >= 0
    assert files_below(context[STORE].root) == stored(context) == set()
