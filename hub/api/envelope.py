"""What the REST API answers with: the envelope and its schema. Source: CSGHub contract, section 1.4."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from flask import Response
from marshmallow import Schema, fields


def ok(data: Any = None, *, total: int | None = None, is_estimate: bool = False, **members: Any) -> dict[str, Any]:
    """``{"msg": "OK", "data"?, "total"?}``, list shape A when data is a list; empty members are left out.

    The SDK compares ``msg`` exactly. is_estimate: of a ``Page``; it is said beside the total, here and in the other
    shapes. members: further ones beside these.
    """
    envelope: dict[str, Any] = {"msg": "OK"}
    if data is not None:
        envelope["data"] = data
    if total:
        envelope["total"] = total
    if is_estimate:
        envelope["total_is_estimate"] = True
    return envelope | members


def paged(items: list[Any], total: int, *, is_estimate: bool = False) -> dict[str, Any]:
    """List shape B: the page inside ``data``."""
    estimated = {"total_is_estimate": True} if is_estimate else {}
    return ok({"data": items, "total": total} | estimated)


def messaged(items: list[Any], total: int, *, is_estimate: bool = False) -> dict[str, Any]:
    """List shape C: ``message`` beside ``msg``."""
    return ok(items, total=total, is_estimate=is_estimate, message="OK")


def plain(items: list[Any], total: int) -> dict[str, Any]:
    """List shape D. The contract wants no message; one more member does no harm."""
    return ok(items) | {"total": total}


def send_json(envelope: dict[str, Any]) -> Response:
    """The envelope as it is, without a schema's walk through it, which takes longer than finding what is in it."""
    return Response(_encode(envelope), mimetype="application/json")


_encode = msgspec.json.Encoder().encode


def _estimated() -> fields.Boolean:
    return fields.Boolean(metadata={"description": "true: there are too many to count, the total is about right"})


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
        inner: dict[str, Any] = {
            "data": fields.List(fields.Nested(schema)),
            "total": fields.Integer(),
            "total_is_estimate": _estimated(),
        }
        members["data"] = fields.Nested(Schema.from_dict(inner, name=f"{name}Page"))
        name = f"{name}List"
    elif many:
        members["data"] = fields.List(fields.Nested(schema))
        members["total"] = fields.Integer(metadata={"description": "of all pages; absent: 0"})
        members["total_is_estimate"] = _estimated()
        members["message"] = fields.String(metadata={"description": "OK; on lists of shape C only"})
        name = f"{name}s"
    else:
        members["data"] = fields.Nested(schema)
    return Schema.from_dict(members, name=f"{name}Envelope")


@cache
def valued(field: fields.Field[Any], name: str) -> type[Schema]:
    """As ``enveloped``, around a bare value instead of an object."""
    return Schema.from_dict({"msg": fields.String(), "data": field}, name=f"{name}Envelope")
