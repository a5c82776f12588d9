"""Contents that came whole are cut into chunks by the real library, against a real hub."""

import hashlib
import os
import random
import subprocess
import sys
from datetime import timedelta

import pytest
import urllib3
from sqlalchemy import select

from hub.accounts.policy import SYSTEM
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.objects.store import STORE
from hub.plugin.lfs import hold_contents
from hub.repos.lfs.contents import get_content
from hub.repos.lfs.holdings import object_key
from hub.repos.models import LFSObject
from plugins.xnet import conversion
from plugins.xnet.conversion import JOB, drop_released_copies, release_plain_copy
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.formats.xorbs import decode_chunks
from plugins.xnet.models import Release
from plugins.xnet.settings import XnetSettings
from tests.support.jobs import run_now
from tests.support.lfs import LFSClient
from tests.support.processes import wait_until
from tests.support.xet import start_xnet, store_file, store_xorb

MIB = 1024 * 1024


def count_files(hub):
    return hub.rows("SELECT count(*) FROM xnet_files")[0][0]


def upload(account, path, content):
    return LFSClient(account.api, path).upload(content)


DOWNLOAD = """
import sys, hf_xet
url, token, name, size, path = sys.argv[1:]
session = hf_xet.XetSession()
with session.new_file_download_group(endpoint=url, token=token, token_expiry_unix_secs=4000000000) as group:
    group.start_download_file(hf_xet.XetFileInfo(name, int(size)), path)
"""


def download(account, path, oid, size_bytes, folder, **flags):
    """The SHA-256 of what the clients' library gets. flags: its variables ``HF_XET_CLIENT_...``."""
    ticket = account.api.get(f"/api/{path}/xet-read-token/main").json
    [(raw,)] = account.hub.rows("SELECT hash FROM xnet_files WHERE oid = :oid", oid=oid)
    given = [ticket["casUrl"], ticket["accessToken"], hash_to_text(bytes(raw)), str(size_bytes), str(folder / "got")]
    environment = {**os.environ, "HF_XET_CACHE": str(folder / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment |= {f"HF_XET_CLIENT_{name}": value for name, value in flags.items()}
    subprocess.run([sys.executable, "-c", DOWNLOAD, *given], env=environment, check=True, timeout=120)
    with (folder / "got").open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@pytest.fixture
def whole(context, make_user, make_repository):
    """``whole(seed)``: a file that the hub has whole and in chunks, and how it is opened."""
    start_xnet(context)
    repository = make_repository(make_user("ada"))

    def make(seed):
        file = store_file(context, repository.id, [(store_xorb(context, [b"one", b"two" * seed]), 0, 2)])
        context[STORE].put(object_key(file.oid), [file.content])
        with unit_of_work(context) as work:
            work.session.get(LFSObject, file.oid).source = ""
        return file, lambda: get_content(context, actor=SYSTEM, repository_id=repository.id, oid=file.oid)

    return make


def test_a_plain_copy_goes_when_those_who_read_it_are_done(context, clock, whole):
    file, find = whole(5)
    before = find()
    release_plain_copy(context, file.oid)
    release_plain_copy(context, file.oid)
    assert (before.source, find().source) == ("", "xnet")
    assert b"".join(find().open_range(1, 3)) == file.content[1:4]
    # Who had found it before still reads it.
    assert drop_released_copies(context) == 0
    assert b"".join(before.open_range(0, 3)) == file.content[:3]
    clock.advance(timedelta(days=4).total_seconds())
    assert drop_released_copies(context) == 1
    assert context[STORE].find(object_key(file.oid)) is None
    assert b"".join(find().open_range(0, len(file.content))) == file.content
    assert drop_released_copies(context) == 0


@pytest.mark.any_database
def test_a_copy_that_the_store_keeps_again_is_not_removed(context, clock, whole):
    file, find = whole(6)
    release_plain_copy(context, file.oid)
    with unit_of_work(context) as work:
        work.session.get(LFSObject, file.oid).source = ""
    clock.advance(timedelta(days=4).total_seconds())
    drop_released_copies(context)
    assert b"".join(find().open_range(0, 3)) == b"one"
    with reading(context) as work:
        assert work.session.get(Release, file.oid) is None


@pytest.mark.any_database
def test_what_is_not_in_chunks_is_not_released(context, whole):
    whole(7)
    oid = "ab" * 32
    with unit_of_work(context) as work:
        work.session.add(LFSObject(oid=oid, size_bytes=1, created_at=work.now()))
    release_plain_copy(context, oid)
    with reading(context) as work:
        assert work.session.get(LFSObject, oid).source == ""


@pytest.mark.any_database
def test_a_round_that_takes_long_goes_on_later_where_it_was(context, make_user, make_repository, monkeypatch):
    start_xnet(context)
    repository = make_repository(make_user("ada"))
    with unit_of_work(context) as work:
        contents = {f"{number:064x}": MIB for number in range(3)} | {"f" * 64: MIB - 1}
        hold_contents(work, actor=SYSTEM, repository_id=repository.id, contents=contents, source="")
    monkeypatch.setattr(conversion, "_TURN_S", 0)
    run_now(context, JOB, after=f"{0:064x}")
    with reading(context) as work:
        [waiting] = work.session.scalars(select(Job).where(Job.name == JOB, Job.state == JobState.QUEUED))
    assert waiting.args == {"after": f"{0:064x}"}
    left = [content for content, _ in conversion._list_contents(context, XnetSettings(), waiting.args["after"])]
    assert [content.oid for content in left] == [f"{1:064x}", f"{2:064x}"]
    assert {content.repository_id for content in left} == {repository.id}


@pytest.mark.slow
def test_what_came_whole_is_in_chunks_in_time_and_reads_the_same_ever_after(start_hub, tmp_path):
    hub = start_hub(xnet_min_convert_bytes=1000, ssh_port=0)
    ada = hub.new_account()
    path = ada.create_repository(private=True)
    chance = random.Random(5)
    # One that cannot be compressed; a later version of it; one of zeros; one that is too small.
    first = chance.randbytes(12 * MIB)
    second = first[: 5 * MIB] + chance.randbytes(100) + first[5 * MIB :]
    contents = [first, second, bytes(3 * MIB), b"small" * 100]
    oids = [upload(ada, path, content) for content in contents]
    hub.cli("xnet", "convert")
    wait_until(lambda: count_files(hub) == 3, what="the contents to be cut")
    figures = hub.cli_json("xnet", "status")
    assert (figures["files"], figures["file_bytes"]) == (3, sum(map(len, contents[:3])))
    # The second version brought next to nothing, the zeros less.
    assert figures["stored_bytes"] < 13 * MIB
    assert {row[0] for row in hub.rows("SELECT source FROM lfs_objects")} == {""}
    # Once more changes nothing.
    hub.cli("xnet", "convert")
    wait_until(lambda: not hub.rows("SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND name LIKE 'xnet%'"),
               what="the second round")  # fmt: skip
    assert hub.cli_json("xnet", "status") == figures
    # The client gets the edited version, of which one xorb has two pieces, by either form.
    for flags in ({"ENABLE_MULTIRANGE_FETCHING": "1"}, {"RECONSTRUCTION_API_VERSION": "1"}):
        assert download(ada, path, oids[1], len(second), tmp_path, **flags) == oids[1]
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


@pytest.mark.slow
def test_from_an_object_store_that_sends_by_itself_and_without_plain_copies(start_hub, s3_storage_url, tmp_path):
    hub = start_hub(storage_url=s3_storage_url, xnet_keep_plain_copies=False, ssh_port=0)
    ada = hub.new_account()
    path = ada.create_repository()
    content = random.Random(6).randbytes(2 * MIB)
    oid = upload(ada, path, content)
    hub.cli("xnet", "convert")
    wait_until(lambda: hub.rows("SELECT oid FROM xnet_releases") == [(oid,)], what="the release")
    ticket = ada.api.get(f"/api/{path}/xet-read-token/main").json
    [(raw,)] = hub.rows("SELECT hash FROM xnet_files")
    address = f"/xet/v1/reconstructions/{hash_to_text(bytes(raw))}"
    headers = {"Authorization": f"Bearer {ticket['accessToken']}"}
    whole = ada.api.get(address, headers=headers).json
    part = ada.api.get(address, headers={**headers, "Range": "bytes=0-9"}).json
    bodies = []
    for answer in (whole, part):
        [[entry]] = answer["fetch_info"].values()
        span = entry["url_range"]
        asked = {"Range": f"bytes={span['start']}-{span['end']}"}
        got = urllib3.request("GET", entry["url"], headers=asked)
        assert (got.status, len(got.data)) == (206, span["end"] + 1 - span["start"])
        bodies.append(b"".join(decode_chunks(got.data)))
    assert bodies[0] == content
    assert content.startswith(bodies[1])
    assert len(bodies[1]) < len(content)
    # Straight from the store, which gives away what was signed for and no more.
    assert not entry["url"].startswith(hub.url)
    assert urllib3.request("GET", entry["url"], headers={"Range": "bytes=0-9"}).status == 403
    assert download(ada, path, oid, len(content), tmp_path) == oid
    lfs = LFSClient(ada.api, path)
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content
