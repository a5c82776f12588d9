"""The JSON that LFS clients send, judged before anything acts on it.

Source: git-lfs, docs/api/batch.md and locking.md; CSGHub contract, section 6.4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.base.errors import Conflict, Invalid, TooLarge
from hub.repos.lfs.service import ObjectRequest, Operation
from hub.repos.proposals import PROPOSALS

MAX_INTEGER = 2**63 - 1
_MAX_TRANSFERS = 32


@dataclass(frozen=True)
class BatchRequest:
    """A batch request. ref: the full or short name of a ref, or None; see ``is_for_proposal``."""

    operation: Operation
    objects: Sequence[ObjectRequest]
    transfers: Sequence[str]
    ref: str | None
    has_upload_id: bool


def parse_object(data: bytes) -> Mapping[str, Any]:
    """The members of a JSON object; an empty body is an empty object. Raises Invalid (``json_invalid``)."""
    if not data.strip():
        return {}
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Invalid("The request's body is no valid JSON.", code="json_invalid") from None
    if not isinstance(value, dict):
        raise Invalid("The request's body must be a JSON object.", code="json_invalid")
    return value


def parse_batch(data: bytes, *, limit: int) -> BatchRequest:
    """A batch request. limit: the most objects that it may name.

    Raises Invalid; Conflict (``hash_algo_unsupported``) for another hash than SHA-256, as the specification wants;
    TooLarge (``lfs_batch_too_large``).
    """
    body = parse_object(data)
    algorithm = body.get("hash_algo")
    if algorithm not in (None, "", "sha256"):
        raise Conflict("This hub knows LFS objects by SHA-256 only.", code="hash_algo_unsupported")
    try:
        operation = Operation(body.get("operation"))  # type: ignore[arg-type]  # a wrong type is no member, too
    except ValueError:
        raise Invalid("'operation' must be 'download' or 'upload'.", code="lfs_operation_invalid") from None
    objects = body.get("objects")
    if not isinstance(objects, list):
        raise Invalid("'objects' must be a list.", code="lfs_objects_invalid")
    if len(objects) > limit:
        raise TooLarge(
            f"A batch names at most {limit} objects, this one has {len(objects)}. "
            "Set lfs.transfer.batchSize (git config) to less.",
            code="lfs_batch_too_large",
        )
    transfers = body.get("transfers")
    if transfers is None:
        transfers = []
    if not isinstance(transfers, list) or not all(isinstance(name, str) for name in transfers):
        raise Invalid("'transfers' must be a list of names.", code="lfs_transfers_invalid")
    return BatchRequest(
        operation,
        [_parse_requested(item, position) for position, item in enumerate(objects)],
        transfers[:_MAX_TRANSFERS],
        parse_ref(body),
        "upload_id" in body,
    )


def _parse_requested(item: object, position: int) -> ObjectRequest:
    oid = item.get("oid") if isinstance(item, dict) else None
    size_bytes = item.get("size") if isinstance(item, dict) else None
    if not isinstance(oid, str) or not _is_integer(size_bytes):
        raise Invalid(
            f"objects[{position}] must have a text 'oid' and a whole number 'size'.", code="lfs_object_invalid"
        )
    assert isinstance(size_bytes, int)
    return ObjectRequest(oid, size_bytes)


def is_for_proposal(ref: str | None) -> bool:
    """Whether objects are on their way into a pull request: its ref is named, or none, as it has none yet.

    Source: Hugging Face contract, section 7.3.
    """
    return ref is None or ref.startswith(PROPOSALS)


def parse_ref(body: Mapping[str, Any]) -> str | None:
    """The name in ``ref``. Raises Invalid."""
    ref = body.get("ref")
    if ref is None:
        return None
    if not isinstance(ref, dict) or not isinstance(ref.get("name", ""), str):
        raise Invalid("'ref' must be an object with the ref's name.", code="lfs_ref_invalid")
    return ref.get("name") or None


def parse_verified(data: bytes) -> tuple[str, int]:
    """(oid, size in bytes) of a verify request. Raises Invalid."""
    body = parse_object(data)
    oid, size_bytes = body.get("oid"), body.get("size")
    if not isinstance(oid, str) or not _is_integer(size_bytes):
        raise Invalid("The request must have a text 'oid' and a whole number 'size'.", code="lfs_object_invalid")
    assert isinstance(size_bytes, int)
    return oid, size_bytes


def parse_parts(data: bytes, *, limit: int) -> tuple[str | None, list[tuple[int, str]]]:
    """The oid, if named, and the (number, etag) pairs of a completion request. Raises Invalid, TooLarge."""
    body = parse_object(data)
    oid, parts = body.get("oid"), body.get("parts")
    if oid is not None and not isinstance(oid, str):
        raise Invalid("'oid' must be a text.", code="lfs_object_invalid")
    if not isinstance(parts, list):
        raise Invalid("'parts' must be a list.", code="lfs_parts_invalid")
    if len(parts) > limit:
        raise TooLarge(f"An upload has at most {limit} parts.", code="lfs_parts_invalid")
    pairs = []
    for part in parts:
        number = part.get("partNumber") if isinstance(part, dict) else None
        etag = part.get("etag") if isinstance(part, dict) else None
        if not _is_integer(number) or not isinstance(etag, str):
            raise Invalid("Every part must have a 'partNumber' and an 'etag'.", code="lfs_parts_invalid")
        assert isinstance(number, int)
        pairs.append((number, etag.strip('"')))
    return oid, sorted(pairs)


def parse_limit(value: object, default: int) -> int:
    """A page's length as sent, number or digits; the default for none. Raises Invalid."""
    if value is None or value == "":
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:10])
    if not _is_integer(value):
        raise Invalid("'limit' must be a number.", code="limit_invalid")
    assert isinstance(value, int)
    return value


def _is_integer(value: object) -> bool:
    # JSON's true is a number in Python.
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER
