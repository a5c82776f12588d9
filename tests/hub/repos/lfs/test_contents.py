"""Objects on their way in and out, below HTTP."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import urllib3
from sqlalchemy import update

from hub.accounts.policy import ANONYMOUS, Actor
from hub.base.errors import (
    Denied,
    HubError,
    Invalid,
    NotFound,
    QuotaExceeded,
    TooLarge,
    Unavailable,
    Unprocessable,
)
from hub.base.settings import MIB
from hub.db.uow import unit_of_work
from hub.objects.store import STORE, create_store
from hub.repos.lfs import service
from hub.repos.lfs.contents import direct_key, prepare_uploads
from hub.repos.lfs.garbage import GRACE
from hub.repos.lfs.holdings import object_key, unlink_object
from hub.repos.models import Repository
from tests.support.lfs import oid_of
from tests.support.shelf import files_below, stored, uploads

CONTENT = random.Random(5).randbytes(2 * MIB + 5)
OID = oid_of(CONTENT)
SIZE = len(CONTENT)


def receive(shelf, content=CONTENT, *, oid=OID, size_bytes=SIZE, **changes):
    arguments = {**shelf.who, "oid": oid, "size_bytes": size_bytes, "chunks": iter([content]), **changes}
    service.receive_object(shelf.context, **arguments)


def change(context, shelf, **values):
    with unit_of_work(context) as work:
        work.session.execute(update(Repository).where(Repository.id == shelf.repository.id).values(**values))


def is_empty(context):
    root = context[STORE].root
    return not files_below(root) if root.exists() else True


def test_an_object_comes_in_and_goes_out(context, shelf):
    receive(shelf)
    assert shelf.get(OID) == CONTENT
    found = service.get_content(context, **shelf.who, oid=OID)
    assert b"".join(found.open_range(5, 7)) == CONTENT[5:12]
    assert found.local_path is not None
    assert found.local_path.read_bytes() == CONTENT
    assert found.direct_url(expires_s=60) is None
    assert files_below(context[STORE].root) == {object_key(OID)}


def test_an_empty_object_is_an_object(shelf):
    assert shelf.get(shelf.put(b"")) == b""


@pytest.mark.parametrize(
    "content, size_bytes, code",
    [
        (CONTENT[:-1], SIZE, "size_mismatch"),
        (CONTENT + b"x", SIZE, "size_mismatch"),
        (b"", SIZE, "size_mismatch"),
        (bytes(SIZE), SIZE, "hash_mismatch"),
        (CONTENT[:-1], SIZE - 1, "hash_mismatch"),
    ],
)
def test_content_that_is_not_what_its_id_says_is_refused_and_gone(context, shelf, content, size_bytes, code):
    with pytest.raises(Unprocessable) as caught:
        receive(shelf, content, size_bytes=size_bytes)
    assert caught.value.code == code
    assert is_empty(context)
    assert stored(context) == set()


def test_a_client_that_breaks_off_leaves_nothing(context, shelf):
    def broken() -> Iterator[bytes]:
        yield CONTENT[:MIB]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        receive(shelf, chunks=broken())
    assert is_empty(context)


def test_two_repositories_share_the_bytes_and_each_must_show_them(context, shelf, make_shelf):
    receive(shelf)
    other = make_shelf("bob")
    with pytest.raises(NotFound) as caught:
        other.get(OID)
    assert caught.value.code == "lfs_object_not_found"
    with pytest.raises(Unprocessable):
        receive(other, bytes(SIZE))
    assert other.held() == set()
    receive(other)
    assert other.get(OID) == CONTENT
    assert files_below(context[STORE].root) == {object_key(OID)}


def test_an_object_whose_bytes_were_lost_is_stored_again(context, shelf):
    receive(shelf)
    context[STORE].delete(object_key(OID))
    with pytest.raises(Invalid):
        service.verify_object(context, **shelf.who, oid=OID, size_bytes=SIZE)
    receive(shelf)
    assert shelf.get(OID) == CONTENT


def test_bytes_that_are_collected_before_the_link_is_there_are_asked_for_again(context, shelf):
    """The hub has the object, so its bytes are only hashed; nobody holds it, so the collector takes it meanwhile."""
    receive(shelf)
    with unit_of_work(context) as work:
        unlink_object(work, shelf.repository.id, OID, SIZE)

    def chunks() -> Iterator[bytes]:
        yield CONTENT[:MIB]
        assert service.collect_garbage(context, now=datetime.now(UTC) + 2 * GRACE).objects == 1
        yield CONTENT[MIB:]

    with pytest.raises(Unavailable) as caught:
        receive(shelf, chunks=chunks())
    assert caught.value.code == "lfs_object_lost"
    assert shelf.held() == set()
    assert shelf.size_bytes() == 0
    receive(shelf)
    assert shelf.get(OID) == CONTENT


@pytest.mark.parametrize("oid", ["", "x", OID.upper(), OID[:-1], OID + "0", "../" + OID[3:]])
def test_an_id_is_a_sha256_in_lower_case(context, shelf, oid):
    for attempt in (
        lambda: receive(shelf, oid=oid),
        lambda: service.get_content(context, **shelf.who, oid=oid),
        lambda: service.verify_object(context, **shelf.who, oid=oid, size_bytes=1),
    ):
        with pytest.raises(Invalid):
            attempt()


def test_who_may_not_write_sends_nothing(context, make_shelf, actor_of, make_user):
    private, public = make_shelf("ada"), make_shelf("bob", private=False)
    stranger = actor_of(make_user("eve"))
    for shelf, error in ((private, NotFound), (public, Denied)):
        with pytest.raises(error):
            receive(shelf, actor=stranger)
        with pytest.raises(error):
            service.verify_object(context, actor=stranger, repository_id=shelf.repository.id, oid=OID, size_bytes=SIZE)
    receive(public)
    found = service.get_content(context, actor=ANONYMOUS, repository_id=public.repository.id, oid=OID)
    assert found.size_bytes == SIZE
    with pytest.raises(NotFound):
        service.get_content(context, actor=stranger, repository_id=private.repository.id, oid=OID)
    assert is_empty(context) is False


def test_a_repository_that_is_archived_while_the_bytes_come_gets_no_link(context, shelf):
    def chunks() -> Iterator[bytes]:
        yield CONTENT[:MIB]
        change(context, shelf, archived_at=context.clock.now())
        yield CONTENT[MIB:]

    with pytest.raises(Denied) as caught:
        receive(shelf, chunks=chunks())
    assert caught.value.code == "archived"
    assert shelf.held() == set()


@pytest.mark.settings(max_lfs_object_size_bytes=1000)
def test_there_is_a_largest_object(shelf):
    with pytest.raises(TooLarge):
        receive(shelf)


@pytest.mark.settings(quota_bytes=3 * MIB)
def test_a_quota_counts_every_repository_of_the_namespace(context, shelf, make_repository):
    receive(shelf)
    receive(shelf)  # what is there already needs no room
    with pytest.raises(QuotaExceeded):
        shelf.put(random.Random(6).randbytes(2 * MIB))
    assert files_below(context[STORE].root) == {object_key(OID)}


@pytest.mark.settings(quota_bytes=3 * MIB)
def test_a_quota_that_fills_up_while_the_bytes_come_is_noticed(context, shelf):
    def chunks() -> Iterator[bytes]:
        change(context, shelf, git_size_bytes=2 * MIB)
        yield CONTENT

    with pytest.raises(QuotaExceeded):
        receive(shelf, chunks=chunks())
    assert shelf.held() == set()


def test_a_full_disk_takes_nothing(context, shelf):
    context.settings = dataclasses.replace(context.settings, min_free_disk_bytes=2**60)
    with pytest.raises(Unavailable) as caught:
        receive(shelf)
    assert caught.value.code == "disk_full"
    assert is_empty(context)


def test_verification_says_what_is_there(context, shelf):
    receive(shelf)
    service.verify_object(context, **shelf.who, oid=OID, size_bytes=SIZE)
    for oid, size_bytes, code in ((OID, 1, "size_mismatch"), ("0" * 64, 1, "lfs_object_missing")):
        with pytest.raises(Invalid) as caught:
            service.verify_object(context, **shelf.who, oid=oid, size_bytes=size_bytes)
        assert caught.value.code == code


# Straight to S3.


@pytest.fixture
def on_s3(context, s3_storage_url):
    """The test's context with S3 in the place of files."""
    settings = dataclasses.replace(context.settings, storage_url=s3_storage_url, lfs_part_size_bytes=5 * MIB)
    context.settings = settings
    context._values[STORE.name] = create_store(settings)
    return context[STORE]


def stage(store, shelf, content, oid=OID):
    address = store.presign_put(direct_key(shelf.repository.id, oid), expires_s=60)
    with urllib3.PoolManager(retries=False) as pool:
        assert pool.request("PUT", address, body=content).status == 200


def test_what_was_sent_to_s3_is_taken_over_once_it_is_verified(context, on_s3, shelf):
    stage(on_s3, shelf, CONTENT)
    with pytest.raises(NotFound):
        shelf.get(OID)
    service.verify_object(context, **shelf.who, oid=OID, size_bytes=SIZE)
    service.verify_object(context, **shelf.who, oid=OID, size_bytes=SIZE)
    assert shelf.get(OID) == CONTENT
    assert [info.key for info in on_s3.list("")] == [object_key(OID)]
    found = service.get_content(context, **shelf.who, oid=OID)
    assert found.local_path is None
    with urllib3.PoolManager(retries=False) as pool:
        assert pool.request("GET", found.direct_url(expires_s=60)).data == CONTENT


@pytest.mark.parametrize(
    "content, code", [(CONTENT[:-1], "size_mismatch"), (bytes(SIZE), "hash_mismatch")], ids=["size", "hash"]
)
def test_what_was_sent_to_s3_and_is_something_else_is_thrown_away(context, on_s3, shelf, content, code):
    stage(on_s3, shelf, content)
    with pytest.raises(Unprocessable) as caught:
        service.verify_object(context, **shelf.who, oid=OID, size_bytes=SIZE)
    assert caught.value.code == code
    assert list(on_s3.list("")) == []
    assert stored(context) == set()


def test_a_content_that_s3_has_needs_proof_from_the_next_repository(context, on_s3, shelf, make_shelf):
    receive(shelf)
    other = make_shelf("bob")
    with pytest.raises(Invalid) as caught:
        service.verify_object(context, **other.who, oid=OID, size_bytes=SIZE)
    assert caught.value.code == "lfs_object_missing"
    stage(on_s3, other, CONTENT)
    service.verify_object(context, **other.who, oid=OID, size_bytes=SIZE)
    assert other.get(OID) == CONTENT


# In parts.


@pytest.fixture(params=["file", "s3"])
def in_parts(request, context):
    """The store, with parts of 5 MiB, and a content of three of them."""
    if request.param == "s3":
        request.getfixturevalue("on_s3")
    else:
        context.settings = dataclasses.replace(context.settings, lfs_part_size_bytes=5 * MIB)
    return random.Random(7).randbytes(11 * MIB)


def prepare(shelf, content, *, size_bytes=None):
    oid = oid_of(content)
    sizes = {oid: len(content) if size_bytes is None else size_bytes}
    return prepare_uploads(shelf.context, **shelf.who, sizes=sizes)[oid]


def send(shelf, upload, content, number, **changes):
    part = content[(number - 1) * upload.part_size_bytes : number * upload.part_size_bytes]
    arguments = {
        **shelf.who,
        "oid": upload.oid,
        "upload_id": upload.upload_id,
        "number": number,
        "size_bytes": len(part),
        "chunks": [part],
        **changes,
    }
    return number, service.receive_part(shelf.context, **arguments)


def complete(shelf, upload, parts, **changes):
    arguments = {
        **shelf.who,
        "oid": upload.oid,
        "size_bytes": upload.size_bytes,
        "upload_id": upload.upload_id,
        "parts": parts,
        **changes,
    }
    service.complete_upload(shelf.context, **arguments)


def test_parts_become_an_object_when_they_are_complete(context, shelf, in_parts):
    upload = prepare(shelf, in_parts)
    assert upload.part_size_bytes == 5 * MIB
    parts = [send(shelf, upload, in_parts, number) for number in (3, 1, 2)]
    with pytest.raises(NotFound):
        shelf.get(upload.oid)
    complete(shelf, upload, sorted(parts))
    assert shelf.get(upload.oid) == in_parts
    assert uploads(context) == []
    assert [info.key for info in context[STORE].list("")] == [object_key(upload.oid)]
    complete(shelf, upload, sorted(parts))  # the answer got lost, the client asks again


def test_an_upload_is_resumed_with_the_parts_it_has(shelf, in_parts):
    upload = prepare(shelf, in_parts)
    first = send(shelf, upload, in_parts, 1)
    again = prepare(shelf, in_parts)
    assert (again.upload_id, again.object_key) == (upload.upload_id, upload.object_key)
    complete(shelf, again, [first, send(shelf, again, in_parts, 2), send(shelf, again, in_parts, 3)])
    assert shelf.get(upload.oid) == in_parts


def test_an_upload_that_the_store_has_forgotten_begins_anew(context, shelf, in_parts):
    upload = prepare(shelf, in_parts)
    context[STORE].abort_multipart(upload.object_key, upload.upload_id)
    with pytest.raises(NotFound):
        send(shelf, upload, in_parts, 1)
    again = prepare(shelf, in_parts)
    assert again.upload_id != upload.upload_id
    assert len(uploads(context)) == 1
    send(shelf, again, in_parts, 1)


def test_an_upload_of_another_size_begins_anew(context, shelf, in_parts):
    upload = prepare(shelf, in_parts, size_bytes=6 * MIB)
    again = prepare(shelf, in_parts)
    assert again.upload_id != upload.upload_id
    assert [found.size_bytes for found in uploads(context)] == [len(in_parts)]


def test_missing_parts_can_still_be_sent(shelf, in_parts):
    upload = prepare(shelf, in_parts)
    parts = [send(shelf, upload, in_parts, 1), send(shelf, upload, in_parts, 3)]
    with pytest.raises(Unprocessable) as caught:
        complete(shelf, upload, parts)
    assert caught.value.code == "parts_mismatch"
    complete(shelf, upload, sorted([*parts, send(shelf, upload, in_parts, 2)]))
    assert shelf.get(upload.oid) == in_parts


def test_parts_that_make_up_another_content_end_the_upload(context, shelf, in_parts):
    upload = prepare(shelf, in_parts)
    parts = [send(shelf, upload, bytes(len(in_parts)), number) for number in (1, 2, 3)]
    with pytest.raises(Unprocessable) as caught:
        complete(shelf, upload, parts)
    assert caught.value.code == "hash_mismatch"
    assert uploads(context) == []
    assert list(context[STORE].list("")) == []
    with pytest.raises(NotFound):
        complete(shelf, upload, parts)


def test_a_part_is_one_of_the_upload_and_as_long_as_it_says(shelf, in_parts):
    upload = prepare(shelf, in_parts)
    for number in (0, 4, -1):
        with pytest.raises(Invalid):
            send(shelf, upload, in_parts, number, chunks=[b""], size_bytes=0)
    with pytest.raises(HubError):
        send(shelf, upload, in_parts, 1, chunks=[b"short"])
    with pytest.raises(NotFound):
        send(shelf, upload, in_parts, 1, upload_id="0" * 32)


def test_an_empty_object_has_no_parts(shelf, in_parts):
    upload = prepare(shelf, b"")
    complete(shelf, upload, [])
    assert shelf.get(upload.oid) == b""


def test_an_upload_is_over_after_its_time(context, clock, shelf, in_parts):
    upload = prepare(shelf, in_parts)
    send(shelf, upload, in_parts, 1)
    clock.advance(context.settings.lfs_url_ttl_s)
    with pytest.raises(NotFound):
        send(shelf, upload, in_parts, 2)
    assert prepare(shelf, in_parts).upload_id != upload.upload_id
    assert timedelta(0) < uploads(context)[0].expires_at - clock.now()


def test_one_who_lost_the_right_completes_nothing(context, shelf, in_parts, make_user):
    upload = prepare(shelf, in_parts)
    parts = [send(shelf, upload, in_parts, number) for number in (1, 2, 3)]
    with pytest.raises(NotFound):
        complete(shelf, upload, parts, actor=Actor.of_user(make_user("eve"), via="session"))
    change(context, shelf, archived_at=context.clock.now())
    with pytest.raises(Denied):
        complete(shelf, upload, parts)
    with pytest.raises(Denied):
        send(shelf, upload, in_parts, 1)
    assert shelf.held() == set()
