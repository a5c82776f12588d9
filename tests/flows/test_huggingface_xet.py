"""hf_xet, unmodified, on a running hub. Contract: xet-protocol.md, section 11."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.assets import sha256_of
from tests.support.git import GitUser
from tests.support.hub import Account, HubServer
from tests.support.huggingface import HuggingFace
from tests.support.noise import edit, write_noise
from tests.support.processes import wait_until
from tests.support.proxy import counting_proxy, cutting_proxy
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
# `make bench` does the same with a gibibyte.
LARGE_BYTES = 256 * MIB


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with scratch_directory("xet") as directory, HubServer(directory / "home", {"ssh_port": 0}) as server:
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture
def client(hub: HubServer, account: Account, tmp_path: Path) -> HuggingFace:
    return HuggingFace(tmp_path / "person", hub.url + "/hf", account.token)


def entries_of(account: Account, name: str) -> dict[str, dict]:
    return {entry["path"]: entry for entry in account.api.get(f"/hf/api/models/{name}/tree/main").json}


def test_files_of_every_sort_come_back_whole(client, account, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_noise(source / "noise.bin", 70 * MIB + 7, seed=1)
    (source / "zeros.bin").write_bytes(bytes(10 * MIB))
    (source / "text.bin").write_text("".join(f"{number} words, and more of them\n" for number in range(200_000)))
    name = f"{account.name}/sorts"
    client.hf("upload", name, source, ".")
    ways = {"v2": {}, "several ranges": {"HF_XET_CLIENT_ENABLE_MULTIRANGE_FETCHING": "1"}}
    for number, environment in enumerate(ways.values()):
        other = client.with_(home=tmp_path / f"other{number}", environment=environment)
        other.hf("download", name, "--local-dir", tmp_path / f"out{number}")
        for file in source.iterdir():
            assert sha256_of(tmp_path / f"out{number}" / file.name) == sha256_of(file), file.name
    # Ranges of what lies in chunks, by plain HTTP.
    content = (source / "noise.bin").read_bytes()
    for start, end in ((0, 0), (65_535, 40 * MIB), (70 * MIB, 70 * MIB + 6)):
        headers = {"Range": f"bytes={start}-{end}"}
        found = account.api.get(f"/hf/{name}/resolve/main/noise.bin", headers=headers)
        assert (found.status, found.body == content[start : end + 1]) == (206, True)


def test_a_file_is_one_download_of_a_day_in_whatever_ways_it_comes(client, account, hub, git_user: GitUser, tmp_path):
    source = write_noise(tmp_path / "weights.bin", MIB, seed=5)
    name = f"{account.name}/counted"
    client.hf("upload", name, source)
    for number, xet in enumerate((True, True, False)):
        other = client.with_(home=tmp_path / f"person{number}", xet=xet)
        other.hf("download", name, source.name, "--local-dir", tmp_path / f"out{number}")
    git_user.clone(account.address(f"models/{name}"), tmp_path / "clone")
    colleague = HuggingFace(tmp_path / "colleague", hub.url + "/hf", hub.new_account().token)
    colleague.hf("download", name, source.name, "--local-dir", tmp_path / "theirs")
    for folder in ("out0", "out2", "clone", "theirs"):
        assert sha256_of(tmp_path / folder / source.name) == sha256_of(source), folder

    def told():
        return account.api.get(f"/api/v1/models/{name}/downloads?days=2").json["data"]

    # A clone, and the file for each of two people; all of it once more if a day ended meanwhile.
    wait_until(lambda: sum(day["downloads"] for day in told()["days"]) >= 3, what="a clone and a file for two")
    wait_until(lambda: told()["files"], what="the file")
    days, [file] = [day for day in told()["days"] if day["downloads"]], told()["files"]
    assert file["path"] == source.name
    assert file["downloads"] <= 2 * len(days)
    assert all(day["downloads"] <= 3 for day in days)


def test_an_edited_file_moves_little_though_the_client_is_new(client, account, hub, git_user: GitUser, tmp_path):
    first = write_noise(tmp_path / "first.bin", LARGE_BYTES, seed=2)
    second = edit(first, tmp_path / "second.bin")
    name = f"{account.name}/edited"
    client.hf("upload", name, first, "weights.bin")
    with counting_proxy(hub.port) as proxy:
        newcomer = client.with_(home=tmp_path / "newcomer", url=f"{proxy.url}/hf")
        newcomer.hf("upload", name, second, "weights.bin")
        assert proxy.sent_bytes + proxy.received_bytes <= 0.04 * LARGE_BYTES
    git_user.clone(account.address(f"models/{name}"), tmp_path / "clone")
    assert sha256_of(tmp_path / "clone" / "weights.bin") == sha256_of(second)


def test_addresses_of_every_age_of_the_client_are_served(hub):
    """test_huggingface.py drives clients of three ages; those between ask for the second form. Here: not 404."""
    name = "0" * 64
    for form in ("/v1/{}s", "/{}s", "/{}"):
        for thing, tail, method in (
            ("reconstruction", f"/{name}", "GET"),
            ("chunk", f"/default-merkledb/{name}", "GET"),
            ("xorb", f"/default/{name}", "POST"),
            ("shard", f"/default/{name}" if form == "/{}" else "", "POST"),
        ):
            path = "/xet" + form.format(thing) + tail
            assert hub.api.request(method, path).status == 401, path


def test_whoever_may_only_read_cannot_upload(client, account, hub, tmp_path):
    name = f"{account.name}/guarded"
    account.create_repository("guarded")
    source = write_noise(tmp_path / "noise.bin", 6 * MIB, seed=3)
    reader = client.with_(token=hub.new_token(account.name, scope="read"))
    refused = reader.hf("upload", name, source, "noise.bin", check=False)
    assert not refused.ok
    assert "403" in refused.error + refused.output
    assert "noise.bin" not in entries_of(account, name)


# What is asked for when everything dies: the second xorb, the shard, the commit. And a size that gets so far.
MOMENTS = {
    "xorbs": (b"POST /xet/v1/xorbs/", 2, 80 * MIB),
    "shard": (b"/shards", 1, 9 * MIB),
    "commit": (b"/commit/main", 1, 9 * MIB),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_everything_dies_in_the_middle_of_an_upload(start_hub, tmp_path, moment):
    hub = start_hub(ssh_port=0)
    account = hub.create_user("ada")
    client = HuggingFace(tmp_path / "person", "", account.token)
    marker, count, size_bytes = MOMENTS[moment]
    source = write_noise(tmp_path / "noise.bin", size_bytes, seed=4)
    name = "ada/thing"
    account.create_repository("thing")
    uploads = []

    def watch(head: bytes) -> None:
        if marker in head.split(b"\r\n")[0]:
            uploads.append(head)
            if len(uploads) == count:
                hub.kill()
                os.killpg(running.pid, signal.SIGKILL)

    with cutting_proxy(hub.port, marker=b"", after_bytes=0, cuts=0) as proxy:
        proxy.watch = watch
        client = client.with_(url=f"{proxy.url}/hf")
        running = client.start("hf", "upload", name, str(source), "noise.bin")
        running.communicate(timeout=120)
    assert len(uploads) >= count, "nothing was killed in the middle"
    hub.start()
    # Nothing is visible that cannot be read.
    assert "noise.bin" not in entries_of(account, name)
    with cutting_proxy(hub.port, marker=b"", after_bytes=0, cuts=0) as proxy:
        client = client.with_(url=f"{proxy.url}/hf")
        client.hf("upload", name, source, "noise.bin")
        sent = [line for line in proxy.lines if "/xet/v1/xorbs/" in line]
    if moment == "commit":
        assert sent == [], "what the hub had is not sent again"
    assert entries_of(account, name)["noise.bin"]["size"] == size_bytes
    client.with_(home=tmp_path / "other", url=f"{hub.url}/hf").hf("download", name, "--local-dir", tmp_path / "out")
    assert sha256_of(tmp_path / "out" / "noise.bin") == sha256_of(source)
