"""Contents that came whole are cut into chunks by the real library, against a real hub."""

import hashlib
import random

import pytest

from tests.support.lfs import LFSClient
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


def count_files(hub):
    return hub.rows("SELECT count(*) FROM xnet_files")[0][0]


def upload(account, path, content):
    return LFSClient(account.api, path).upload(content)


def test_what_came_whole_is_in_chunks_in_time_and_reads_the_same_ever_after(start_hub):
    hub = start_hub(xnet_min_convert_bytes=1000)
    ada = hub.new_account()
    path = ada.create_repository(private=True)
    chance = random.Random(5)
    # One that cannot be compressed; a later version of it; one of zeros; one that is too small.
    first = chance.randbytes(12 * MIB)
    second = first[: 5 * MIB] + chance.randbytes(100) + first[5 * MIB :]
    contents = [first, second, bytes(3 * MIB), b"small" * 100]
    oids = [upload(ada, path, content) for content in contents]
    hub.cli("xnet", "convert")
    wait_until(lambda: count_files(hub) == 3, timeout_s=60, what="the contents to be cut")
    figures = hub.cli_json("xnet", "status")
    assert (figures["files"], figures["file_bytes"]) == (3, sum(map(len, contents[:3])))
    # The second version brought next to nothing, the zeros less.
    assert figures["stored_bytes"] < 13 * MIB
    assert {row[0] for row in hub.rows("SELECT source FROM lfs_objects")} == {""}
    # Once more changes nothing.
    hub.cli("xnet", "convert")
    wait_until(lambda: not hub.rows("SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND name LIKE 'xnet%'"),
               timeout_s=60, what="the second round")  # fmt: skip
    assert hub.cli_json("xnet", "status") == figures
    # Without the plain copies: the same bytes, from chunks.
    for oid in oids[:3]:
        hub.execute("UPDATE lfs_objects SET source = 'xnet' WHERE oid = :oid", oid=oid)
        [plain] = (hub.home / "objects" / "lfs").rglob(oid)
        plain.unlink()
    lfs = LFSClient(ada.api, path)
    for content in contents:
        got = lfs.fetch(lfs.action("download", content)["actions"]["download"])
        assert hashlib.sha256(got.body).hexdigest() == hashlib.sha256(content).hexdigest()
    assert [row[0] for row in hub.rows("SELECT DISTINCT state FROM jobs WHERE name = 'xnet.convert_objects'")] == [
        "succeeded"
    ]
