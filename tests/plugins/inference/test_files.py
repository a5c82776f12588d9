"""Files of programs: kept, listed, read and deleted by their account alone."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from werkzeug.test import Client

import plugins.inference as package
from hub.base.clock import FixedClock
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.revisions import Branch
from hub.db.uow import unit_of_work
from hub.objects.store import STORE
from plugins.inference.files.models import PREFIX, StoredFile
from plugins.inference.files.service import sweep_files, sweep_objects


@pytest.fixture
def call(gateway, make_key):
    """``call("GET", "/v1/files", key=...)``: of Ada's key unless another one is given."""
    own = make_key("files")

    def send(method, path, *, key=own, **more):
        headers = {"Authorization": f"Bearer {key}"}
        return Client(gateway).open(path, method=method, headers=headers, **more)

    return send


@pytest.fixture
def keep(call):
    """``keep(b"bytes", "name.jsonl")``: a file, as its keeper is told of it."""

    def send(content=b"bytes", filename="input.jsonl", **fields):
        data = {"purpose": "batch", "file": (io.BytesIO(content), filename)} | fields
        return call("POST", "/v1/files", data=data, content_type="multipart/form-data")

    return send


def _error(response):
    return response.status_code, response.json["error"]["code"]


def test_migrations_make_the_tables_of_the_models_and_take_them_back(hub):
    database, branch = hub[DATABASE], Branch.of_plugin("inference", Path(package.__path__[0]) / "migrations")
    assert migrate.differences(database, branch) == []
    migrate.downgrade(database, branch)
    assert migrate.upgrade(database, branch)
    assert migrate.differences(database, branch) == []


def test_a_file_is_kept_shown_read_and_deleted(call, keep, hub):
    content = bytes(range(256)) * 1000
    made = keep(content, "../../etc/große Datei.jsonl").json
    assert made | {"id": "", "created_at": 0} == {
        "id": "",
        "object": "file",
        "bytes": 256_000,
        "created_at": 0,
        "expires_at": None,
        "filename": "große Datei.jsonl",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    path = f"/v1/files/{made['id']}"
    assert call("GET", path).json == made
    read = call("GET", f"{path}/content")
    assert (read.data == content, read.content_type) == (True, "application/octet-stream")
    assert read.headers["Content-Disposition"] == "attachment; filename*=UTF-8''gro%C3%9Fe%20Datei.jsonl"
    [info] = hub[STORE].list(PREFIX)
    assert info.key.endswith(made["id"])
    assert call("DELETE", path).json == {"id": made["id"], "object": "file", "deleted": True}
    assert _error(call("GET", path)) == (404, "file_not_found")
    assert not [*hub[STORE].list(PREFIX)]


def test_files_of_others_are_not_there(call, keep, make_key, make_user):
    made = keep().json
    stranger = make_key("stranger", user=make_user("bob"))
    path = f"/v1/files/{made['id']}"
    for method, there in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
        assert _error(call(method, there, key=stranger)) == (404, "file_not_found")
    assert _error(call("GET", f"/v1/files?after={made['id']}", key=stranger)) == (404, "file_not_found")
    assert call("GET", "/v1/files", key=stranger).json["data"] == []
    assert call("GET", path).status_code == 200
    assert _error(call("GET", path, key="gk_wrong")) == (401, "invalid_api_key")


@pytest.mark.any_database
def test_files_are_paged_as_openais(call, keep):
    ids = [keep(b"x", purpose=purpose).json["id"] for purpose in ("batch", "vision", "batch")]
    page = call("GET", "/v1/files?limit=2").json
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
    rest = call("GET", f"/v1/files?limit=2&after={page['last_id']}").json
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([ids[0]], False)
    found = call("GET", "/v1/files?order=asc&purpose=batch").json["data"]
    assert [one["id"] for one in found] == [ids[0], ids[2]]
    for odd in (
        "limit=0",
        "limit=10001",
        "limit=x",
        "limit=²",
        "order=up",
        "purpose=a%00",
        "&".join(f"a{n}=1" for n in range(30)),
    ):
        assert call("GET", f"/v1/files?{odd}").status_code == 400


@pytest.mark.any_database
def test_what_cannot_be_kept_is_refused(call, keep, hub):
    assert _error(keep(purpose="batch_output")) == (400, "file_invalid")
    assert keep(b"").status_code == 400
    assert keep(**{"expires_after[anchor]": "now", "expires_after[seconds]": "3600"}).status_code == 400
    assert keep(**{"expires_after[anchor]": "created_at", "expires_after[seconds]": "5"}).status_code == 400
    data = {"purpose": "batch"}
    assert call("POST", "/v1/files", data=data, content_type="multipart/form-data").json["error"]["param"] == "file"
    assert call("PUT", "/v1/files").status_code == 405
    for odd in ("/v1/files/file-x/more", "/v1/files/a\0b", f"/v1/files/{'x' * 5000}"):
        assert call("GET", odd).status_code == 404
    assert not [*hub[STORE].list(PREFIX)]


@pytest.mark.any_database
@pytest.mark.parametrize("gateway_settings", [{"max_file_bytes": 1000, "max_files_bytes": 1500}])
def test_files_have_limits(keep):
    assert _error(keep(b"x" * 1001)) == (413, "file_too_large")
    assert keep(b"x" * 1000).status_code == 200
    assert _error(keep(b"x" * 501)) == (413, "files_full")


@pytest.mark.parametrize("gateway_settings", [{"max_files_bytes": 1500, "max_batches": 2}])
def test_files_and_batches_that_come_at_once_do_not_pass_their_quotas(call, keep, hub, monkeypatch):
    def at_once(ask, times=6):
        with ThreadPoolExecutor(times) as pool:
            return sorted(answer.status_code for answer in pool.map(lambda _: ask(), range(times)))

    meet, plain = threading.Barrier(3), hub[STORE].put

    def put(key, pieces, **more):
        # Each that was let in waits for the others: nobody has a whole file when the last one asks for room.
        meet.wait(30)
        plain(key, pieces, **more)

    monkeypatch.setattr(hub[STORE], "put", put)
    assert at_once(lambda: keep(b"x" * 500)) == [200] * 3 + [413] * 3
    [first, *_] = call("GET", "/v1/files").json["data"]
    batch = {"input_file_id": first["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert at_once(lambda: call("POST", "/v1/batches", json=batch)) == [200] * 2 + [413] * 4


@pytest.mark.any_database
@pytest.mark.parametrize("gateway_settings", [{"max_files_bytes": 1500}])
def test_a_file_on_its_way_is_not_there_and_one_that_never_comes_leaves_its_room(call, keep, hub, monkeypatch):
    plain, seen = hub[STORE].put, []

    def put(key, pieces, **more):
        path = f"/v1/files/{key.rpartition('/')[2]}"
        seen.extend([call("GET", path).status_code, call("DELETE", path).status_code, keep(b"x" * 501).status_code])
        seen.append(call("GET", "/v1/files").json["data"])
        raise OSError("the disk is away")

    monkeypatch.setattr(hub[STORE], "put", put)
    assert keep(b"x" * 1000).status_code == 500
    assert seen == [404, 404, 413, []]
    monkeypatch.setattr(hub[STORE], "put", plain)
    assert keep(b"x" * 1000).status_code == 200

    def die(_key, _pieces, **_more):
        with unit_of_work(hub) as work:
            late = update(StoredFile).where(StoredFile.is_stored.is_(False))
            work.session.execute(late.values(expires_at=work.now()))
        assert sweep_files(hub) == 1

    monkeypatch.setattr(hub[STORE], "put", die)
    assert _error(keep(b"x" * 500)) == (503, "file_late")
    monkeypatch.setattr(hub[STORE], "put", plain)
    assert keep(b"x" * 500).status_code == 200


@pytest.mark.any_database
def test_files_expire_and_bytes_of_nobody_are_swept(call, keep, hub):
    fleeting = keep(**{"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}).json
    lasting = keep().json
    assert fleeting["expires_at"] == fleeting["created_at"] + 3600
    with unit_of_work(hub) as work:
        gone = work.now() - timedelta(seconds=1)
        work.session.execute(update(StoredFile).where(StoredFile.public_id == fleeting["id"]).values(expires_at=gone))
    assert _error(call("GET", f"/v1/files/{fleeting['id']}")) == (404, "file_not_found")
    assert sweep_files(hub) == 1
    hub[STORE].put(f"{PREFIX}nobody/file-1", [b"left"])
    assert sweep_objects(hub) == 0  # whoever brings it may still be about to write its row
    hub.clock = FixedClock(gone + timedelta(days=2))
    assert sweep_objects(hub) == 1
    assert [info.key.rpartition("/")[2] for info in hub[STORE].list(PREFIX)] == [lasting["id"]]
