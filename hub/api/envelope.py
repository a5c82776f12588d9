"""What the REST API answers with: the envelope, its schema, and errors in the platform's codes.

Source: CSGHub contract, sections 1.4 (envelope, list shapes) and 1.6 (errors).
"""

from __future__ import annotations

import functools
from functools import cache
from typing import Any

from flask import Response
from marshmallow import Schema, fields

from hub.http.errors import render_platform_json

# The platform's codes for what services call by a word. Codes that have none here are answered as they are.
PLATFORM_CODES = {
    "not_signed_in": "AUTH-ERR-0",
    "denied": "AUTH-ERR-2",
    "scope_insufficient": "AUTH-ERR-2",
    "quota_exceeded": "AUTH-ERR-12",
    "bad_request": "REQ-ERR-0",
    "json_invalid": "REQ-ERR-1",
    "invalid": "REQ-ERR-6",
    "path_invalid": "REQ-ERR-6",
    "ref_invalid": "REQ-ERR-6",
    "cursor_invalid": "REQ-ERR-6",
    "unprocessable_entity": "REQ-ERR-6",
    "unprocessable_content": "REQ-ERR-6",
    "nothing_to_commit": "REQ-ERR-2",
    "request_entity_too_large": "REQ-ERR-3",
    "content_too_large": "REQ-ERR-3",
    "too_large": "REQ-ERR-3",
    "file_too_large": "REQ-ERR-3",  # never GIT-ERR-20, which the SDK takes for success
    "unsupported_media_type": "REQ-ERR-9",
    "rate_limited": "REQ-ERR-10",
    "name_invalid": "REPO-ERR-1",
    "namespace_not_found": "REPO-ERR-2",
    "repository_not_found": "REPO-ERR-3",
    "kind_not_found": "REPO-ERR-3",
    "revision_not_found": "GIT-ERR-6",
    "branch_not_found": "GIT-ERR-11",
    "entry_not_found": "GIT-ERR-15",
    "branch_exists": "GIT-ERR-13",
    "ref_changed": "GIT-ERR-22",
    "file_changed": "GIT-ERR-22",
    "git_failed": "GIT-ERR-34",
    "internal": "SYS-ERR-0",
    "lfs_object_missing": "SYS-ERR-5",
    "lfs_object_not_found": "SYS-ERR-5",
}
# Where the contract wants another status than the class of the error has.
_STATUS_OF_CODE = {"REPO-ERR-0": 400}


def ok(data: Any = None, *, total: int | None = None, **members: Any) -> dict[str, Any]:
    """``{"msg": "OK", "data"?, "total"?}``, list shape A when data is a list; empty members are left out.

    The SDK compares ``msg`` exactly. members: further ones beside these.
    """
    envelope: dict[str, Any] = {"msg": "OK"}
    if data is not None:
        envelope["data"] = data
    if total:
        envelope["total"] = total
    return envelope | members


def paged(items: list[Any], total: int) -> dict[str, Any]:
    """List shape B: the page inside ``data``."""
    return ok({"data": items, "total": total})


def messaged(items: list[Any], total: int) -> dict[str, Any]:
    """List shape C: ``message`` beside ``msg``."""
    return ok(items, total=total, message="OK")


def plain(items: list[Any], total: int) -> dict[str, Any]:
    """List shape D. The contract wants no message; one more member does no harm."""
    return ok(items) | {"total": total}


@functools.cache
@cache
def enveloped(schema: type[Schema] | Schema | None = None, *, many: bool = False, paged: bool = False) -> type[Schema]:
    """The schema of ``{"msg", "data", "total"?}`` around a schema; paged: ``data`` holds ``{"data", "total"}``.

    The same one each time: two of one name would be two in the description of the API.
    """
    members: dict[str, Any] = {"msg": fields.String(metadata={"description": "OK"})}
    if schema is None:
        return Schema.from_dict(members, name="DoneEnvelope")
    cls = schema if isinstance(schema, type) else type(schema)
    name = cls.__name__.removesuffix("Schema")
    if paged:
        inner: dict[str, Any] = {"data": fields.List(fields.Nested(schema)), "total": fields.Integer()}
        members["data"] = fields.Nested(Schema.from_dict(inner, name=f"{name}Page"))
        name = f"{name}List"
    elif many:
        members["data"] = fields.List(fields.Nested(schema))
        members["total"] = fields.Integer(metadata={"description": "of all pages; absent: 0"})
        members["message"] = fields.String(metadata={"description": "OK; on lists of shape C only"})
        name = f"{name}s"
    else:
        members["data"] = fields.Nested(schema)
    return Schema.from_dict(members, name=f"{name}Envelope")


@cache
def valued(field: fields.Field[Any], name: str) -> type[Schema]:
    """As ``enveloped``, around a bare value instead of an object."""
    return Schema.from_dict({"msg": fields.String(), "data": field}, name=f"{name}Envelope")


def render_api_error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """An error as the platform's clients read it; ``context.reason`` keeps the word that the service used."""
    platform_code = PLATFORM_CODES.get(code, code)
    if platform_code != code:
        details = {**details, "reason": code}
    return render_platform_json(_STATUS_OF_CODE.get(platform_code, status), platform_code, message, details)
