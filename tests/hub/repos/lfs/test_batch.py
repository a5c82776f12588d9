"""The batch's answers, below HTTP."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from hub.accounts.policy import ANONYMOUS
from hub.base.errors import Denied, NotFound, NotSignedIn, QuotaExceeded, Unavailable
from hub.base.settings import GIB, MIB
from hub.db.engine import DATABASE
from hub.objects.store import STORE
from hub.repos.lfs import service
from hub.repos.lfs.service import ObjectRequest, Operation
from tests.support.shelf import files_below, uploads


class PlainLinks:
    """Addresses that say what they are for."""

    def download(self, oid, size_bytes):
        return f"download/{oid}/{size_bytes}"

    def upload(self, oid, size_bytes):
        return f"upload/{oid}/{size_bytes}"

    def verify(self, oid, size_bytes):
        return f"verify/{oid}/{size_bytes}"

    def part(self, upload, number):
        return f"part/{upload.upload_id}/{number}"

    def complete(self, upload):
        return f"complete/{upload.upload_id}"

    def pieces(self, *, for_proposal):
        return service.TransferAction(f"pieces/{for_proposal}")


def ask(shelf, operation, *objects, transfers=(), has_upload_id=False, actor=None):
    return service.batch(
        shelf.context,
        actor=actor or shelf.actor,
        repository_id=shelf.repository.id,
        operation=Operation(operation),
        objects=[ObjectRequest(*item) for item in objects],
        transfers=transfers,
        has_upload_id=has_upload_id,
        links=PlainLinks(),
    )


def some_oid(number=1):
    return f"{number:064x}"


@contextmanager
def counted_queries(context):
    """The statements that are sent to the database in the block."""
    statements = []

    def remember(connection, cursor, statement, *rest):
        statements.append(statement)

    engine = context[DATABASE].engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", remember)


def test_what_is_held_can_be_downloaded(shelf):
    oid = shelf.put(b"content")
    result = ask(shelf, "download", (oid, 7))
    [answer] = result.objects
    assert result.transfer == "basic"
    assert result.expires_in_s == shelf.context.settings.lfs_url_ttl_s
    assert {name: action.href for name, action in answer.actions.items()} == {"download": f"download/{oid}/7"}


def test_every_object_is_answered_for_itself_and_in_order(shelf, make_shelf):
    held, elsewhere = shelf.put(b"held"), make_shelf("bob").put(b"elsewhere")
    asked = [(held, 4), (elsewhere, 9), (some_oid(), 1), (held, 5), ("x", 1), (some_oid(2), -1), (held, 4)]
    answers = ask(shelf, "download", *asked).objects
    assert [(answer.oid, answer.size_bytes) for answer in answers] == asked
    assert [answer.error[0] if answer.error else None for answer in answers] == [None, 404, 404, 422, 422, 422, None]
    # One who only knows an id learns nothing by it.
    assert answers[1].error == answers[2].error


def test_only_what_the_repository_does_not_hold_is_uploaded(shelf, make_shelf):
    held, elsewhere = shelf.put(b"held"), make_shelf("bob").put(b"elsewhere")
    answers = ask(shelf, "upload", (held, 4), (elsewhere, 9), (some_oid(), 1)).objects
    assert answers[0].actions == {}
    assert answers[0].error is None
    for answer in answers[1:]:
        assert {name: action.href for name, action in answer.actions.items()} == {
            "upload": f"upload/{answer.oid}/{answer.size_bytes}",
            "verify": f"verify/{answer.oid}/{answer.size_bytes}",
        }


def test_a_client_with_an_upload_id_may_upload_again_what_is_held(shelf):
    """Source: CSGHub contract, section 2.5 c, the loop trap."""
    held = shelf.put(b"held")
    [answer] = ask(shelf, "upload", (held, 4), transfers=["basic", "multipart"], has_upload_id=True).objects
    assert set(answer.actions) == {"upload", "verify"}
    assert set(answer.actions["upload"].header) == {"chunk_size", "1"}
    [answer] = ask(shelf, "upload", (held, 5), transfers=["multipart"], has_upload_id=True).objects
    assert answer.error[0] == 422


@pytest.mark.parametrize(
    "size_bytes, part_bytes, count",
    [(1, 50 * MIB, 1), (50 * MIB, 50 * MIB, 1), (50 * MIB + 1, 50 * MIB, 2), (100 * GIB, 107_374_183, 1000)],
)
def test_parts_are_numbered_addresses(shelf, size_bytes, part_bytes, count):
    shelf.context.settings = dataclasses.replace(shelf.context.settings, min_free_disk_bytes=-(2**60))
    result = ask(shelf, "upload", (some_oid(), size_bytes), transfers=["multipart"], has_upload_id=True)
    assert result.transfer == "multipart"
    [answer] = result.objects
    [upload] = uploads(shelf.context)
    header = dict(answer.actions["upload"].header)
    assert header.pop("chunk_size") == str(part_bytes)
    expected = {str(number): f"part/{upload.upload_id}/{number}" for number in range(1, count + 1)}
    assert list(header.items()) == list(expected.items())
    assert answer.actions["upload"].href == f"complete/{upload.upload_id}"


def test_numbers_sort_as_texts_for_clients_that_sort_them_so(shelf):
    [answer] = ask(shelf, "upload", (some_oid(), 510 * MIB), transfers=["multipart"]).objects
    numbers = [name for name in answer.actions["upload"].header if name != "chunk_size"]
    assert numbers == sorted(numbers) == [f"{number:02}" for number in range(1, 12)]


def test_asking_again_resumes_the_upload(shelf):
    wanted = (some_oid(), 120 * MIB)
    first, second = (ask(shelf, "upload", wanted, transfers=["multipart"]) for _ in range(2))
    assert first.objects == second.objects
    assert len(uploads(shelf.context)) == 1


def test_an_empty_object_has_no_part(shelf):
    [answer] = ask(shelf, "upload", (some_oid(), 0), transfers=["multipart"]).objects
    assert list(answer.actions["upload"].header) == ["chunk_size"]


def test_large_objects_need_parts_and_there_is_a_largest(shelf):
    shelf.context.settings = dataclasses.replace(shelf.context.settings, min_free_disk_bytes=-(2**60))
    most = shelf.context.settings.max_lfs_object_size_bytes
    answers = ask(shelf, "upload", (some_oid(1), 5 * GIB), (some_oid(2), 5 * GIB + 1), (some_oid(3), most + 1)).objects
    assert [answer.error[0] if answer.error else None for answer in answers] == [None, 422, 422]
    assert "csghub-cli" in answers[1].error[1]


@pytest.mark.parametrize("operation", ["download", "upload"])
@pytest.mark.parametrize("transfers", [[], ["basic", "multipart"]], ids=["basic", "multipart"])
def test_the_number_of_queries_does_not_grow_with_the_batch(context, shelf, operation, transfers):
    held = [shelf.put(str(number).encode()) for number in range(3)]

    def count(objects):
        with counted_queries(context) as statements:
            ask(shelf, operation, *objects, transfers=transfers)
        return len(statements)

    few = count([(held[0], 1), (some_oid(10**6), 1)])
    many = count([*((oid, 1) for oid in held), *((some_oid(number), 1) for number in range(10**6 + 1, 10**6 + 300))])
    assert few == many
    assert few < 15


def test_rights_are_judged_first(make_shelf, make_user, actor_of):
    public, private = make_shelf("ada", private=False), make_shelf("bob")
    stranger = actor_of(make_user("eve"))
    thing = (some_oid(), 1)
    assert ask(public, "download", thing, actor=ANONYMOUS).objects[0].error[0] == 404
    for shelf, actor, operation, error in [
        (public, ANONYMOUS, "upload", NotSignedIn),
        (public, stranger, "upload", Denied),
        (private, stranger, "upload", NotFound),
        (private, stranger, "download", NotFound),
        (private, ANONYMOUS, "download", NotFound),
    ]:
        with pytest.raises(error):
            ask(shelf, operation, thing, actor=actor)


@pytest.mark.settings(quota_bytes=10 * MIB)
def test_the_quota_is_for_the_whole_batch_and_only_for_what_is_new(context, shelf):
    held = shelf.put(bytes(9 * MIB))
    ask(shelf, "upload", (held, 9 * MIB), (some_oid(1), MIB // 2), (some_oid(1), MIB // 2))
    with pytest.raises(QuotaExceeded) as caught:
        ask(shelf, "upload", (some_oid(1), MIB * 2 // 3), (some_oid(2), MIB * 2 // 3), transfers=["multipart"])
    assert "quota" in str(caught.value)
    assert uploads(context) == []
    assert len(files_below(context[STORE].root)) == 1


def test_a_full_disk_is_told_before_the_upload(shelf):
    held = shelf.put(b"held")
    shelf.context.settings = dataclasses.replace(shelf.context.settings, min_free_disk_bytes=2**60)
    with pytest.raises(Unavailable) as caught:
        ask(shelf, "upload", (some_oid(), 1))
    assert caught.value.code == "disk_full"
    ask(shelf, "upload", (held, 4))
    ask(shelf, "download", (held, 4))
