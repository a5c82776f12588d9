"""Git LFS as it looks on the wire."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
import urllib3
from sqlalchemy import update

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.app import create_app
from hub.base.settings import MIB
from hub.db.uow import reading, unit_of_work
from hub.objects.store import STORE, create_store
from hub.repos.downloads import DOWNLOADS, list_days
from hub.repos.lfs import service
from hub.repos.models import Repository
from tests.support.lfs import MEDIA_TYPE, oid_of
from tests.support.shelf import files_below

CONTENT = random.Random(9).randbytes(2 * MIB + 9)
OID, SIZE = oid_of(CONTENT), len(CONTENT)
ROOT = "/models/ada/thing.git/info/lfs"


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def repository(ada, make_repository):
    """A private repository of ada's."""
    return make_repository(ada, "thing", private=True)


@pytest.fixture
def headers(ada, make_token):
    """What ada's clients send."""
    return {"Authorization": f"Bearer {make_token(ada)}"}


@pytest.fixture
def hub(client, repository):
    """A client of a hub with that repository, for whom no unit of work is open."""
    return client


def batch(hub, operation, *objects, root=ROOT, headers=None, **fields):
    things = [{"oid": oid, "size": size} for oid, size in objects]
    body = {"operation": operation, "objects": things, **fields}
    return hub.post(f"{root}/objects/batch", json=body, headers=headers)


def action(hub, operation, headers, oid=OID, size=SIZE, **fields):
    answer = batch(hub, operation, (oid, size), headers=headers, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json["objects"][0]["actions"]


def local(address):
    """An address of the hub as its test client takes it."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def upload(hub, headers, content=CONTENT):
    steps = action(hub, "upload", headers, oid_of(content), len(content))
    assert hub.put(local(steps["upload"]["href"]), data=content).status_code == 200
    body = {"oid": oid_of(content), "size": len(content)}
    assert hub.post(local(steps["verify"]["href"]), json=body).status_code == 200


def assert_refused(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.mimetype == MEDIA_TYPE
    assert answer.json["message"]
    assert answer.json["request_id"]


def assert_asks_to_sign_in(answer):
    assert_refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == answer.headers["LFS-Authenticate"] == 'Basic realm="hub"'


# Batch.


def test_an_object_goes_up_and_down_by_addresses_that_need_no_credential(hub, headers):
    answer = batch(hub, "upload", (OID, SIZE), headers=headers, transfers=["basic"], hash_algo="sha256")
    assert answer.mimetype == MEDIA_TYPE
    assert answer.json["transfer"] == "basic"
    [thing] = answer.json["objects"]
    assert (thing["oid"], thing["size"], thing["authenticated"]) == (OID, SIZE, True)
    assert set(thing["actions"]) == {"upload", "verify"}
    assert thing["actions"]["upload"]["expires_in"] == 259_200
    assert thing["actions"]["upload"]["href"].startswith(f"http://127.0.0.1:8080{ROOT}/objects/{OID}/{SIZE}?")
    upload(hub, headers)
    assert "actions" not in batch(hub, "upload", (OID, SIZE), headers=headers).json["objects"][0]
    answer = hub.get(local(action(hub, "download", headers)["download"]["href"]))
    assert answer.data == CONTENT
    assert answer.headers["ETag"] == f'"{OID}"'


@pytest.mark.parametrize(
    "root",
    [
        "/models/ada/thing.git/info/lfs",
        "/models/ada/thing/info/lfs",
        "/models/ADA/Thing.git/info/lfs",
        "/ada/thing.git/info/lfs",
        "/hf/ada/thing.git/info/lfs",
        "/csg/models/ada/thing.git/info/lfs",
        "/ms/ada/thing.git/info/lfs",
    ],
)
def test_every_address_of_the_repository_serves_lfs(hub, headers, root):
    assert batch(hub, "download", (OID, SIZE), root=root, headers=headers).json["objects"][0]["error"]["code"] == 404
    assert hub.get(f"{root}/locks", headers=headers).json == {"locks": []}
    assert_asks_to_sign_in(batch(hub, "download", (OID, SIZE), root=root))


def test_other_kinds_have_addresses_of_their_own(client, ada, make_repository, headers):
    for kind, segments in (("dataset", ["datasets"]), ("mcpserver", ["mcpservers", "mcps"])):
        make_repository(ada, "thing", kind=kind)
        for segment in segments:
            answer = batch(client, "upload", (OID, SIZE), root=f"/{segment}/ada/thing.git/info/lfs", headers=headers)
            assert f"/{segments[0]}/ada/thing.git/" in answer.json["objects"][0]["actions"]["upload"]["href"]
    assert_refused(batch(client, "upload", (OID, SIZE), headers=headers), 404)


def test_who_may_not_is_told_what_they_may_know(hub, context, make_user, make_token, ada, make_repository, headers):
    make_repository(ada, "open")
    stranger = {"Authorization": f"Bearer {make_token(make_user('eve'))}"}
    reader = {"Authorization": f"Bearer {make_token(ada, 'read')}"}
    public, missing = "/models/ada/open.git/info/lfs", "/models/ada/nothing.git/info/lfs"
    for root in (ROOT, missing):
        for operation in ("download", "upload"):
            assert_asks_to_sign_in(batch(hub, operation, (OID, SIZE), root=root))
            assert_refused(batch(hub, operation, (OID, SIZE), root=root, headers=stranger), 404)
    assert batch(hub, "download", (OID, SIZE), root=public).status_code == 200
    assert_asks_to_sign_in(batch(hub, "upload", (OID, SIZE), root=public))
    assert_refused(batch(hub, "upload", (OID, SIZE), root=public, headers=stranger, ref={"name": "main"}), 403)
    # For a pull request, one's ref or none that is there yet, the right to open one is enough.
    for fields in ({}, {"ref": {"name": "refs/pr/1"}}):
        asked = {"root": public, "headers": stranger, **fields}
        [thing] = batch(hub, "upload", (OID, SIZE), **asked).json["objects"]
        assert thing["actions"]
        assert hub.put(f"{public}/objects/{OID}/{SIZE}", data=CONTENT, headers=stranger).status_code == 403
    assert hub.put(local(thing["actions"]["upload"]["href"]), data=CONTENT).status_code == 200
    assert_refused(batch(hub, "upload", (OID, SIZE), headers=reader), 403)
    assert_asks_to_sign_in(batch(hub, "download", (OID, SIZE), headers={"Authorization": "Bearer wrong"}))
    basic = base64.b64encode(f"whoever:{headers['Authorization'][7:]}".encode()).decode()
    assert batch(hub, "upload", (OID, SIZE), headers={"Authorization": f"Basic {basic}"}).status_code == 200


def test_ten_thousand_objects_are_too_many(hub, headers):
    answer = batch(hub, "download", *[(f"{number:064x}", 1) for number in range(10_000)], headers=headers)
    assert_refused(answer, 413)
    assert "1000" in answer.json["message"]


@pytest.mark.settings(request_body_limit_bytes=1000)
def test_a_body_has_a_largest_size(hub, headers):
    assert_refused(batch(hub, "download", (OID, SIZE), headers=headers, padding="x" * 1000), 413)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 99_999, b'{"operation": "download"}'])
def test_what_is_no_batch_is_refused(hub, headers, data):
    assert_refused(hub.post(f"{ROOT}/objects/batch", data=data, headers=headers), 400)


def test_another_hash_is_refused_as_the_specification_wants(hub, headers):
    assert_refused(batch(hub, "download", (OID, SIZE), headers=headers, hash_algo="sha512"), 409)


@pytest.mark.settings(quota_bytes=MIB)
def test_no_room_is_said_in_a_way_that_the_client_explains(hub, headers):
    answer = batch(hub, "upload", (OID, SIZE), headers=headers)
    assert_refused(answer, 507)
    assert "quota" in answer.json["message"]


# Bytes.


def test_an_object_may_be_sent_with_a_credential_instead_of_a_signature(hub, context, headers):
    address = f"{ROOT}/objects/{OID}/{SIZE}"
    assert_asks_to_sign_in(hub.put(address, data=CONTENT))
    assert hub.put(address, data=CONTENT, headers=headers).status_code == 200
    for suffix in (f"/objects/{OID}", f"/{OID}"):
        assert hub.get(ROOT + suffix, headers=headers).data == CONTENT
        assert_asks_to_sign_in(hub.get(ROOT + suffix))
    answer = hub.get(f"{ROOT}/{OID}?save_as=a+b.bin", headers=headers)
    assert answer.data == CONTENT
    assert 'filename="a b.bin"' in answer.headers["Content-Disposition"]
    answer = hub.head(f"{ROOT}/{OID}", headers=headers)
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))


def test_parts_of_an_object_can_be_had(hub, headers):
    upload(hub, headers)
    address = local(action(hub, "download", headers)["download"]["href"])
    answer = hub.get(address, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.data) == (206, CONTENT[10:20])
    assert answer.headers["Content-Range"] == f"bytes 10-19/{SIZE}"
    answer = hub.get(address, headers={"Range": f"bytes={SIZE}-"})
    assert_refused(answer, 416)
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "data", [CONTENT[:-1], CONTENT + b"x", b"", bytes(SIZE)], ids=["short", "long", "none", "other"]
)
def test_other_bytes_than_announced_are_refused_and_gone(hub, context, headers, data):
    address = local(action(hub, "upload", headers)["upload"]["href"])
    assert_refused(hub.put(address, data=data), 422)
    assert_refused(hub.post(f"{ROOT}/verify", json={"oid": OID, "size": SIZE}, headers=headers), 400)
    assert files_below(context[STORE].root) == set()


def edited(address, *, skip=()):
    """The address with each part of its query changed, and left out, one at a time."""
    parts = urlsplit(address)
    query = parse_qsl(parts.query)
    for index, (name, value) in enumerate(query):
        if name in skip:
            continue
        changed = str(int(value) + 1) if value.isdigit() else value[:-2] + ("xy" if value[-2:] != "xy" else "zz")
        yield urlunsplit(parts._replace(query=urlencode([*query[:index], (name, changed), *query[index + 1 :]])))
        if name != "signature":
            yield urlunsplit(parts._replace(query=urlencode([*query[:index], *query[index + 1 :]])))


def test_an_edited_address_is_refused(hub, context, headers):
    upload(hub, headers)
    other = oid_of(b"other")
    steps = action(hub, "upload", headers, other, 5)
    for address in edited(local(steps["upload"]["href"])):
        assert_refused(hub.put(address, data=b"other"), 403)
    for path in (
        local(steps["upload"]["href"]).replace(other, OID),
        local(steps["upload"]["href"]).replace("/5?", "/6?"),
    ):
        assert_refused(hub.put(path, data=bytes(int(urlsplit(path).path.rpartition("/")[2]))), 403)
    download = local(action(hub, "download", headers)["download"]["href"])
    for address in edited(download):
        assert_refused(hub.get(address), 403)
    # An address for one method is none for another.
    query = urlsplit(download).query
    assert_refused(hub.put(f"{ROOT}/objects/{OID}/{SIZE}?{query}", data=CONTENT), 403)
    assert hub.get(download).data == CONTENT


def test_an_address_expires(clock, hub, context, headers):
    upload(hub, headers)
    download = local(action(hub, "download", headers)["download"]["href"])
    steps = action(hub, "upload", headers, oid_of(b"other"), 5)
    clock.advance(context.settings.lfs_url_ttl_s - 1)
    assert hub.get(download).data == CONTENT
    clock.advance(1)
    assert_refused(hub.get(download), 403)
    assert_refused(hub.put(local(steps["upload"]["href"]), data=b"other"), 403)


def test_an_address_of_one_repository_opens_no_other(hub, ada, make_repository, headers):
    make_repository(ada, "second", private=True)
    address = local(action(hub, "upload", headers)["upload"]["href"])
    assert hub.put(address.replace("/thing.git/", "/second.git/"), data=CONTENT).status_code == 200
    second = "/models/ada/second.git/info/lfs"
    assert batch(hub, "download", (OID, SIZE), root=second, headers=headers).json["objects"][0]["error"]["code"] == 404
    assert batch(hub, "download", (OID, SIZE), headers=headers).json["objects"][0]["actions"]


def test_an_address_is_worth_no_more_than_who_asked_for_it(hub, context, ada, repository, headers):
    steps = action(hub, "upload", headers)

    def put_with(model, row_id, **values):
        with unit_of_work(context) as work:
            work.session.execute(update(model).where(model.id == row_id).values(**values))
        return hub.put(local(steps["upload"]["href"]), data=CONTENT)

    assert_refused(put_with(Repository, repository.id, archived_at=context.clock.now()), 403)
    assert_refused(put_with(Repository, repository.id, archived_at=None, deleted_at=context.clock.now()), 404)
    assert_refused(put_with(User, ada.id, is_active=False), 403)
    with unit_of_work(context) as work:
        work.session.execute(update(Repository).where(Repository.id == repository.id).values(deleted_at=None))
    assert put_with(User, ada.id, is_active=True).status_code == 200


# In parts.


@pytest.mark.settings(lfs_part_size_bytes=MIB)
def test_a_large_object_goes_up_in_parts(hub, context, headers):
    fields = {"transfers": ["basic", "multipart"], "upload_id": None}
    answer = batch(hub, "upload", (OID, SIZE), headers=headers, **fields)
    assert answer.json["transfer"] == "multipart"
    steps = answer.json["objects"][0]["actions"]
    header = steps["upload"]["header"]
    assert list(header) == ["chunk_size", "1", "2", "3"]
    assert header.pop("chunk_size") == str(MIB)
    upload_ids = {dict(parse_qsl(urlsplit(address).query))["uploadId"] for address in header.values()}
    assert len(upload_ids) == 1
    parts = []
    for number, address in header.items():
        sent = hub.put(local(address), data=CONTENT[(int(number) - 1) * MIB : int(number) * MIB])
        assert sent.status_code == 200
        parts.append({"partNumber": int(number), "etag": sent.headers["ETag"]})
    again = action(hub, "upload", headers, **{**fields, "upload_id": upload_ids.pop()})
    assert again["upload"]["header"].keys() == {"chunk_size", *header}

    href = local(steps["upload"]["href"])
    assert urlsplit(href).path == "/api/v1/complete_multipart"
    assert {"objectKey", "uploadId", "expiresAt", "signature"} <= dict(parse_qsl(urlsplit(href).query)).keys()
    body = {"oid": OID, "uploadId": "x", "parts": parts}
    for address in edited(href):
        assert_refused(hub.post(address, json=body), 403)
    for address in edited(local(header["1"])):
        assert_refused(hub.put(address, data=CONTENT[:MIB]), 403)
    assert_refused(hub.put(local(header["1"]).replace("/parts/1?", "/parts/2?"), data=CONTENT[:MIB]), 403)
    assert_refused(hub.post(href, json={**body, "parts": parts[:2]}), 422)
    assert_refused(hub.post(href, json={**body, "oid": oid_of(b"")}), 400)
    assert_refused(hub.post(href, data=b"{"), 400)
    assert hub.post(href, json=body).status_code == 200
    assert hub.post(href, json=body).status_code == 200
    assert hub.post(local(steps["verify"]["href"]), json={"oid": OID, "size": SIZE}).status_code == 200
    assert hub.get(f"{ROOT}/{OID}", headers=headers).data == CONTENT
    assert len(files_below(context[STORE].root)) == 1


@pytest.mark.settings(lfs_part_size_bytes=MIB)
def test_a_part_must_say_how_long_it_is(hub, headers):
    address = local(action(hub, "upload", headers, transfers=["multipart"])["upload"]["header"]["1"])
    assert_refused(hub.put(address, data=CONTENT[: MIB - 1], environ_overrides={"CONTENT_LENGTH": str(MIB)}), 400)
    assert_refused(hub.put(address, data=CONTENT[: MIB + 1]), 422)
    assert_refused(hub.put(address, input_stream=None, headers={"Transfer-Encoding": "chunked"}), 400)


# Straight from and to S3.


@pytest.fixture
def s3_hub(context, s3_storage_url, repository):
    """The hub on S3, whose clients transfer directly."""
    # Parts of less than 5 MiB are nothing that S3 takes: the hub asks for larger ones.
    context.settings = dataclasses.replace(context.settings, storage_url=s3_storage_url, lfs_part_size_bytes=1)
    context._values[STORE.name] = create_store(context.settings)
    app = create_app(context)
    app.testing = True
    return app.test_client()


@pytest.fixture
def outside():
    """A client that knows nothing of the hub."""
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def test_clients_transfer_straight_to_s3(s3_hub, context, headers, repository, outside):
    steps = action(s3_hub, "upload", headers)
    assert urlsplit(steps["upload"]["href"]).netloc == urlsplit(context.settings.storage_url).netloc.rpartition("@")[2]
    assert_refused(s3_hub.post(local(steps["verify"]["href"]), json={"oid": OID, "size": SIZE}), 400)
    assert outside.request("PUT", steps["upload"]["href"], body=CONTENT).status == 200
    assert s3_hub.post(local(steps["verify"]["href"]), json={"oid": OID, "size": SIZE}).status_code == 200
    for _ in range(2):
        href = action(s3_hub, "download", headers)["download"]["href"]
    # Nobody but the store sees the bytes leave: who is given the address has downloaded it, once.
    context[DOWNLOADS].write()
    with reading(context) as work:
        [today] = list_days(work, repository_ids=[repository.id], days=1)[repository.id]
    assert (today.downloads, today.clients) == (1, 1)
    assert outside.request("GET", href, headers={"Range": "bytes=1-3"}).data == CONTENT[1:4]
    answer = s3_hub.get(f"{ROOT}/{OID}?save_as=a.bin", headers=headers)
    assert answer.status_code == 302
    answer = outside.request("GET", answer.headers["Location"])
    assert (answer.data, answer.headers["Content-Disposition"]) == (CONTENT, 'attachment; filename="a.bin"')
    answer = s3_hub.head(f"{ROOT}/{OID}", headers=headers)
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))


def test_parts_go_straight_to_s3(s3_hub, context, headers, outside):
    content = random.Random(10).randbytes(11 * MIB)
    steps = action(s3_hub, "upload", headers, oid_of(content), len(content), transfers=["multipart"])
    header = steps["upload"]["header"]
    size = int(header.pop("chunk_size"))
    parts = []
    for number, address in header.items():
        assert "uploadId=" in address
        sent = outside.request("PUT", address, body=content[(int(number) - 1) * size : int(number) * size])
        parts.append({"partNumber": int(number), "etag": sent.headers["ETag"]})
    assert len(parts) == 3
    assert s3_hub.post(local(steps["upload"]["href"]), json={"parts": parts}).status_code == 200
    href = action(s3_hub, "download", headers, oid_of(content), len(content))["download"]["href"]
    assert outside.request("GET", href).data == content


def test_transfers_through_the_hub_are_a_setting(context, s3_storage_url, repository, headers):
    context.settings = dataclasses.replace(context.settings, storage_url=s3_storage_url, storage_direct=False)
    context._values[STORE.name] = create_store(context.settings)
    hub = create_app(context).test_client()
    upload(hub, headers)
    answer = hub.get(f"{ROOT}/{OID}", headers={**headers, "Range": "bytes=5-9"})
    assert (answer.status_code, answer.data) == (206, CONTENT[5:10])
    assert hub.get(local(action(hub, "download", headers)["download"]["href"])).data == CONTENT


def test_addresses_name_the_store_as_clients_reach_it(context, s3_storage_url, repository, headers):
    context.settings = dataclasses.replace(
        context.settings, storage_url=s3_storage_url, storage_public_url="https://objects.example.org"
    )
    context._values[STORE.name] = create_store(context.settings)
    hub = create_app(context).test_client()
    assert action(hub, "upload", headers)["upload"]["href"].startswith("https://objects.example.org/")


def test_a_store_that_is_away_is_said_to_be_unavailable(context, repository, headers):
    context.settings = dataclasses.replace(
        context.settings, storage_url="s3://key:secret@127.0.0.1:9/bucket?secure=false", storage_direct=False
    )
    context._values[STORE.name] = create_store(context.settings)
    hub = create_app(context).test_client()
    assert_refused(hub.put(f"{ROOT}/objects/{OID}/{SIZE}", data=CONTENT, headers=headers), 503)


# From SSH.


@pytest.fixture
def ssh_access(context, ada, repository):
    """``ssh_access("upload")``: what ``git-lfs-authenticate`` answers."""

    def issue(operation, row=repository):
        with reading(context) as work:
            return service.issue_ssh_token(
                work, actor=Actor.of_user(ada, via="ssh"), repository=row, operation=operation
            ).as_json()

    return issue


def test_who_came_by_ssh_gets_a_header_for_http(hub, ssh_access):
    access = ssh_access("upload")
    assert access["href"] == f"http://127.0.0.1:8080{ROOT}"
    assert access["expires_in"] > 0
    assert batch(hub, "upload", (OID, SIZE), headers=access["header"]).status_code == 200
    assert hub.get(f"{ROOT}/locks", headers=access["header"]).status_code == 200


def test_a_header_from_ssh_is_for_one_repository_and_one_operation(
    hub, ada, make_repository, ssh_access, clock, context
):
    make_repository(ada, "second")
    header = ssh_access("download")["header"]
    assert batch(hub, "download", (OID, SIZE), headers=header).status_code == 200
    assert_refused(batch(hub, "upload", (OID, SIZE), headers=header), 403)
    second = "/models/ada/second.git/info/lfs"
    assert_asks_to_sign_in(batch(hub, "download", (OID, SIZE), root=second, headers=header))
    value = header["Authorization"]
    for wrong in (value[:-1], value + "x", value.replace("download", "upload"), "RemoteAuth", "RemoteAuth a.b.c.d.e"):
        assert_asks_to_sign_in(batch(hub, "download", (OID, SIZE), headers={"Authorization": wrong}))
    clock.advance(3600)
    assert_asks_to_sign_in(batch(hub, "download", (OID, SIZE), headers=header))


# Locks.


def test_locks_are_made_listed_verified_and_removed(hub, context, headers):
    answer = hub.post(f"{ROOT}/locks", json={"path": "a.bin", "ref": {"name": "refs/heads/main"}}, headers=headers)
    assert answer.status_code == 200
    lock = answer.json["lock"]
    assert (lock["path"], lock["owner"]) == ("a.bin", {"name": "ada"})
    assert isinstance(lock["id"], str)
    assert lock["locked_at"].endswith("Z")
    answer = hub.post(f"{ROOT}/locks", json={"path": "a.bin"}, headers=headers)
    assert_refused(answer, 409)
    assert answer.json["lock"] == lock
    hub.post(f"{ROOT}/locks", json={"path": "b.bin"}, headers=headers)
    answer = hub.get(f"{ROOT}/locks?limit=1", headers=headers)
    assert answer.json["locks"] == [lock]
    answer = hub.get(f"{ROOT}/locks?cursor={answer.json['next_cursor']}", headers=headers)
    assert [found["path"] for found in answer.json["locks"]] == ["b.bin"]
    assert "next_cursor" not in answer.json
    assert hub.get(f"{ROOT}/locks?path=a.bin", headers=headers).json["locks"] == [lock]
    answer = hub.post(f"{ROOT}/locks/verify", json={"limit": 1}, headers=headers)
    assert (answer.json["ours"], answer.json["theirs"]) == ([lock], [])
    answer = hub.post(f"{ROOT}/locks/verify", json={"cursor": answer.json["next_cursor"]}, headers=headers)
    assert [found["path"] for found in answer.json["ours"]] == ["b.bin"]
    assert hub.post(f"{ROOT}/locks/{lock['id']}/unlock", headers=headers).json == {"lock": lock}
    assert_refused(hub.post(f"{ROOT}/locks/{lock['id']}/unlock", json={}, headers=headers), 404)


def test_locks_of_others_are_theirs(hub, context, make_user, make_token, headers):
    admin = {"Authorization": f"Bearer {make_token(make_user('root', admin=True), 'admin')}"}
    lock = hub.post(f"{ROOT}/locks", json={"path": "a.bin"}, headers=headers).json["lock"]
    assert hub.post(f"{ROOT}/locks/verify", json={}, headers=admin).json == {"ours": [], "theirs": [lock]}
    assert_refused(hub.post(f"{ROOT}/locks/{lock['id']}/unlock", json={}, headers=admin), 403)
    assert_refused(hub.post(f"{ROOT}/locks/{lock['id']}/unlock", json={"force": "yes"}, headers=admin), 400)
    assert hub.post(f"{ROOT}/locks/{lock['id']}/unlock", json={"force": True}, headers=admin).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"path": 1}, {"path": "../x"}, {"path": ""}, {"path": "a\0b"}, {"path": "\ud800"}]
)
def test_a_lock_needs_a_path(hub, headers, body):
    assert_refused(hub.post(f"{ROOT}/locks", data=json.dumps(body), headers=headers), 400)


def test_locks_ask_who_it_is(hub):
    assert_asks_to_sign_in(hub.get(f"{ROOT}/locks"))
    assert_asks_to_sign_in(hub.post(f"{ROOT}/locks", json={"path": "a.bin"}))
    assert_asks_to_sign_in(hub.post(f"{ROOT}/locks/verify", json={}))
    assert_asks_to_sign_in(hub.post(f"{ROOT}/locks/1/unlock", json={}))
