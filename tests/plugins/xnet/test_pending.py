"""How much an account may send that no file pays for."""

import hashlib

import lz4.frame
import pytest
from sqlalchemy import select

from hub.db.uow import reading, unit_of_work
from hub.plugin.host import PLUGINS
from hub.repos.models import Repository
from plugins.xnet.formats.hashes import tree_hash
from plugins.xnet.garbage import collect_garbage
from plugins.xnet.models import Pending
from plugins.xnet.settings import XnetSettings
from tests.support.xet_client import LZ4, file_record, nodes_of, pack_shard, pack_xorb, store

DAY_S = 24 * 3600
# Of 36 kB each: three of them are too many.
LIMIT = 100_000


class Upload:
    """A file of one xorb."""

    def __init__(self, seed):
        self.chunks = [bytes([seed, number]) * 4500 for number in range(4)]
        self.nodes = nodes_of(self.chunks)
        self.name, self.body = tree_hash(self.nodes), pack_xorb(self.chunks)

    def send(self, sender):
        return sender.send_xorb(self.name, self.body)

    def use(self, sender, end=4):
        oid = hashlib.sha256(b"".join(self.chunks[:end])).hexdigest()
        shard = pack_shard([file_record([(self.name, self.nodes, 0, end)], oid)], [])
        assert sender.send_shard(shard).status_code == 200


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def sender(context, make_sender, ada):
    sender = make_sender(ada)
    context[PLUGINS]._settings[XnetSettings] = XnetSettings(max_unused_bytes=LIMIT)
    return sender


def pending(context):
    with reading(context) as work:
        return {row.xorb_hash: row.unpaid_bytes for row in work.session.scalars(select(Pending))}


def test_what_no_file_pays_for_has_a_limit_of_its_own(context, clock, sender, make_sender, make_user, count_rows):
    one, two, three = Upload(1), Upload(2), Upload(3)
    assert one.send(sender).status_code == two.send(sender).status_code == 200
    before, refused = count_rows(), three.send(sender)
    assert (refused.status_code, refused.json["code"]) == (413, "quota_exceeded")
    assert count_rows() == before
    # The same again is no more than before; others have a limit of their own, and may not tell what is here already.
    assert one.send(sender).status_code == 200
    bob = make_sender(make_user("bob"))
    assert one.send(bob).status_code == three.send(bob).status_code == 200
    assert two.send(bob).status_code == 413
    # A file of a part pays for a part: 9 kB that count do not keep 36 kB that do not.
    one.use(sender, end=1)
    assert pending(context)[one.name] == 27_000
    assert three.send(sender).status_code == 413
    one.use(sender)
    assert pending(context).keys() == {two.name, three.name}
    assert three.send(sender).status_code == 200
    # What is given up is forgotten when it is collected, and what others use, as long after.
    clock.advance(29 * DAY_S)
    collect_garbage(context)
    assert pending(context) == {}


@pytest.mark.any_database
def test_what_the_repository_has_already_pays_for_nothing(context, sender):
    one = Upload(1)
    one.send(sender)
    for _ in range(2):
        one.use(sender, end=2)
    assert pending(context) == {one.name: 18_000}
    one.use(sender)
    assert pending(context) == {}
    # What its own files use it may send as often as it likes.
    assert one.send(sender).json == {"was_inserted": False}
    assert pending(context) == {}


@pytest.mark.any_database
def test_what_is_stored_counts_where_that_is_more(context, sender):
    """Chunks of a byte in frames of seventy."""
    with unit_of_work(context) as work:
        work.session.get(Repository, sender.repository.id).namespace.quota_bytes = 5_000
    chunks = [bytes([number]) for number in range(100)]
    name = tree_hash(nodes_of(chunks))
    assert sender.send_xorb(name, pack_xorb(chunks)).status_code == 200
    padded = [b"y" + chunk for chunk in chunks]

    def pad(chunk):
        frame = lz4.frame.compress(chunk, store_size=False)
        return store(len(chunk), frame[:7] + b"\1\0\0\0\0" * 8 + frame[7:], LZ4)

    body = b"".join(map(pad, padded))
    refused = sender.send_xorb(tree_hash(nodes_of(padded)), body)
    assert (refused.status_code, refused.json["code"]) == (413, "quota_exceeded")
