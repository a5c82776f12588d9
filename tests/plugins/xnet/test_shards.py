"""Shards over HTTP: what becomes a file, and what is refused."""

import dataclasses
import hashlib
import json
import random
import struct
import threading

import pytest
from sqlalchemy import delete, select

from hub.accounts.models import Grant, Role
from hub.base.errors import HubError
from hub.db.uow import reading, unit_of_work
from hub.objects.store import STORE, create_store
from hub.repos.lfs.contents import get_content, receive_object
from hub.repos.models import LFSObject, Repository
from plugins.xnet import registration
from plugins.xnet.formats.hashes import file_hash, tree_hash
from plugins.xnet.formats.shards import Term
from plugins.xnet.models import File, Xorb
from plugins.xnet.reading import read_windows
from plugins.xnet.reconstruction import TermTable
from plugins.xnet.registration import begin_registration, register, verify_files
from plugins.xnet.storage import delete_xorb, xorb_key
from tests.support.xet_client import (
    BG4_LZ4,
    LZ4,
    STORED,
    file_record,
    make_upload,
    nodes_of,
    pack_shard,
    pack_xorb,
    xorb_record,
)


def make_chunks(seed, count=6):
    chance = random.Random(seed)
    return [chance.randbytes(9000 + number) for number in range(count)]


class Upload:
    """Chunks as two xorbs, and a file of them that takes some twice."""

    def __init__(self, seed=1):
        self.chunks = make_chunks(seed)
        self.halves = [self.chunks[:4], self.chunks[4:]]
        self.nodes = [nodes_of(half) for half in self.halves]
        self.names = [tree_hash(nodes) for nodes in self.nodes]
        one, two = self.halves
        self.content = b"".join([*one[1:4], *two, *one[1:4], *one[:1], *one[:1]])
        self.oid = hashlib.sha256(self.content).hexdigest()
        self.terms = [(0, 1, 4), (1, 0, 2), (0, 1, 4), (0, 0, 1), (0, 0, 1)]

    def record(self, oid=None, terms=None):
        runs = [(self.names[xorb], self.nodes[xorb], start, end) for xorb, start, end in terms or self.terms]
        return file_record(runs, self.oid if oid is None else oid)

    def shard(self, *records):
        xorbs = [xorb_record(name, nodes) for name, nodes in zip(self.names, self.nodes, strict=True)]
        return pack_shard(records or [self.record()], xorbs)

    def send_xorbs(self, sender, scheme=LZ4):
        for name, half in zip(self.names, self.halves, strict=True):
            assert sender.send_xorb(name, pack_xorb(half, scheme)).status_code == 200


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def sender(make_sender, ada):
    return make_sender(ada)


def read(context, sender, oid):
    content = get_content(context, actor=sender.actor, repository_id=sender.repository.id, oid=oid)
    return b"".join(content.open_range(0, content.size_bytes))


def lines_of(answer):
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_shard_makes_files_that_everybody_reads(context, sender, make_sender, make_user, count_rows):
    upload = Upload()
    upload.send_xorbs(sender, BG4_LZ4)
    answer = sender.send_shard(upload.shard())
    assert (answer.status_code, answer.json) == (200, {"result": 1})
    assert read(context, sender, upload.oid) == upload.content
    kept = count_rows()
    assert (kept["xnet_files"], kept["xnet_file_xorbs"], kept["lfs_links"]) == (1, 2, 1)
    with reading(context) as work:
        assert work.session.get(LFSObject, upload.oid).source == "xnet"
        assert work.session.get(Repository, sender.repository.id).lfs_size_bytes == len(upload.content)
    # Again, and by somebody else: who has the chunks learns nothing of who else has them.
    assert sender.send_shard(upload.shard()).json == {"result": 0}
    assert sender.send_xorb(upload.names[0], pack_xorb(upload.halves[0])).json == {"was_inserted": False}
    assert count_rows() == kept
    bob = make_sender(make_user("bob"), private=True)
    assert bob.send_xorb(upload.names[0], pack_xorb(upload.halves[0])).json == {"was_inserted": True}
    told = lines_of(bob.send_shard(upload.shard(), version=2))
    assert [line["type"] for line in told] == ["validating", "committing", "result"]
    assert read(context, bob, upload.oid) == upload.content
    assert count_rows() == {**kept, "lfs_links": 2}


@pytest.mark.any_database
def test_progress_is_told_of_what_is_new(context, sender):
    upload = Upload()
    upload.send_xorbs(sender)
    told = lines_of(sender.send_shard(upload.shard(), version=2))
    assert told[0] == {"type": "validating", "verified": 0, "total": len(upload.content)}
    assert told[-1] == {"type": "result"}
    assert lines_of(sender.send_shard(upload.shard(), version=2))[0]["total"] == 0


@pytest.mark.any_database
def test_a_content_that_came_otherwise_keeps_its_place_and_gains_a_way(context, sender, ada):
    upload, repository_id = Upload(), sender.repository.id
    receive_object(
        context,
        actor=sender.actor,
        repository_id=repository_id,
        oid=upload.oid,
        size_bytes=len(upload.content),
        chunks=[upload.content],
    )
    upload.send_xorbs(sender)
    assert sender.send_shard(upload.shard()).json == {"result": 1}
    with reading(context) as work:
        assert work.session.get(LFSObject, upload.oid).source == ""
        assert work.session.scalar(select(File.oid)) == upload.oid
        assert work.session.get(Repository, repository_id).lfs_size_bytes == len(upload.content)


@pytest.mark.any_database
def test_of_two_ways_to_cut_a_content_the_first_stays(context, sender, make_sender, ada):
    upload = Upload()
    upload.send_xorbs(sender)
    sender.send_shard(upload.shard())
    other, halved = make_sender(ada, name="other"), [upload.content[:12345], upload.content[12345:]]
    name, nodes = tree_hash(nodes_of(halved)), nodes_of(halved)
    assert other.send_xorb(name, pack_xorb(halved)).status_code == 200
    shard = pack_shard([file_record([(name, nodes, 0, 2)], upload.oid)], [xorb_record(name, nodes)])
    assert other.send_shard(shard).json == {"result": 1}
    with reading(context) as work:
        assert work.session.scalars(select(File.hash)).all() == [file_hash(upload_nodes(upload))]
    assert read(context, other, upload.oid) == upload.content


def upload_nodes(upload):
    return [node for xorb, start, end in upload.terms for node in upload.nodes[xorb][start:end]]


def patch(record, offset, form, *values):
    """A record of a shard with other values at an offset."""
    changed = bytearray(record)
    struct.pack_into(form, changed, offset, *values)
    return bytes(changed)


def broken_records(upload):
    """What is wrong -> (the record of a file, the code that tells)."""
    good, first = upload.record(), 48  # the first term follows the header
    proofs = first + 48 * len(upload.terms)
    strange = Upload(99)
    return {
        "an unknown xorb": (strange.record(), "shard_not_proved"),
        "a term out of range": (patch(good, first + 40, "<II", 1, 5), "shard_not_proved"),
        "a term with another length": (patch(good, first + 36, "<I", 1), "shard_not_proved"),
        "another proof": (patch(good, proofs, "<I", 1), "shard_not_proved"),
        "another hash of the file": (patch(good, 0, "<I", 1), "file_hash_mismatch"),
        "another SHA-256": (upload.record(oid="ab" * 32), "hash_mismatch"),
        "no SHA-256": (upload.record(oid=""), "shard_invalid"),
        "no proof": (
            patch(good[:proofs] + good[proofs + 48 * len(upload.terms) :], 32, "<I", 1 << 30),
            "shard_invalid",
        ),
        "a term of no chunk": (patch(good, first + 40, "<II", 2, 2), "shard_invalid"),
        "more terms than there are": (patch(good, 36, "<I", 0xFFFFFFFF), "shard_invalid"),
        "no term": (struct.pack("<32sIIQ", b"x" * 32, 1 << 31, 0, 0), "shard_invalid"),
    }


@pytest.mark.any_database
def test_what_is_wrong_in_a_shard_is_refused_whole(sender, count_rows):
    upload, other = Upload(), Upload(2)
    for each in (upload, other):
        each.send_xorbs(sender)
    before, texts = count_rows(), set()
    for what, (record, code) in broken_records(upload).items():
        # Beside a file that is right.
        shard = pack_shard([other.record(), record], [])
        answer = sender.send_shard(shard)
        assert (answer.status_code, answer.json["code"]) == (400, code), what
        if code == "shard_not_proved":
            texts.add(answer.text)
        streamed = sender.send_shard(shard, version=2)
        if streamed.status_code == 200:
            last = lines_of(streamed)[-1]
            assert (last["type"], last["retryable"]) == ("error", False), what
        else:
            assert streamed.json == answer.json
        assert count_rows() == before, what
    assert len(texts) == 1
    good = upload.shard()
    nodes = upload.nodes[0]
    for what, shard in {
        "nothing": b"",
        "no shard": b"x" * 200,
        "a shard that is cut off": good[:-48],
        "xorbs that are not here": pack_shard([], [xorb_record(b"x" * 32, nodes)]),
        "a xorb's chunks with other hashes": pack_shard([], [xorb_record(upload.names[0], nodes[::-1])]),
        "a xorb without its last chunk": pack_shard([], [xorb_record(upload.names[0], nodes[:-1])]),
    }.items():
        assert sender.send_shard(shard).status_code == 400, what
        assert count_rows() == before, what
    # What a later version of the format may add at the end is not read.
    assert sender.send_shard(good + bytes(500)).json == {"result": 1}


@pytest.mark.any_database
def test_a_file_of_a_million_tiny_chunks_is_refused(sender):
    chunks = [bytes([number % 251]) for number in range(2000)]
    nodes = nodes_of(chunks)
    name = tree_hash(nodes)
    sender.send_xorb(name, pack_xorb(chunks))
    refused = sender.send_shard(pack_shard([file_record([(name, nodes, 0, 2000)], "ab" * 32)], []))
    assert (refused.status_code, refused.json["code"]) == (400, "shard_invalid")


@pytest.mark.any_database
def test_many_files_of_tiny_chunks_are_refused(sender):
    """Each has few enough for a file; together they are more work than so few bytes are worth."""
    nodes = nodes_of([bytes([number % 251]) for number in range(2000)])
    records = [file_record([(b"x" * 32, nodes, 0, 700 + n)], f"{n:064x}") for n in range(1, 4)]
    refused = sender.send_shard(pack_shard(records, []))
    assert (refused.status_code, refused.json["code"]) == (400, "shard_invalid")


@pytest.mark.any_database
@pytest.mark.settings(quota_bytes=100_000)
def test_what_there_is_no_room_for_is_not_worked_on(sender):
    """A hundred bytes announce 64 MiB, to be gone through chunk by chunk: no chunk is looked up before they may be."""
    nodes = nodes_of(make_chunks(1))
    shard = pack_shard([file_record([(b"x" * 32, nodes, 0, 6)] * 2, "ab" * 32)], [])
    assert sender.send_shard(shard).json["code"] == "quota_exceeded"
    # Nor when it is under the name of a content that the repository has.
    upload = Upload()
    upload.send_xorbs(sender)
    assert sender.send_shard(upload.shard()).status_code == 200
    shard = pack_shard([file_record([(b"x" * 32, nodes, 0, 6)] * 2, upload.oid)], [])
    assert sender.send_shard(shard).json["code"] == "quota_exceeded"
    assert sender.send_shard(upload.shard()).json == {"result": 0}
    # Nor is a content announced twice, in different pieces.
    twice = [file_record([(b"x" * 32, nodes, 0, end)], "ab" * 32) for end in (2, 3)]
    assert sender.send_shard(pack_shard(twice, [])).json["code"] == "shard_invalid"


@pytest.mark.any_database
def test_an_account_waits_for_its_turn_before_a_shard_is_judged(context, sender, tmp_path, monkeypatch):
    upload = Upload()
    upload.send_xorbs(sender)
    (tmp_path / "shard").write_bytes(upload.shard())
    begun = begin_registration(context, actor=sender.actor, repository_id=sender.repository.id, path=tmp_path / "shard")
    monkeypatch.setattr(registration, "_HEARTBEAT_S", 0.01)
    turns = registration._TURNS[sender.actor.user_id]
    taken = 0
    while turns.acquire(blocking=False):
        taken += 1
    steps = verify_files(context, begun)
    assert [next(steps), next(steps), begun.shard] == [0, 0, None]
    for _ in range(taken):
        turns.release()
    assert [*steps][-1] == len(upload.content)


@pytest.mark.any_database
def test_terms_of_many_chunks_are_gone_through_a_few_at_a_time(context, sender):
    terms = [Term(b"x" * 32, 1, 0, 8000)] * 20
    windows = [len(window.terms) for window in read_windows(context, terms)]
    assert windows == [8, 8, 4]


@pytest.mark.any_database
def test_terms_that_go_on_where_others_end_are_kept_as_one(context, sender):
    upload = Upload()
    upload.send_xorbs(sender)
    record = upload.record(terms=[(0, 1, 2), (0, 2, 4), (1, 0, 2), (0, 1, 4), (0, 0, 1), (0, 0, 1)])
    assert sender.send_shard(pack_shard([record], [])).status_code == 200
    with reading(context) as work:
        kept = TermTable(work.session.scalar(select(File.terms)))
    assert [(term.start, term.end) for term in kept.slice(0, len(kept))] == [run[1:] for run in upload.terms]
    assert read(context, sender, upload.oid) == upload.content


@pytest.mark.any_database
def test_chunks_whose_bytes_are_gone_make_no_file(context, sender, count_rows):
    upload = Upload()
    upload.send_xorbs(sender)
    delete_xorb(context, upload.names[1])
    before = count_rows()
    assert sender.send_shard(upload.shard()).json["code"] == "shard_not_proved"
    assert lines_of(sender.send_shard(upload.shard(), version=2))[-1]["type"] == "error"
    assert count_rows() == before


def test_a_xorb_that_is_collected_meanwhile_makes_no_file(context, sender, tmp_path, count_rows):
    upload = Upload()
    upload.send_xorbs(sender)
    (tmp_path / "shard").write_bytes(upload.shard())
    begun = begin_registration(context, actor=sender.actor, repository_id=sender.repository.id, path=tmp_path / "shard")
    assert [*verify_files(context, begun)][-1] == begun.total_bytes == len(upload.content)
    with unit_of_work(context) as work:
        work.session.execute(delete(Xorb).where(Xorb.hash == upload.names[1]))
    before = count_rows()
    with pytest.raises(HubError) as refusal:
        register(context, begun)
    assert refusal.value.code == "shard_not_proved"
    assert count_rows() == before


@pytest.mark.any_database
def test_stored_chunks_that_are_damaged_make_no_file(context, sender, count_rows):
    """The disk gives other bytes than it took."""
    upload = Upload()
    upload.send_xorbs(sender, STORED)
    path = context[STORE].local_path(xorb_key(upload.names[0]))
    good, before = path.read_bytes(), count_rows()
    flipped = bytearray(good)
    flipped[100] ^= 1
    for spoilt, status, code in (
        (good[:20_000], 500, "xorb_damaged"),
        (b"\1" * len(good), 500, "xorb_damaged"),
        (bytes(flipped), 400, "hash_mismatch"),
    ):
        path.write_bytes(spoilt)
        answer = sender.send_shard(upload.shard())
        assert (answer.status_code, answer.json["code"]) == (status, code)
        assert count_rows() == before
    path.write_bytes(good)
    assert sender.send_shard(upload.shard()).status_code == 200


@pytest.mark.any_database
@pytest.mark.settings(quota_bytes=100_000)
def test_what_the_quota_has_no_room_for_is_refused(sender, count_rows):
    upload = Upload()
    upload.send_xorbs(sender)
    before, content = count_rows(), upload.content * 2
    record = upload.record(oid=hashlib.sha256(content).hexdigest(), terms=upload.terms * 2)
    for version in (1, 2):
        refused = sender.send_shard(pack_shard([upload.record(), record], []), version=version)
        assert (refused.status_code, refused.json["code"]) == (413, "quota_exceeded")
    assert count_rows() == before


@pytest.mark.any_database
@pytest.mark.settings(max_lfs_object_size_bytes=50_000)
def test_a_file_that_is_too_large_is_refused(sender):
    upload = Upload()
    upload.send_xorbs(sender)
    assert sender.send_shard(upload.shard()).status_code == 413


@pytest.mark.any_database
def test_rights_are_those_of_the_moment(context, make_sender, make_user, ada):
    bob, repository = make_user("bob"), make_sender(ada, private=True).repository
    with unit_of_work(context) as work:
        work.session.add(
            Grant(
                resource_type="repository",
                resource_id=repository.id,
                user_id=bob.id,
                role=Role.WRITE,
                created_at=work.now(),
            )
        )
    upload, guest = Upload(), make_sender(bob, repository)
    upload.send_xorbs(guest)
    assert guest.send_shard(upload.shard()).status_code == 200
    with unit_of_work(context) as work:
        work.session.execute(delete(Grant))
    assert guest.send_shard(upload.shard()).status_code == 404


def test_the_same_shard_from_many_sides_at_once(context, make_sender, ada, count_rows):
    upload = Upload()
    senders = [make_sender(ada, name=f"thing{number}") for number in range(4)]
    upload.send_xorbs(senders[0])
    gate, answers = threading.Barrier(len(senders)), []

    def send(sender):
        client = sender.client.application.test_client()
        gate.wait()
        answers.append(client.post("/xet/v1/shards", data=upload.shard(), headers=sender.headers).get_json())

    threads = [threading.Thread(target=send, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"result": 1}] * len(senders)
    kept = count_rows()
    assert (kept["xnet_files"], kept["lfs_objects"], kept["lfs_links"]) == (1, 1, len(senders))


@pytest.mark.any_database
def test_many_files_take_no_more_queries_than_a_few(sender, count_queries):
    counts = []
    for amount in (3, 60):
        chunks = make_chunks(amount, amount)
        nodes = nodes_of(chunks)
        name = tree_hash(nodes)
        sender.send_xorb(name, pack_xorb(chunks))
        records = [
            file_record([(name, nodes, number, number + 1)], hashlib.sha256(chunk).hexdigest())
            for number, chunk in enumerate(chunks)
        ]
        with count_queries() as queries:
            assert sender.send_shard(pack_shard(records, [xorb_record(name, nodes)])).json == {"result": 1}
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.any_database
def test_a_file_over_the_whole_way(context, sender):
    """As a client cuts it, in one xorb."""
    data = random.Random(8).randbytes(400_000)
    name, body, shard = make_upload(data)
    sender.send_xorb(name, body)
    sender.send_shard(shard)
    assert read(context, sender, hashlib.sha256(data).hexdigest()) == data
    assert [*context[STORE].list("lfs/")] == []


@pytest.mark.any_database
def test_it_is_the_same_on_s3(context, s3_storage_url, sender, count_rows):
    context.settings = dataclasses.replace(context.settings, storage_url=s3_storage_url)
    context._values[STORE.name] = create_store(context.settings)
    upload, other = Upload(), Upload(2)
    upload.send_xorbs(sender)
    before = count_rows()
    assert before["objects"] == before["xnet_xorbs"] == 2
    assert sender.send_xorb(other.names[0], pack_xorb(other.halves[0])[:-1]).status_code == 400
    assert count_rows() == before
    delete_xorb(context, upload.names[1])
    assert sender.send_shard(upload.shard()).json["code"] == "shard_not_proved"
    upload.send_xorbs(sender)
    assert sender.send_shard(upload.shard()).json == {"result": 1}
    assert read(context, sender, upload.oid) == upload.content
