"""What clients are told of chunks that the hub has."""

import hashlib
import itertools
import random
import struct

import pytest
from sqlalchemy import select, update

from hub.db.uow import reading, unit_of_work
from hub.plugin.host import PLUGINS
from hub.repos.models import Repository
from plugins.xnet.formats.hashes import chunk_hash, hmac_hash, is_dedup_eligible, tree_hash
from plugins.xnet.models import Xorb
from plugins.xnet.settings import XnetSettings
from tests.support.xet_client import file_record, nodes_of, pack_shard, pack_xorb, xorb_record

pytestmark = pytest.mark.any_database

DAY_S = 24 * 3600
# Bit 31: the client asks for this chunk by its hash.
FLAGGED = 1 << 31


def make_chunks(seed, count=6):
    chance = random.Random(seed)
    return [chance.randbytes(9000 + number) for number in range(count)]


def send_file(sender, *xorbs, flags=0):
    """A file of all chunks of these xorbs, each a list of chunks."""
    terms, records, content = [], [], b""
    for chunks in xorbs:
        nodes = nodes_of(chunks)
        name = tree_hash(nodes)
        assert sender.send_xorb(name, pack_xorb(chunks)).status_code == 200
        terms.append((name, nodes, 0, len(nodes)))
        records.append(xorb_record(name, nodes, flags=flags))
        content += b"".join(chunks)
    shard = pack_shard([file_record(terms, hashlib.sha256(content).hexdigest())], records)
    assert sender.send_shard(shard).status_code == 200


def read_answer(answer):
    """(xorb -> its keyed chunk hashes, key, created, expires) of an answer."""
    assert answer.status_code == 200
    body = answer.data
    assert struct.unpack_from("<QQ", body, 32) == (2, 200)
    assert body[48:80] == b"\xff" * 32, "no file is told of"
    place, xorbs = 96, {}
    while body[place : place + 32] != b"\xff" * 32:
        name, _, count = struct.unpack_from("<32sII", body, place)
        xorbs[name] = [body[place + 48 * n : place + 48 * n + 32] for n in range(1, count + 1)]
        place += 48 * (count + 1)
    assert place + 48 == len(body) - 200
    key = body[-200 + 72 : -200 + 104]
    return xorbs, key, *struct.unpack_from("<QQ", body, len(body) - 200 + 104)


@pytest.fixture
def ada(make_user):
    return make_user("ada")


def test_an_answer_is_under_a_key_of_its_own(clock, make_sender, ada):
    sender, one, two = make_sender(ada), make_chunks(1), make_chunks(2)
    send_file(sender, one, two)
    xorbs, key, created, expires = read_answer(sender.ask_for(chunk_hash(one[0])))
    # With what is beside it in the file.
    assert xorbs == {
        tree_hash(nodes_of(chunks)): [hmac_hash(key, chunk_hash(chunk)) for chunk in chunks] for chunks in (one, two)
    }
    assert (created, expires) == (int(clock.now().timestamp()), int(clock.now().timestamp()) + 3 * DAY_S)
    assert key != bytes(32)
    assert read_answer(sender.ask_for(chunk_hash(one[0])))[1] != key


def test_three_kinds_of_chunks_can_be_asked_for(make_sender, ada):
    sender = make_sender(ada)
    eligible = next(
        chunk
        for chunk in (b"%d" % number + bytes(8192) for number in itertools.count())
        if is_dedup_eligible(chunk_hash(chunk))
    )
    plain, flagged = make_chunks(1), make_chunks(2)
    send_file(sender, [*plain, eligible])
    assert sender.ask_for(chunk_hash(plain[0])).status_code == 200
    assert sender.ask_for(chunk_hash(eligible)).status_code == 200
    assert sender.ask_for(chunk_hash(plain[1])).status_code == 404
    send_file(sender, flagged, flags=FLAGGED)
    assert {sender.ask_for(chunk_hash(chunk)).status_code for chunk in flagged} == {200}


def test_nobody_hears_of_chunks_that_they_may_not_read(context, make_sender, ada, make_user):
    chunks = make_chunks(1)
    owner, name = make_sender(ada, private=True), chunk_hash(chunks[0])
    send_file(owner, chunks)
    assert owner.ask_for(name).status_code == 200
    stranger = make_sender(make_user("bob"))
    hidden, unknown = stranger.ask_for(name), stranger.ask_for(bytes(32))
    assert (hidden.status_code, hidden.json) == (unknown.status_code, unknown.json)
    assert hidden.status_code == 404
    # Behind a gate it is for those who pass it; the owner does.
    _change(context, owner.repository, is_private=False, gate="manual")
    assert stranger.ask_for(name).status_code == 404
    assert owner.ask_for(name).status_code == 200
    _change(context, owner.repository, gate="")
    assert stranger.ask_for(name).status_code == 200
    _change(context, owner.repository, is_private=True)
    # Who has sent the same learns of it again, with what is theirs and no more.
    send_file(owner, chunks, make_chunks(2))
    send_file(stranger, chunks)
    assert [*read_answer(stranger.ask_for(name))[0]] == [tree_hash(nodes_of(chunks))]


def _change(context, repository, **values):
    with unit_of_work(context) as work:
        work.session.execute(update(Repository).where(Repository.id == repository.id).values(**values))


def test_what_was_told_of_is_kept_for_weeks(context, clock, make_sender, ada):
    sender, chunks = make_sender(ada), make_chunks(1)
    send_file(sender, chunks)

    def seen_after(seconds):
        clock.advance(seconds)
        # A ticket lives for half an hour.
        make_sender(ada, sender.repository).ask_for(chunk_hash(chunks[0]))
        with reading(context) as work:
            return work.session.scalar(select(Xorb.seen_at))

    began = clock.now()
    assert seen_after(1800) == began
    assert seen_after(DAY_S) == clock.now()


def test_it_can_be_switched_off(context, make_sender, ada):
    sender, chunks = make_sender(ada), make_chunks(1)
    send_file(sender, chunks)
    context[PLUGINS]._settings[XnetSettings] = XnetSettings(dedup=False)
    assert sender.ask_for(chunk_hash(chunks[0])).status_code == 404
