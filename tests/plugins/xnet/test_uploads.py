"""Xorbs over HTTP: what is kept, and what is refused."""

import random
import threading

import lz4.frame
import pytest
from sqlalchemy import select

from hub.db.uow import reading, unit_of_work
from hub.objects.store import STORE
from hub.repos.models import Repository
from plugins.xnet.formats.hashes import hash_to_text, tree_hash
from plugins.xnet.formats.shards import Term
from plugins.xnet.formats.xorbs import read_xorb
from plugins.xnet.models import Xorb
from plugins.xnet.reading import read_terms
from plugins.xnet.storage import delete_xorb, receive_body
from plugins.xnet.tickets import LIFE_S
from plugins.xnet.uploads import _register
from tests.support.plugins import open_client
from tests.support.xet_client import BG4_LZ4, LZ4, STORED, make_footer, nodes_of, pack_xorb, store

CHUNKS = [random.Random(number).randbytes(3000) + bytes(5000 + number) for number in range(4)]
NAME = tree_hash(nodes_of(CHUNKS))
CONTENT = b"".join(CHUNKS)


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def sender(make_sender, ada):
    return make_sender(ada)


def read(context):
    """The content of the xorb, by its row and its bytes, each chunk from where the row says that it lies."""
    terms = [Term(NAME, len(chunk), number, number + 1) for number, chunk in enumerate(CHUNKS)]
    return b"".join(read_terms(context, terms))


@pytest.mark.any_database
def test_a_xorb_is_kept_as_it_came_first(context, sender, count_rows):
    plain = pack_xorb(CHUNKS)
    answer = sender.send_xorb(NAME, plain + make_footer(CHUNKS), prefix="default-merkledb")
    assert (answer.status_code, answer.json) == (200, {"was_inserted": True})
    assert answer.headers["X-Request-Id"]
    # Nobody is told by it that the hub has it: no file of the repository uses it.
    assert sender.send_xorb(NAME, pack_xorb(CHUNKS, LZ4)).json == {"was_inserted": True}
    [info] = context[STORE].list("xet/")
    assert b"".join(context[STORE].open_range(info.key, 0, info.size_bytes)) == plain
    assert count_rows()["objects"] == count_rows()["xnet_xorbs"] == 1
    assert read(context) == CONTENT


@pytest.mark.any_database
@pytest.mark.parametrize("scheme", [STORED, LZ4, BG4_LZ4])
def test_every_compression_is_taken(context, sender, scheme):
    assert sender.send_xorb(NAME, pack_xorb(CHUNKS, scheme)).status_code == 200
    assert read(context) == CONTENT
    with reading(context) as work:
        row = work.session.scalars(select(Xorb)).one()
        assert (row.hash, row.chunk_count, row.raw_bytes) == (NAME, len(CHUNKS), len(CONTENT))
        assert row.stored_bytes == len(pack_xorb(CHUNKS, scheme))


def spoil(body, index):
    return body[:index] + bytes([body[index] ^ 1]) + body[index + 1 :]


FRAME = lz4.frame.compress(CHUNKS[0])
BROKEN = {
    "an empty body": b"",
    "a corrupt byte": spoil(pack_xorb(CHUNKS), 100),
    "a corrupt frame": spoil(pack_xorb(CHUNKS, LZ4), 300),
    "a body that is cut off": pack_xorb(CHUNKS)[:-1],
    "a header that is cut off": pack_xorb(CHUNKS)[: 8 + len(CHUNKS[0]) + 3],
    "a frame that is cut off": store(len(CHUNKS[0]), FRAME[:-6], LZ4),
    "a frame that holds more than it says": store(len(CHUNKS[0]) - 1, FRAME, LZ4),
    "a bomb": store(1000, lz4.frame.compress(bytes(10_000_000)), LZ4),
    "garbage at the end": pack_xorb(CHUNKS) + bytes(3),
    "an unknown version": store(5, b"hello", STORED, version=1),
    "an unknown scheme": store(5, b"hello", 99),
    "a chunk that is too large": pack_xorb([bytes(131073)]),
    "too many chunks": pack_xorb([b"x"] * 8193),
    "other chunks": pack_xorb([b"other"]),
}


@pytest.mark.any_database
def test_what_is_broken_is_refused_and_leaves_nothing(sender, count_rows):
    before = count_rows()
    for what, body in BROKEN.items():
        answer = sender.send_xorb(NAME, body)
        assert (answer.status_code, set(answer.json)) == (400, {"error", "code"}), what
        assert count_rows() == before, what
    for name in ("ab", "AB" * 32, hash_to_text(NAME)[:-1] + "g"):
        assert sender.send_xorb(name, pack_xorb(CHUNKS)).status_code == 400
    assert sender.send_xorb(bytes(32), pack_xorb(CHUNKS)).json["code"] == "xorb_hash_mismatch"
    assert count_rows() == before
    for path, limit_mib in ((f"xorbs/default/{hash_to_text(NAME)}", 70), ("shards", 80)):
        announced = {"CONTENT_LENGTH": str(limit_mib * 1024 * 1024 + 1)}
        refused = sender.client.post(f"/xet/v1/{path}", headers=sender.headers, environ_overrides=announced)
        assert (refused.status_code, refused.json["code"]) == (400, "body_too_large")


@pytest.mark.any_database
def test_only_a_ticket_to_write_opens_it(context, clock, sender, make_sender, ada, make_user, count_rows):
    before, body = count_rows(), pack_xorb(CHUNKS)
    reader = make_sender(ada, sender.repository, is_write=False)
    assert reader.send_xorb(NAME, body).status_code == reader.send_shard(b"").status_code == 403
    # Its repository was Bob's to read once, and is not any more.
    stranger = make_sender(make_user("bob"), sender.repository)
    with unit_of_work(context) as work:
        work.session.get(Repository, sender.repository.id).is_private = True
    assert stranger.send_xorb(NAME, body).status_code == stranger.send_shard(b"").status_code == 404
    # Her own is archived.
    with unit_of_work(context) as work:
        work.session.get(Repository, sender.repository.id).archived_at = work.now()
    assert sender.send_xorb(NAME, body).status_code == sender.send_shard(b"").status_code == 403
    token = sender.headers["Authorization"]
    for header in ({}, {"Authorization": "Bearer hf_abc"}, {"Authorization": token[:-1] + "~"}):
        refused = sender.client.post(f"/xet/v1/xorbs/default/{hash_to_text(NAME)}", data=body, headers=header)
        assert refused.status_code == 401
        assert refused.json["error"]
        assert sender.client.post("/xet/v2/shards", data=b"", headers=header).status_code == 401
        assert sender.client.get(f"/xet/v1/chunks/default/{'0' * 64}", headers=header).status_code == 401
    clock.advance(LIFE_S + 1)
    assert sender.send_xorb(NAME, body).status_code == 401
    assert count_rows() == before


@pytest.mark.any_database
@pytest.mark.settings(quota_bytes=len(CONTENT) - 1)
def test_a_xorb_that_the_quota_has_no_room_for_is_refused(sender, count_rows):
    before = count_rows()
    refused = sender.send_xorb(NAME, pack_xorb(CHUNKS))
    assert (refused.status_code, refused.json["code"]) == (413, "quota_exceeded")
    assert count_rows() == before


@pytest.mark.any_database
def test_bytes_that_were_lost_are_mended_by_the_next_upload(context, sender):
    sender.send_xorb(NAME, pack_xorb(CHUNKS))
    delete_xorb(context, NAME)
    assert sender.send_xorb(NAME, pack_xorb(CHUNKS, LZ4)).status_code == 200
    assert read(context) == CONTENT


@pytest.mark.any_database
def test_who_comes_second_with_another_compression_changes_nothing(context, sender):
    """Both have found that the hub lacks the xorb before either has registered it."""
    for scheme in (STORED, LZ4):
        body = pack_xorb(CHUNKS, scheme)
        with (
            receive_body(context, [body]) as received,
            received.stage(len(body)) as staged,
            unit_of_work(context) as work,
        ):
            _register(work, read_xorb(body), staged)
    [info] = context[STORE].list("xet/")
    assert info.size_bytes == len(pack_xorb(CHUNKS))
    assert read(context) == CONTENT


def test_of_two_who_bring_one_xorb_at_once_one_stays(context, make_sender, ada, count_rows):
    bodies = [pack_xorb(CHUNKS, scheme) for scheme in (STORED, LZ4, BG4_LZ4, STORED)]
    senders = [make_sender(ada, name=f"thing{number}") for number in range(len(bodies))]
    gate, statuses = threading.Barrier(len(bodies)), []

    def send(sender, body):
        client = sender.client.application.test_client()
        gate.wait()
        path = f"/xet/v1/xorbs/default/{hash_to_text(NAME)}"
        statuses.append(client.post(path, data=body, headers=sender.headers).status_code)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(senders, bodies, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * len(bodies)
    # Whichever it was: the row is of the bytes that are there.
    assert read(context) == CONTENT
    assert count_rows()["objects"] == 1


@pytest.mark.any_database
def test_what_is_not_served_is_missing_whatever_the_method(service, sender):
    """To clients 404 alone means "do without it"; any other answer ends their upload."""
    grant = service.post(f"/xet/v1/xorb-grants/default/{'0' * 64}", json={"length": 1}, headers=sender.headers)
    assert (grant.status_code, grant.mimetype) == (404, "application/json")
    assert grant.json["error"]
    for method, path in (
        ("POST", f"/v1/xorb-grants/default/{'0' * 64}"),
        ("GET", f"/v2/file-chunk-hashes/{'0' * 64}"),
        ("PUT", "/v1/shards"),
        ("GET", "/v3/anything"),
        ("GET", "/"),
    ):
        assert service.open(f"/xet{path}", method=method).status_code == 404
    told = service.post("/xet/v1/telemetry", data=b"{}", headers=sender.headers)
    assert (told.status_code, told.json) == (200, {})


@pytest.mark.any_database
@pytest.mark.settings(rate_limit_account=1, rate_limit_address=1)
def test_a_transfers_requests_have_a_generous_limit_of_their_own(context, clock, make_sender, make_user, ada):
    client, address = open_client(context), f"/xet/v1/chunks/default/{'0' * 64}"
    mine, others = make_sender(ada).headers, make_sender(make_user("bob")).headers
    answers = [client.get(address, headers=mine) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [404] * 100 + [429]
    assert "RateLimit-Limit" not in answers[0].headers
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert client.get(address, headers=others).status_code == 404
    # Bytes by a signed address are not counted, nor do they ask for a ticket.
    assert client.get(f"/xet/v1/fetch/{'0' * 64}").status_code == 403
