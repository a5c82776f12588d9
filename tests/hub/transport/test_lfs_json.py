"""The parsers of what LFS clients send: whatever comes, an answer in words or a refusal, never a crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.errors import Conflict, HubError, Invalid, TooLarge
from hub.repos.lfs.service import ObjectRequest, Operation
from hub.transport import lfs_json

OID = "ab" * 32

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
things = st.fixed_dictionaries({"oid": st.text(max_size=70) | anything, "size": st.integers() | anything})
nearly_batches = st.fixed_dictionaries(
    {},
    optional={
        "operation": st.sampled_from(["upload", "download"]) | anything,
        "objects": st.lists(things | anything, max_size=5) | anything,
        "transfers": st.lists(st.sampled_from(["basic", "multipart"]) | anything, max_size=3) | anything,
        "hash_algo": st.just("sha256") | anything,
        "ref": st.fixed_dictionaries({"name": st.text(max_size=10)}) | anything,
        "upload_id": anything,
    },
)


@given(st.binary(max_size=200) | nearly_batches.map(lambda body: json.dumps(body).encode()))
def test_any_batch_is_parsed_or_refused(data):
    try:
        request = lfs_json.parse_batch(data, limit=4)
    except HubError as error:
        assert isinstance(error, (Invalid, Conflict, TooLarge))
        assert str(error)
        return
    assert isinstance(request.operation, Operation)
    assert len(request.objects) <= 4
    for item in request.objects:
        assert isinstance(item.oid, str)
        assert type(item.size_bytes) is int
        assert abs(item.size_bytes) < 2**63
    assert all(isinstance(name, str) for name in request.transfers)


@given(
    st.sampled_from(list(Operation)),
    st.lists(st.tuples(st.text(max_size=70), st.integers(-(2**62), 2**62)), max_size=5),
    st.lists(st.text(max_size=10), max_size=5),
    st.booleans(),
)
def test_a_batch_means_what_it_says(operation, objects, transfers, has_upload_id):
    body = {
        "operation": operation.value,
        "objects": [{"oid": oid, "size": size} for oid, size in objects],
        "transfers": transfers,
        "hash_algo": "sha256",
        "ref": {"name": "refs/heads/main"},
        "unknown": {"to": "us"},
    }
    if has_upload_id:
        body["upload_id"] = None
    request = lfs_json.parse_batch(json.dumps(body).encode(), limit=5)
    assert request == lfs_json.BatchRequest(
        operation, [ObjectRequest(*item) for item in objects], transfers, "refs/heads/main", has_upload_id
    )


@given(st.binary(max_size=200) | anything.map(lambda body: json.dumps(body).encode()))
def test_other_bodies_are_parsed_or_refused(data):
    for parse in (
        lfs_json.parse_object,
        lfs_json.parse_verified,
        lambda given: lfs_json.parse_parts(given, limit=10),
        lambda given: lfs_json.parse_ref(lfs_json.parse_object(given)),
    ):
        try:
            parse(data)
        except HubError as error:
            assert isinstance(error, (Invalid, TooLarge))


@given(anything)
def test_a_limit_is_a_number_or_refused(value):
    try:
        assert type(lfs_json.parse_limit(value, 100)) is int
    except HubError as error:
        assert isinstance(error, Invalid)


@pytest.mark.parametrize(
    "body, error",
    [
        ({"operation": "download"}, Invalid),
        ({"operation": "download", "objects": {}}, Invalid),
        ({"operation": ["download"], "objects": []}, Invalid),
        ({"operation": "download", "objects": [{"oid": OID, "size": True}]}, Invalid),
        ({"operation": "download", "objects": [{"oid": OID, "size": 1.0}]}, Invalid),
        ({"operation": "download", "objects": [{"oid": OID, "size": 2**63}]}, Invalid),
        ({"operation": "download", "objects": [], "transfers": "basic"}, Invalid),
        ({"operation": "download", "objects": [], "ref": "main"}, Invalid),
        ({"operation": "download", "objects": [], "hash_algo": "md5"}, Conflict),
        ({"operation": "download", "objects": [{"oid": OID, "size": 1}] * 5}, TooLarge),
    ],
)
def test_each_fault_has_its_refusal(body, error):
    with pytest.raises(error):
        lfs_json.parse_batch(json.dumps(body).encode(), limit=4)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 50_000, b"1" * 100_000, b'{"size": ' + b"9" * 5000 + b"}"])
def test_deep_and_long_bodies_are_refused(data):
    with pytest.raises(Invalid):
        lfs_json.parse_batch(data, limit=4)


def test_parts_come_back_in_order_and_without_quotes():
    body = {"oid": OID, "parts": [{"partNumber": 2, "etag": '"b"'}, {"partNumber": 1, "etag": "a"}], "uploadId": "x"}
    assert lfs_json.parse_parts(json.dumps(body).encode(), limit=2) == (OID, [(1, "a"), (2, "b")])
    with pytest.raises(TooLarge):
        lfs_json.parse_parts(json.dumps(body).encode(), limit=1)
