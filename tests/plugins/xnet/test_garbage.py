"""What nothing needs any more goes, and nothing else."""

import hashlib
import os
import random
import threading

import pytest
from sqlalchemy import delete, select

from hub.base.metrics import METRICS
from hub.db.uow import reading, unit_of_work
from hub.objects.store import STORE
from hub.repos.lfs.garbage import collect_garbage as collect_lfs_garbage
from hub.repos.models import LFSLink
from plugins.xnet.formats.hashes import tree_hash
from plugins.xnet.garbage import collect_garbage
from plugins.xnet.models import File, FileXorb, Xorb
from plugins.xnet.storage import PREFIX, xorb_key
from tests.support.xet_client import file_record, nodes_of, pack_shard, pack_xorb

DAY_S = 24 * 3600


def make_xorb(seed):
    chance = random.Random(seed)
    chunks = [chance.randbytes(9000) for _ in range(3)]
    return chunks, tree_hash(nodes_of(chunks))


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def sender(make_sender, ada):
    return make_sender(ada)


def send_file(sender, seed):
    """A file of one xorb; returns the xorb's hash and the file's oid."""
    chunks, name = make_xorb(seed)
    assert sender.send_xorb(name, pack_xorb(chunks)).status_code == 200
    oid = hashlib.sha256(b"".join(chunks)).hexdigest()
    assert sender.send_shard(pack_shard([file_record([(name, nodes_of(chunks), 0, 3)], oid)], [])).status_code == 200
    return name, oid


def xorbs_of(context):
    """The hashes of the rows, which are those of the stored objects."""
    with reading(context) as work:
        rows = {*work.session.scalars(select(Xorb.hash))}
    assert {info.key for info in context[STORE].list(PREFIX)} == {xorb_key(row) for row in rows}
    return rows


def test_xorbs_go_when_no_file_uses_them_and_nobody_mentioned_them_for_weeks(context, clock, make_sender, ada, sender):
    used, _ = send_file(sender, 1)
    chunks, unused = make_xorb(2)
    sender.send_xorb(unused, pack_xorb(chunks))
    clock.advance(27 * DAY_S)
    assert collect_garbage(context).xorbs == 0
    again, mentioned = make_xorb(3)
    later = make_sender(ada, sender.repository)
    later.send_xorb(mentioned, pack_xorb(again))
    clock.advance(2 * DAY_S)
    done = collect_garbage(context)
    assert (done.xorbs, done.orphans, done.size_bytes) == (1, 0, len(pack_xorb(chunks)))
    assert xorbs_of(context) == {used, mentioned}
    # The file goes with the object that it is, and what it used in the next run.
    with unit_of_work(context) as work:
        work.session.execute(delete(LFSLink))
    collect_lfs_garbage(context, now=clock.now())
    with reading(context) as work:
        assert work.session.scalars(select(File.oid)).all() == []
        assert work.session.scalars(select(FileXorb.xorb_hash)).all() == []
    assert collect_garbage(context).xorbs == 1
    assert xorbs_of(context) == {mentioned}


@pytest.mark.any_database
def test_bytes_without_a_row_go_after_a_day(context, sender):
    used, _ = send_file(sender, 1)
    for seed, age_s in ((2, 3 * DAY_S), (3, 3600)):
        chunks, name = make_xorb(seed)
        context[STORE].put(xorb_key(name), [pack_xorb(chunks)])
        path = context[STORE].local_path(xorb_key(name))
        moment = context.clock.now().timestamp() - age_s
        os.utime(path, (moment, moment))
    context[STORE].put(f"{PREFIX}ab/notes.txt", [b"somebody's own"])
    os.utime(context[STORE].local_path(f"{PREFIX}ab/notes.txt"), (0, 0))
    done = collect_garbage(context)
    assert (done.xorbs, done.orphans) == (0, 1)
    _, young = make_xorb(3)
    keys = {info.key for info in context[STORE].list(PREFIX)}
    assert keys == {xorb_key(used), xorb_key(young), f"{PREFIX}ab/notes.txt"}
    with reading(context) as work:
        assert work.session.scalars(select(Xorb.hash)).all() == [used]


def test_a_xorb_that_a_file_begins_to_use_while_it_is_collected_stays(context, clock, sender):
    chunks, name = make_xorb(1)
    sender.send_xorb(name, pack_xorb(chunks))
    _, oid = send_file(sender, 2)
    clock.advance(29 * DAY_S)
    with unit_of_work(context) as work:
        file_hash = work.session.scalar(select(File.hash).where(File.oid == oid))
        work.session.add(FileXorb(file_hash=file_hash, xorb_hash=name))
        work.session.flush()
        # On PostgreSQL it finds the xorb unused, and waits; on SQLite it waits to write.
        collector = threading.Thread(target=collect_garbage, args=(context,))
        collector.start()
    collector.join()
    assert name in xorbs_of(context)


@pytest.mark.any_database
def test_the_figures_say_what_is_kept(context, sender):
    chunks, _ = make_xorb(1)
    send_file(sender, 1)
    figures = {
        name: next(iter(context[METRICS][name].read(context))).value
        for name in ("hub_xnet_raw_bytes", "hub_xnet_stored_bytes", "hub_xnet_files", "hub_xnet_file_bytes")
    }
    raw_bytes = sum(len(chunk) for chunk in chunks)
    assert figures == {
        "hub_xnet_raw_bytes": raw_bytes,
        "hub_xnet_stored_bytes": len(pack_xorb(chunks)),
        "hub_xnet_files": 1,
        "hub_xnet_file_bytes": raw_bytes,
    }
