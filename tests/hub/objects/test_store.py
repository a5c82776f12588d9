"""What every store must do, tried on each driver."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import urllib3

from hub.base.errors import HubError, Invalid, NotFound, PreconditionFailed, Unprocessable
from hub.base.settings import MIB, Settings, SettingsError
from hub.objects.store import ObjectStore, create_store

KEY = "lfs/ab/cd/abcd"
CONTENT = random.Random(1).randbytes(3 * MIB + 17)
# More than S3's driver sends in one request.
LARGE = random.Random(2).randbytes(20 * MIB + 3)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def in_chunks(content: bytes, length: int = MIB) -> Iterator[bytes]:
    for start in range(0, len(content), length):
        yield content[start : start + length]


def put(store: ObjectStore, key: str, content: bytes) -> None:
    store.put(key, in_chunks(content), size_bytes=len(content), sha256=sha256(content))


def read(store: ObjectStore, key: str) -> bytes:
    info = store.find(key)
    assert info is not None
    return b"".join(store.open_range(key, 0, info.size_bytes))


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return sorted(info.key for info in store.list(prefix))


@pytest.mark.parametrize("content", [b"", b"a", CONTENT, LARGE], ids=["empty", "byte", "some", "large"])
def test_what_is_put_is_found_and_read_back(store: ObjectStore, content: bytes) -> None:
    info = store.put(KEY, in_chunks(content), size_bytes=len(content), sha256=sha256(content))
    assert info.key == KEY
    assert info.size_bytes == len(content)
    assert abs(datetime.now(UTC) - info.modified_at) < timedelta(minutes=1)
    assert store.find(KEY) == info
    assert store.digest(KEY) == (info, sha256(content))
    assert read(store, KEY) == content


@pytest.mark.parametrize("content", [b"", CONTENT, LARGE], ids=["empty", "some", "large"])
def test_neither_size_nor_hash_need_be_known(store: ObjectStore, content: bytes) -> None:
    store.put(KEY, in_chunks(content, 300_001))
    assert read(store, KEY) == content


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["some", "large"])
@pytest.mark.parametrize(
    "announced, code",
    [(-1, "size_mismatch"), (+1, "size_mismatch"), (0, "hash_mismatch")],
    ids=["more", "less", "other"],
)
def test_content_that_is_not_as_announced_leaves_nothing(
    store: ObjectStore, content: bytes, announced: int, code: str
) -> None:
    expected = sha256(content if code == "size_mismatch" else b"something else")
    with pytest.raises(Unprocessable) as caught:
        store.put(KEY, in_chunks(content), size_bytes=len(content) + announced, sha256=expected)
    assert caught.value.code == code
    assert store.find(KEY) is None
    assert keys(store) == []
    assert store.sweep_staging(older_than=datetime.now(UTC) + timedelta(hours=1)).count == 0


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["some", "large"])
def test_a_sender_that_fails_leaves_nothing(store: ObjectStore, content: bytes) -> None:
    def broken() -> Iterator[bytes]:
        yield from in_chunks(content[: len(content) // 2])
        raise ConnectionResetError

    with pytest.raises((ConnectionResetError, HubError)):
        store.put(KEY, broken(), size_bytes=len(content), sha256=sha256(content))
    assert keys(store) == []
    assert store.sweep_staging(older_than=datetime.now(UTC) + timedelta(hours=1)).count == 0


def test_a_refused_content_does_not_touch_the_old_one(store: ObjectStore) -> None:
    put(store, KEY, b"old")
    with pytest.raises(Unprocessable):
        store.put(KEY, [b"new"], size_bytes=3, sha256=sha256(b"other"))
    assert read(store, KEY) == b"old"


def test_putting_a_key_again_replaces_the_content_and_the_etag(store: ObjectStore) -> None:
    put(store, KEY, b"one")
    first = store.find(KEY)
    put(store, KEY, b"two")
    second = store.find(KEY)
    assert first is not None
    assert second is not None
    assert first.etag != second.etag
    assert read(store, KEY) == b"two"


@pytest.mark.parametrize(("start", "length"), [(0, 1), (0, 0), (5, 0), (MIB - 1, 2), (17, 2 * MIB), (3 * MIB, 17)])
def test_a_range_is_exactly_what_was_asked_for(store: ObjectStore, start: int, length: int) -> None:
    put(store, KEY, CONTENT)
    assert b"".join(store.open_range(KEY, start, length)) == CONTENT[start : start + length]


def test_what_is_not_there_is_said_to_be_missing(store: ObjectStore) -> None:
    assert store.find(KEY) is None
    store.delete(KEY)
    store.delete_many([KEY, "lfs/other"])
    for attempt in (
        lambda: list(store.open_range(KEY, 0, 1)),
        lambda: store.digest(KEY),
        lambda: store.copy(KEY, "lfs/copy"),
        lambda: store.move(KEY, "lfs/copy"),
    ):
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.code == "object_not_found"


def test_deleting_removes_an_object(store: ObjectStore) -> None:
    put(store, KEY, b"content")
    store.delete(KEY)
    assert store.find(KEY) is None
    assert keys(store) == []


def test_a_reader_that_has_begun_gets_the_old_content_to_its_end(store: ObjectStore) -> None:
    put(store, KEY, CONTENT)
    chunks = store.open_range(KEY, 0, len(CONTENT))
    first = next(chunks)
    put(store, KEY, b"new")
    assert first + b"".join(chunks) == CONTENT


def test_listing_goes_by_prefix(store: ObjectStore) -> None:
    wanted = ["lfs/aa/bb/x", "lfs/aa/bb.y", "lfs/aa/c", "lfs/b"]
    for key in [*wanted, "other/z"]:
        put(store, key, key.encode())
    assert keys(store, "lfs/") == sorted(wanted)
    assert keys(store, "lfs/aa/b") == ["lfs/aa/bb.y", "lfs/aa/bb/x"]
    assert keys(store, "nothing/") == []
    assert [info.size_bytes for info in store.list("other/")] == [len("other/z")]


def test_copies_and_moves_keep_the_content(store: ObjectStore) -> None:
    put(store, "staging/new", CONTENT)
    copied = store.copy("staging/new", "lfs/copy")
    assert (copied.key, copied.size_bytes) == ("lfs/copy", len(CONTENT))
    moved = store.move("staging/new", "lfs/moved")
    assert (moved.key, moved.size_bytes) == ("lfs/moved", len(CONTENT))
    assert read(store, "lfs/copy") == read(store, "lfs/moved") == CONTENT
    assert store.find("staging/new") is None


def test_a_copy_can_ask_for_the_very_content_that_was_looked_at(store: ObjectStore) -> None:
    put(store, "staging/new", b"looked at")
    info, _ = store.digest("staging/new")
    put(store, "staging/new", b"slipped in")
    with pytest.raises(PreconditionFailed):
        store.copy("staging/new", "lfs/copy", if_etag=info.etag)
    with pytest.raises(PreconditionFailed):
        store.move("staging/new", "lfs/copy", if_etag=info.etag)
    assert store.find("lfs/copy") is None
    info, _ = store.digest("staging/new")
    store.copy("staging/new", "lfs/copy", if_etag=info.etag)
    assert read(store, "lfs/copy") == b"slipped in"


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\0b", "a b", "a" * 256]
)
def test_a_key_is_a_relative_path_of_plain_words(store: ObjectStore, key: str) -> None:
    for attempt in (
        lambda: store.put(key, [b""]),
        lambda: store.find(key),
        lambda: store.delete(key),
        lambda: list(store.open_range(key, 0, 1)),
        lambda: store.copy(KEY, key),
        lambda: store.create_multipart(key, part_size_bytes=MIB),
    ):
        with pytest.raises((Invalid, NotFound)):
            attempt()


# Uploads in parts.

STAGED = "staging/upload"
PART = 5 * MIB


def part_of(content: bytes, number: int) -> bytes:
    return content[(number - 1) * PART : number * PART]


def send_part(store: ObjectStore, upload_id: str, content: bytes, number: int) -> tuple[int, str]:
    part = part_of(content, number)
    return number, store.put_part(STAGED, upload_id, number, in_chunks(part), size_bytes=len(part))


def complete(store: ObjectStore, upload_id: str, parts: list[tuple[int, str]], content: bytes = LARGE) -> None:
    store.complete_multipart(STAGED, upload_id, parts, size_bytes=len(content), sha256=sha256(content))


def test_parts_in_any_order_and_repeated_make_up_the_whole(store: ObjectStore) -> None:
    upload_id = store.create_multipart(STAGED, part_size_bytes=PART)
    assert list(store.list_parts(STAGED, upload_id)) == []
    part = random.Random(3).randbytes(PART)
    store.put_part(STAGED, upload_id, 2, [part], size_bytes=PART)
    parts = dict(send_part(store, upload_id, LARGE, number) for number in (5, 2, 1, 4, 3))
    listed = store.list_parts(STAGED, upload_id)
    assert {(part.number, part.etag) for part in listed} >= set(parts.items())
    assert {(part.number, part.size_bytes) for part in listed} == {(1, PART), (2, PART), (3, PART), (4, PART), (5, 3)}
    assert store.find(STAGED) is None
    complete(store, upload_id, sorted(parts.items()))
    assert read(store, STAGED) == LARGE
    with pytest.raises(NotFound):
        store.list_parts(STAGED, upload_id)


def test_an_upload_goes_on_after_a_completion_with_missing_or_changed_parts(store: ObjectStore) -> None:
    upload_id = store.create_multipart(STAGED, part_size_bytes=PART)
    parts = [send_part(store, upload_id, LARGE, number) for number in (1, 2, 4, 5)]
    wrong_etag = [*parts[:2], (3, "0" * 32), *parts[2:]]
    for attempt in (parts, wrong_etag, [], parts[:1]):
        with pytest.raises(Unprocessable) as caught:
            complete(store, upload_id, attempt)
        assert caught.value.code == "parts_mismatch"
    parts.insert(2, send_part(store, upload_id, LARGE, 3))
    complete(store, upload_id, parts)
    assert read(store, STAGED) == LARGE


def test_a_whole_of_another_hash_ends_the_upload(store: ObjectStore) -> None:
    upload_id = store.create_multipart(STAGED, part_size_bytes=PART)
    content = bytes(len(LARGE))
    parts = [send_part(store, upload_id, content, number) for number in range(1, 6)]
    with pytest.raises(Unprocessable) as caught:
        complete(store, upload_id, parts)
    assert caught.value.code == "hash_mismatch"
    assert store.find(STAGED) is None
    with pytest.raises(NotFound):
        send_part(store, upload_id, LARGE, 1)


def test_a_part_that_is_cut_off_does_not_count(store: ObjectStore) -> None:
    upload_id = store.create_multipart(STAGED, part_size_bytes=PART)
    with pytest.raises(Unprocessable) as caught:
        store.put_part(STAGED, upload_id, 1, [b"short"], size_bytes=PART)
    assert caught.value.code == "size_mismatch"
    assert list(store.list_parts(STAGED, upload_id)) == []


def test_an_aborted_upload_is_gone(store: ObjectStore) -> None:
    upload_id = store.create_multipart(STAGED, part_size_bytes=PART)
    part = send_part(store, upload_id, LARGE, 1)
    store.abort_multipart(STAGED, upload_id)
    store.abort_multipart(STAGED, upload_id)
    for attempt in (
        lambda: send_part(store, upload_id, LARGE, 1),
        lambda: store.list_parts(STAGED, upload_id),
        lambda: complete(store, upload_id, [part]),
    ):
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.code == "upload_not_found"


def test_a_sweep_takes_what_is_old_and_leaves_what_is_kept(store: ObjectStore) -> None:
    put(store, KEY, b"an object")
    put(store, "staging/left", b"left over")
    kept = store.create_multipart(STAGED, part_size_bytes=PART)
    part = send_part(store, kept, LARGE, 1)
    given_up = store.create_multipart("staging/given-up", part_size_bytes=PART)
    now = datetime.now(UTC)
    assert store.sweep_staging(older_than=now - timedelta(hours=1)).count == 0
    swept = store.sweep_staging(older_than=now + timedelta(hours=1), keep_uploads=[kept])
    assert swept.count == 2
    assert keys(store, "lfs/") == [KEY]
    assert store.find("staging/left") is None
    assert [part.number for part in store.list_parts(STAGED, kept)] == [part[0]]
    with pytest.raises(NotFound):
        store.list_parts("staging/given-up", given_up)


# Addresses that clients use themselves.


def test_only_a_direct_store_gives_addresses_away(store: ObjectStore) -> None:
    put(store, KEY, CONTENT)
    if not store.is_direct:
        for attempt in (
            lambda: store.presign_get(KEY, expires_s=60),
            lambda: store.presign_put(KEY, expires_s=60),
            lambda: store.presign_part(KEY, "id", 1, expires_s=60),
        ):
            with pytest.raises(Invalid):
                attempt()
        assert store.local_path(KEY) is not None
        assert store.free_bytes()
        return
    assert store.local_path(KEY) is None
    with urllib3.PoolManager(retries=False) as pool:
        answer = pool.request("GET", store.presign_get(KEY, expires_s=60, filename='é"x.bin'))
        assert answer.data == CONTENT
        assert answer.headers["content-disposition"] == 'attachment; filename="__x.bin"'
        answer = pool.request("GET", store.presign_get(KEY, expires_s=60), headers={"Range": "bytes=5-9"})
        assert (answer.status, answer.data) == (206, CONTENT[5:10])
        part = store.presign_range(KEY, 5, 9, expires_s=10**9)
        assert part is not None
        answer = pool.request("GET", part, headers={"Range": "bytes=5-9"})
        assert (answer.status, answer.data) == (206, CONTENT[5:10])
        for asked in ({"Range": "bytes=5-10"}, {}):
            assert pool.request("GET", part, headers=asked).status == 403
        assert pool.request("HEAD", store.presign_get(KEY, expires_s=60, method="HEAD")).status == 200
        assert pool.request("GET", store.presign_get(KEY, expires_s=60) + "0").status == 403
        address = store.presign_put("staging/put", expires_s=10**9)
        assert pool.request("PUT", address, body=LARGE).status == 200
        assert store.digest("staging/put")[1] == sha256(LARGE)
        upload_id = store.create_multipart(STAGED, part_size_bytes=PART)
        parts = []
        for number in range(1, 6):
            address = store.presign_part(STAGED, upload_id, number, expires_s=60)
            assert f"uploadId={upload_id}" in address
            answer = pool.request("PUT", address, body=part_of(LARGE, number))
            parts.append((number, answer.headers["etag"].strip('"')))
        complete(store, upload_id, parts)


def test_a_check_passes_and_prepares_an_empty_store(store: ObjectStore) -> None:
    store.check()
    store.check()
    assert keys(store) == []


@pytest.mark.parametrize(
    "url",
    ["ftp://x/y", "file://relative/path", "s3://host/bucket", "s3://k:s@host", "s3://k:s@host/a/b", "s3://k:s@/bucket"],
)
def test_an_address_that_no_driver_understands_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError):
        create_store(Settings(storage_url=url))


def test_a_public_address_without_a_scheme_stops_the_start() -> None:
    with pytest.raises(SettingsError):
        create_store(Settings(storage_url="s3://k:s@host/bucket", storage_public_url="objects.example.org"))
