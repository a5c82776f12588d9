"""Git LFS as the real client and others that keep to its letter use it, and what is refused to those who do not."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest

from tests.support.http import HTTPClient
from tests.support.lfs import MEDIA_TYPE, LFSClient, oid_of, pointer_to
from tests.support.processes import wait_until

MIB = 1024 * 1024


@pytest.fixture
def lfs(checkout):
    """The owner's LFS client of the checkout's repository."""
    return LFSClient(checkout.account.api, checkout.path)


def track(checkout, pattern="*.dat"):
    checkout.user.git("lfs", "track", pattern, cwd=checkout.work_tree)
    checkout.user.git("add", ".gitattributes", cwd=checkout.work_tree)


# The real client


def test_many_objects_go_up_and_down(checkout, tmp_path, noise):
    track(checkout)
    files = {f"part{number:03}.dat": noise(20_000) for number in range(150)}
    for name, content in files.items():
        (checkout.work_tree / name).write_bytes(content)
    checkout.user.git("add", ".", cwd=checkout.work_tree)
    checkout.user.git("commit", "--quiet", "--message", "Many", cwd=checkout.work_tree)
    checkout.user.push(checkout.work_tree, "main")
    checkout.user.clone(checkout.url, tmp_path / "clone")
    assert {name: (tmp_path / "clone" / name).read_bytes() for name in files} == files


def test_what_a_hub_client_commits_to_lfs_is_whole_in_a_clone(checkout, lfs, tmp_path, noise):
    content = noise(MIB)
    oid = lfs.upload(content)
    lines = [
        {"key": "header", "value": {"summary": "No pattern matches it"}},
        {"key": "lfsFile", "value": {"path": "a b.dat0", "algo": "sha256", "oid": oid, "size": len(content)}},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    sent = checkout.account.api.request(
        "POST", f"/hf/api/{checkout.path}/commit/main", body=body, headers={"Content-Type": "application/x-ndjson"}
    )
    assert sent.status == 200, sent.body
    checkout.user.clone(checkout.url, tmp_path / "clone")
    assert (tmp_path / "clone" / "a b.dat0").read_bytes() == content
    assert checkout.user.git("status", "--porcelain", cwd=tmp_path / "clone").output == ""


def test_pushing_the_same_content_again_sends_no_bytes(checkout, noise):
    track(checkout)
    content = noise(MIB)
    checkout.user.commit(checkout.work_tree, {"a.dat": content})
    checkout.user.push(checkout.work_tree, "main")
    checkout.user.git("checkout", "--quiet", "-b", "side", "HEAD~1", cwd=checkout.work_tree)
    track(checkout)
    checkout.user.commit(checkout.work_tree, {"copy.dat": content})
    trace = {"GIT_TRACE": "1", "GIT_CURL_VERBOSE": "1"}
    done = checkout.user.push(checkout.work_tree, "side", environment=trace)
    assert "objects/batch" in done.error
    assert " PUT /" not in done.error


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(checkout, tmp_path, noise):
    track(checkout)
    content = noise(6 * MIB)
    checkout.user.commit(checkout.work_tree, {"a.dat": content})
    checkout.user.push(checkout.work_tree, "main")
    clone = tmp_path / "clone"
    checkout.user.git("clone", "--quiet", checkout.url, clone, environment={"GIT_LFS_SKIP_SMUDGE": "1"})
    incomplete = clone / ".git" / "lfs" / "incomplete"
    incomplete.mkdir(parents=True)
    for suffix in (".part", ".tmp"):  # its name has changed between releases of git-lfs
        (incomplete / f"{oid_of(content)}{suffix}").write_bytes(content[: 2 * MIB])
    done = checkout.user.git("lfs", "pull", cwd=clone, environment={"GIT_TRACE": "1", "GIT_CURL_VERBOSE": "1"})
    assert (clone / "a.dat").read_bytes() == content
    assert re.search(rf"range: bytes={2 * MIB}-", done.error, re.IGNORECASE)
    assert "server accepted resume download request" in done.error


def test_locks_are_taken_shown_respected_and_given_back(checkout, hub_server, tmp_path):
    user, work = checkout.user, checkout.work_tree
    track(checkout)
    user.commit(work, {"a.dat": b"1" * 1000})
    user.push(work, "main")
    user.git("lfs", "lock", "a.dat", cwd=work)
    [lock] = json.loads(user.git("lfs", "locks", "--json", cwd=work).output)
    assert lock["path"] == "a.dat"
    assert lock["owner"]["name"] == checkout.account.name
    assert not user.git("lfs", "lock", "a.dat", cwd=work, check=False).ok

    colleague = hub_server.new_account()
    added = checkout.account.api.put(f"/api/v1/{checkout.path}/collaborators/{colleague.name}", {"role": "write"})
    assert added.status in (200, 201), added.body
    theirs = tmp_path / "theirs"
    user.clone(colleague.address(checkout.path), theirs)
    user.git("config", f"lfs.{colleague.address(checkout.path)}/info/lfs.locksverify", "true", cwd=theirs)
    user.commit(theirs, {"a.dat": b"2" * 1000})
    refused = user.push(theirs, "main", check=False)
    assert not refused.ok
    assert checkout.account.name in refused.error
    assert not user.git("lfs", "unlock", "a.dat", cwd=theirs, check=False).ok

    user.git("lfs", "unlock", "a.dat", cwd=work)
    assert json.loads(user.git("lfs", "locks", "--json", cwd=work).output) == []
    assert user.push(theirs, "main").ok


def test_one_who_may_not_write_sees_locks_and_takes_none(checkout, hub_server, tmp_path):
    stranger = hub_server.new_account()
    user = checkout.user
    track(checkout)
    user.commit(checkout.work_tree, {"a.dat": b"1" * 1000})
    user.push(checkout.work_tree, "main")
    user.git("lfs", "lock", "a.dat", cwd=checkout.work_tree)
    user.clone(stranger.address(checkout.path), tmp_path / "clone")
    assert "a.dat" in user.git("lfs", "locks", cwd=tmp_path / "clone").output
    assert not user.git("lfs", "lock", "README.md", cwd=tmp_path / "clone", check=False).ok
    assert not user.git("lfs", "unlock", "--force", "a.dat", cwd=tmp_path / "clone", check=False).ok


# By hand


def test_a_range_of_an_object_is_served(lfs, noise):
    content = noise(MIB)
    lfs.upload(content)
    download = lfs.action("download", content)["actions"]["download"]
    whole = lfs.fetch(download)
    assert whole.body == content
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = lfs.fetch(download, Range="bytes=1000-1999")
    assert (part.status, part.body) == (206, content[1000:2000])
    assert lfs.fetch(download, Range="bytes=-10").body == content[-10:]
    assert lfs.fetch(download, Range=f"bytes={MIB}-").status == 416


def test_a_content_that_differs_from_its_id_is_refused_and_stays_unseen(lfs, noise):
    content = noise(100_000)
    upload = lfs.action("upload", content)["actions"]["upload"]
    for wrong in (noise(100_000), content[:-1], content + b"x", b""):
        answer = lfs.send(upload, wrong)
        assert 400 <= answer.status < 500, answer.body
        assert lfs.verify(content).status >= 400
        assert lfs.action("download", content)["error"]["code"] == 404
    assert lfs.send(upload, content).status in (200, 201)
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content


def test_a_chunked_upload_without_a_length_is_taken(lfs, noise):
    content = noise(300_000)
    upload = lfs.action("upload", content)["actions"]["upload"]
    chunks = (content[i : i + 10_000] for i in range(0, len(content), 10_000))
    assert lfs.send(upload, chunks).status in (200, 201)
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content


def test_the_same_object_uploaded_by_eight_at_once_is_stored_once(lfs, noise):
    content = noise(2 * MIB)
    upload = lfs.action("upload", content)["actions"]["upload"]
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: lfs.send(upload, content), range(8))]
    assert set(statuses) <= {200, 201}
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content


def edited_addresses(href, other_oid):
    """The signed address with each of its parts changed, one at a time."""
    parts = urlsplit(href)
    oid = re.search(r"[0-9a-f]{64}", href).group()
    yield href.replace(oid, other_oid)
    query = parse_qsl(parts.query)
    for index, (name, value) in enumerate(query):
        changed = str(int(value) + 1) if value.isdigit() else ("A" if value[0] != "A" else "B") + value[1:]
        yield urlunsplit(parts._replace(query=urlencode([*query[:index], (name, changed), *query[index + 1 :]])))
        yield urlunsplit(parts._replace(query=urlencode([*query[:index], *query[index + 1 :]])))


def test_an_edited_signed_address_is_refused(hub_server, lfs, noise):
    """Without the ``Authorization`` header, so that the signature alone decides."""
    content, other = noise(1000), noise(1000)
    lfs.upload(other)
    upload = lfs.action("upload", content)["actions"]["upload"]
    if not urlsplit(upload["href"]).query:
        pytest.fail("the upload address is not signed")
    for address in edited_addresses(upload["href"], oid_of(other)):
        assert hub_server.api.request("PUT", address, body=content).status in (401, 403, 404), address
    assert lfs.verify(content).status >= 400
    lfs.upload(content)
    download = lfs.action("download", content)["actions"]["download"]
    # A download from a private repository needs the signature; a public one may be read without.
    method = hub_server.api.request("DELETE", download["href"])
    assert method.status in (403, 405)


def test_a_signed_address_expires(start_hub, noise):
    hub = start_hub(lfs_url_ttl_s=2, ssh_port=0)
    account = hub.create_user("ada")
    path = account.create_repository(private=True)
    content = noise(1000)
    # By a way without addresses that expire.
    file = {"path": "weights.bin", "action": "create", "content": base64.b64encode(content).decode()}
    made = account.api.post(f"/api/v1/{path}/commit/main", {"message": "Weights", "files": [file]})
    assert made.status == 200, made.body
    lfs, anonymous, addresses = LFSClient(account.api, path), HTTPClient(hub.url), []

    def is_served() -> bool:
        # On a machine that stands still for a while an address may be over before it is asked for.
        addresses.append(lfs.action("download", content)["actions"]["download"]["href"])
        return anonymous.get(addresses[-1]).body == content

    wait_until(is_served, what="an address that serves")
    wait_until(lambda: anonymous.get(addresses[-1]).status in (401, 403, 404), what="expiry")
    anonymous.close()


def test_an_object_of_another_repository_is_not_there(lfs, hub_server, noise):
    """Who knows an id but not the content learns nothing and gets nothing."""
    secret_owner = hub_server.new_account()
    content = noise(50_000)
    LFSClient(secret_owner.api, secret_owner.create_repository("secret", private=True)).upload(content)

    never = noise(50_000)
    known, unknown = lfs.action("download", content), lfs.action("download", never)
    assert known["error"] == unknown["error"]
    assert known["error"]["code"] == 404
    assert set(lfs.action("upload", content)["actions"]) == set(lfs.action("upload", never)["actions"])
    assert lfs.verify(content).status == lfs.verify(never).status >= 400
    # Proof of possession: only the content itself makes it this repository's.
    assert lfs.send(lfs.action("upload", content)["actions"]["upload"], never).status >= 400
    assert lfs.action("download", content)["error"]["code"] == 404
    lfs.upload(content)
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content


def test_a_pointer_to_another_repositorys_object_cannot_be_pushed(checkout, hub_server, noise):
    owner = hub_server.new_account()
    content = noise(50_000)
    LFSClient(owner.api, owner.create_repository("secret", private=True)).upload(content)
    checkout.user.commit(checkout.work_tree, {"stolen.dat2": pointer_to(content)})
    assert not checkout.user.push(checkout.work_tree, "main", check=False).ok


def test_a_batch_of_ten_thousand_objects_is_refused_in_lfs_words(lfs):
    objects = [{"oid": f"{number:064x}", "size": number} for number in range(10_000)]
    answer = lfs.batch("download", objects)
    assert answer.status == 413
    assert answer.headers["Content-Type"].startswith(MEDIA_TYPE)
    assert "1000" in answer.json["message"].replace(",", "")
    assert lfs.batch("download", objects[:1000]).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"operation": "download"}',
        b'{"operation": "steal", "objects": []}',
        b'{"operation": "download", "objects": "x"}',
        b'{"operation": "download", "objects": [1]}',
        b'{"operation": "download", "objects": [{"oid": 1, "size": 1}]}',
        b'{"operation": "download", "objects": [], "hash_algo": "md5"}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_a_batch_that_makes_no_sense_is_refused_in_lfs_words(lfs, body):
    answer = lfs.request("POST", "/objects/batch", body=body)
    assert 400 <= answer.status < 500, answer.body
    assert answer.headers["Content-Type"].startswith(MEDIA_TYPE)
    assert answer.json["message"]


@pytest.mark.parametrize(
    "thing",
    [
        {"oid": "A" * 64, "size": 1},
        {"oid": "ab" * 31, "size": 1},
        {"oid": "../" + "a" * 61, "size": 1},
        {"oid": "ab" * 32, "size": -1},
        {"oid": "ab" * 32, "size": 10**30},
        {"oid": "ab" * 32, "size": "1"},
        {"oid": "ab" * 32},
    ],
    ids=["upper", "short", "dots", "negative", "huge", "text", "none"],
)
def test_an_object_that_makes_no_sense_is_refused(lfs, thing):
    answer = lfs.batch("upload", [thing])
    if answer.status == 200:
        [found] = answer.json["objects"]
        assert "actions" not in found
        assert 400 <= found["error"]["code"] < 500
    else:
        assert 400 <= answer.status < 500
        assert answer.json["message"]


def test_who_may_not_write_gets_no_upload_address(checkout, hub_server, noise):
    content = noise(1000)
    objects = [{"oid": oid_of(content), "size": len(content)}]
    anonymous = LFSClient(hub_server.api, checkout.path).batch("upload", objects)
    assert anonymous.status == 401
    assert "LFS-Authenticate" in anonymous.headers or "WWW-Authenticate" in anonymous.headers
    stranger, branch = hub_server.new_account(), {"name": "refs/heads/main"}
    assert LFSClient(stranger.api, checkout.path).batch("upload", objects, ref=branch).status == 403
    # Without a ref it is for a pull request, which everybody may open.
    assert LFSClient(stranger.api, checkout.path).batch("upload", objects).status == 200
    reader = HTTPClient(hub_server.url, hub_server.new_token(checkout.account.name, scope="read"))
    assert LFSClient(reader, checkout.path).batch("upload", objects).status == 403
    assert LFSClient(stranger.api, f"models/{checkout.account.name}/nothing").batch("upload", objects).status == 404


# Several parts, as the CSGHub SDK sends large files


@pytest.mark.parametrize("storage", ["file", "s3"])
def test_a_large_object_goes_up_in_parts(start_hub, request, noise, storage):
    settings = {"lfs_part_size_bytes": 5 * MIB}
    if storage == "s3":
        settings["storage_url"] = request.getfixturevalue("s3_storage_url")
    hub = start_hub(**settings)
    account = hub.create_user("ada")
    lfs = LFSClient(account.api, account.create_repository())
    content = noise(12 * MIB)
    thing = {"oid": oid_of(content), "size": len(content)}

    answer = lfs.batch("upload", [thing], transfers=["multipart", "basic"]).json
    assert answer["transfer"] == "multipart"
    upload = answer["objects"][0]["actions"]["upload"]
    size = int(upload["header"]["chunk_size"])
    parts = {int(name): address for name, address in upload["header"].items() if name.isdigit()}
    assert sorted(parts) == list(range(1, -(-len(content) // size) + 1))

    etags = {}
    for number, address in parts.items():
        sent = hub.api.request("PUT", address, body=content[(number - 1) * size : number * size])
        assert sent.status == 200, sent.body
        etags[number] = sent.headers["ETag"]
    # Not all parts are named: nothing becomes visible.
    some = {"oid": thing["oid"], "parts": [{"partNumber": 1, "etag": etags[1]}]}
    assert hub.api.post(upload["href"], some).status >= 400
    assert lfs.action("download", content)["error"]["code"] == 404

    every = {"oid": thing["oid"], "parts": [{"partNumber": n, "etag": etag} for n, etag in sorted(etags.items())]}
    tampered = upload["href"][:-1] + ("0" if upload["href"][-1] != "0" else "1")
    assert hub.api.post(tampered, every).status in (401, 403)
    answer = lfs.batch("upload", [thing], transfers=["multipart", "basic"]).json
    upload = answer["objects"][0]["actions"]["upload"]
    for number in sorted(int(name) for name in upload["header"] if name.isdigit()):
        sent = hub.api.request("PUT", upload["header"][str(number)], body=content[(number - 1) * size : number * size])
        etags[number] = sent.headers["ETag"]
    every["parts"] = [{"partNumber": n, "etag": etag} for n, etag in sorted(etags.items())]
    done = hub.api.post(upload["href"], every)
    assert done.status == 200, done.body
    assert lfs.verify(content).status == 200
    assert lfs.fetch(lfs.action("download", content)["actions"]["download"]).body == content
