"""Contents that a source keeps: held, read, uploaded once more, handed over, and let go."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select, update

from hub.accounts.policy import Actor
from hub.base.errors import (
    Denied,
    Invalid,
    NotFound,
    NotSignedIn,
    QuotaExceeded,
    TooLarge,
    Unavailable,
    Unprocessable,
)
from hub.db.uow import reading, unit_of_work
from hub.objects.store import STORE, create_store
from hub.plugin.lfs import hold_contents, holds_contents, known_contents, plain_contents, readable_contents
from hub.repos.lfs import service
from hub.repos.lfs.contents import prepare_uploads
from hub.repos.lfs.garbage import GRACE, preview_garbage
from hub.repos.lfs.holdings import unlink_object
from hub.repos.lfs.pieces import ids_of_pieces, issue_ticket
from hub.repos.models import LFSObject, Repository
from hub.repos.quotas import used_bytes
from tests.hub.repos.lfs.test_batch import ask
from tests.support.lfs import oid_of
from tests.support.shelf import files_below, stored, uploads
from tests.support.sources import NAME, PieceSource, piece_id

CONTENT = random.Random(7).randbytes(1000)
OID = oid_of(CONTENT)


@pytest.fixture
def source(context):
    return PieceSource.start(context)


def hold(shelf, contents, **changes):
    with unit_of_work(shelf.context) as work:
        hold_contents(work, **{**shelf.who, "contents": contents, "source": NAME, **changes})


def source_of(context, oid):
    with reading(context) as work:
        return work.session.scalar(select(LFSObject.source).where(LFSObject.oid == oid))


def drop(shelf, oid, size_bytes):
    with unit_of_work(shelf.context) as work:
        unlink_object(work, shelf.repository.id, oid, size_bytes)


def is_empty(context):
    root = context[STORE].root
    return not root.exists() or not files_below(root)


def test_a_repository_holds_what_a_source_has(context, shelf, source, make_shelf):
    plain = shelf.put(b"plain")
    for _ in range(2):
        hold(shelf, {OID: 1000, plain: 5, "b" * 64: 7})
    assert shelf.held() == {OID, plain, "b" * 64}
    assert shelf.size_bytes() == 1012
    assert (source_of(context, OID), source_of(context, plain)) == (NAME, "")
    other = make_shelf("bob")
    hold(other, {plain: 5, OID: 1000})
    assert (other.size_bytes(), other.get(plain)) == (1005, b"plain")
    with reading(context) as work:
        asked = [OID, "b" * 64, "c" * 64]
        assert holds_contents(work, other.repository.id, asked) == {OID}
        assert known_contents(work, asked) == {OID, "b" * 64}
        assert readable_contents(work, other.actor, asked) == {OID}
        assert readable_contents(work, shelf.actor, asked) == {OID, "b" * 64}
        assert readable_contents(work, Actor(), asked) == set()
    assert [(found.oid, found.size_bytes) for found in plain_contents(context)] == [(plain, 5)]
    assert list(plain_contents(context, after=plain)) == []


def test_gated_contents_are_readable_to_nobody_by_the_hash(context, make_shelf, source):
    shelf = make_shelf(private=False)
    hold(shelf, {OID: 1000})
    with reading(context) as work:
        assert readable_contents(work, Actor(), [OID]) == {OID}
    with unit_of_work(context) as work:
        work.session.execute(update(Repository).values(gate="auto"))
    with reading(context) as work:
        assert readable_contents(work, Actor(), [OID]) == set()


def test_holding_takes_as_many_statements_for_many_as_for_one(context, shelf, count_queries):
    counts = []
    for first, count in ((0, 1), (1, 60)):
        with count_queries() as queries:
            hold(shelf, {f"{number:064x}": 1 for number in range(first, first + count)})
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert len(shelf.held()) == 61


@pytest.mark.any_database
def test_what_may_not_be_held_leaves_nothing(context, make_shelf, actor_of, make_user):
    shelf, bob = make_shelf(private=False), actor_of(make_user("bob"))
    shelf.put(b"plain")
    refusals = [
        ({}, {"a" * 64: -1}, Invalid),
        ({}, {"A" * 64: 1}, Invalid),
        ({}, {"a" * 64: context.settings.max_lfs_object_size_bytes + 1}, TooLarge),
        ({}, {"a" * 64: 1, oid_of(b"plain"): 6}, Unprocessable),
        ({"actor": bob}, {OID: 1000}, Denied),
        ({"actor": Actor()}, {OID: 1000}, NotSignedIn),
        ({"actor": Actor(), "for_proposal": True}, {OID: 1000}, NotSignedIn),
        ({"repository_id": shelf.repository.id + 99}, {OID: 1000}, NotFound),
    ]
    for changes, contents, error in refusals:
        with pytest.raises(error):
            hold(shelf, contents, **changes)
    assert stored(context) == {oid_of(b"plain")}
    hold(shelf, {OID: 1000}, actor=bob, for_proposal=True)
    with reading(context) as work:
        used = used_bytes(work, shelf.repository.namespace_id)
    context.settings = dataclasses.replace(context.settings, quota_bytes=used + 5)
    with pytest.raises(QuotaExceeded):
        hold(shelf, {"a" * 64: 6})
    hold(shelf, {"a" * 64: 5})
    # What is only proposed is the owner's neither to have nor to pay for.
    assert (shelf.size_bytes(), shelf.held()) == (5 + 5, {oid_of(b"plain"), "a" * 64})


@pytest.mark.any_database
def test_any_range_is_read_from_the_source(context, shelf, source):
    source.give(context, shelf.who, CONTENT)
    found = service.get_content(context, **shelf.who, oid=OID)
    for start, end in ((0, 1000), (0, 1), (299, 301), (300, 600), (950, 1000), (999, 1000)):
        assert b"".join(found.open_range(start, end - start)) == CONTENT[start:end]
    assert (found.local_path, found.direct_url(expires_s=60)) == (None, None)
    lost = dataclasses.replace(found, source="elsewhere")
    with pytest.raises(Unavailable) as caught:
        lost.open_range(0, 1)
    assert caught.value.code == "content_source_missing"


def test_an_upload_of_what_a_source_has_is_hashed_and_dropped(context, shelf, source, make_shelf):
    source.give(context, shelf.who, CONTENT)
    other = make_shelf("bob")
    with pytest.raises(Invalid) as caught:
        service.verify_object(context, **other.who, oid=OID, size_bytes=1000)
    assert caught.value.code == "lfs_object_missing"
    with pytest.raises(Unprocessable):
        service.receive_object(context, **other.who, oid=OID, size_bytes=1000, chunks=[bytes(1000)])
    assert other.held() == set()
    other.put(CONTENT)
    assert other.get(OID) == CONTENT
    assert is_empty(context)
    service.verify_object(context, **other.who, oid=OID, size_bytes=1000)
    drop(other, OID, 1000)
    upload = prepare_uploads(context, actor=other.actor, repository_id=other.repository.id, sizes={OID: 1000})[OID]
    target = {**other.who, "oid": OID, "upload_id": upload.upload_id}
    etag = service.receive_part(context, **target, number=1, size_bytes=1000, chunks=[CONTENT])
    service.complete_upload(context, **target, size_bytes=1000, parts=[(1, etag)])
    assert (other.held(), uploads(context)) == ({OID}, [])
    assert is_empty(context)
    assert source_of(context, OID) == NAME


def test_what_a_source_lost_comes_back_by_an_upload(context, shelf, source):
    source.give(context, shelf.who, CONTENT)
    source.lose(OID)
    with pytest.raises(Invalid) as caught:
        service.verify_object(context, **shelf.who, oid=OID, size_bytes=1000)
    assert caught.value.code == "lfs_object_missing"
    shelf.put(CONTENT)
    assert source_of(context, OID) == ""
    assert shelf.get(OID) == CONTENT
    service.verify_object(context, **shelf.who, oid=OID, size_bytes=1000)


def test_contents_that_nobody_holds_are_forgotten(context, shelf, source, make_shelf):
    later = datetime.now(UTC) + 2 * GRACE
    tail = CONTENT[:600] + b"another end"
    kept, gone = source.give(context, shelf.who, CONTENT, tail)
    other = make_shelf("bob")
    other.put(CONTENT)
    # What lies whole in the store as well: the source's pieces of it go, too.
    both = shelf.put(b"plain" * 100)
    source.keep(b"plain" * 100)
    for oid, size_bytes in ((kept, 1000), (gone, len(tail)), (both, 500)):
        drop(shelf, oid, size_bytes)
    assert source.piece_count == 7
    assert preview_garbage(context, now=later).objects == 2
    report = service.collect_garbage(context, now=later)
    assert (report.objects, report.size_bytes) == (2, len(tail) + 500)
    assert (stored(context), is_empty(context)) == ({kept}, True)
    assert [source.holds(context, oid) for oid in (kept, gone, both)] == [True, False, False]
    assert source.piece_count == 4
    assert other.get(kept) == CONTENT
    # Somebody was faster than the order to forget.
    source.forget(context, [kept])
    assert other.get(kept) == CONTENT


def test_what_a_source_keeps_that_does_not_run_stays(context, shelf):
    hold(shelf, {OID: 1000})
    drop(shelf, OID, 1000)
    later = datetime.now(UTC) + 2 * GRACE
    assert preview_garbage(context, now=later).objects == 0
    assert service.collect_garbage(context, now=later).objects == 0
    assert stored(context) == {OID}


def test_bytes_that_went_before_the_link_leave_no_row_to_trust(context, shelf, source):
    source.give(context, shelf.who, CONTENT)

    def chunks():
        yield CONTENT
        # The collector, between the hash and the link.
        drop(shelf, OID, 1000)
        with unit_of_work(context) as work:
            work.session.execute(delete(LFSObject))
        source.forget(context, [OID])

    with pytest.raises(Unavailable) as caught:
        service.receive_object(context, **shelf.who, oid=OID, size_bytes=1000, chunks=chunks())
    assert caught.value.code == "lfs_object_lost"
    assert (shelf.held(), stored(context), shelf.size_bytes()) == (set(), set(), 0)


@pytest.mark.any_database
def test_downloads_of_a_sources_contents_go_through_the_hub(context, shelf, source, s3_storage_url):
    context.settings = dataclasses.replace(context.settings, storage_url=s3_storage_url)
    context._values[STORE.name] = create_store(context.settings)
    source.give(context, shelf.who, CONTENT)
    plain = shelf.put(b"plain")
    result = ask(shelf, "download", (OID, 1000), (plain, 5))
    kept, direct = [answer.actions["download"].href for answer in result.objects]
    assert kept == f"download/{OID}/1000"
    assert direct.startswith("http")
    assert service.get_content(context, **shelf.who, oid=OID).direct_url(expires_s=60) is None


@pytest.mark.any_database
def test_who_can_move_pieces_uploads_them(context, shelf, source):
    held = shelf.put(b"held")
    asked = [(held, 4), (OID, 6 * 1024**3), (held, 5), ("x", 1)]
    result = ask(shelf, "upload", *asked, transfers=["basic", "multipart", "xet"])
    assert result.transfer == "xet"
    there, wanted, other_size, invalid = result.objects
    assert (there.actions, there.error) == ({}, None)
    assert {name: action.href for name, action in wanted.actions.items()} == {"upload": "pieces/False"}
    assert other_size.error[0] == invalid.error[0] == 422
    assert uploads(context) == []
    assert ask(shelf, "download", (held, 4), transfers=["xet"]).transfer == "basic"
    assert ask(shelf, "upload", (OID, 1000), transfers=["basic"]).transfer == "basic"


@pytest.mark.any_database
def test_without_a_source_pieces_are_no_way(context, shelf):
    assert ask(shelf, "upload", (OID, 1000), transfers=["multipart", "xet"]).transfer == "multipart"
    assert ids_of_pieces(context, repository_id=shelf.repository.id, oids=[OID]) == {}
    with pytest.raises(NotFound) as caught:
        issue_ticket(context, **shelf.who, revision="main", is_write=False, base_url="http://hub")
    assert caught.value.code == "xet_unsupported"


def test_ids_are_told_of_what_the_repository_holds_only(context, shelf, source, make_shelf, count_queries):
    source.give(context, make_shelf("bob").who, b"theirs")
    source.give(context, shelf.who, CONTENT)
    plain = shelf.put(b"plain")
    with count_queries() as queries:
        found = ids_of_pieces(context, repository_id=shelf.repository.id, oids=[OID, plain, oid_of(b"theirs")])
    assert found == {OID: piece_id(OID)}
    assert len(queries) == 1
