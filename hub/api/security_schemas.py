"""Queries and answers of the routes that tell what scans found in files."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, PageQuery, text
from hub.assets.models_security import ScanState

_STATES = ", ".join(state.value for state in ScanState)


class SecurityQuery(PageQuery):
    ref = text("a branch, tag or commit; empty: the default branch")
    state = fields.Enum(ScanState, by_value=True, metadata={"description": f"only files in this state: {_STATES}"})
    path = fields.String(
        load_default="",
        validate=validate.Length(max=1024),
        metadata={"description": "only this file, or what is below this directory"},
    )


class ScanBody(Body):
    ref = text("a branch, tag or commit; empty: the default branch")


class FindingSchema(Schema):
    kind = fields.String(metadata={"description": "such as dangerous_import, private_key, executable"})
    level = fields.String(metadata={"description": "unsafe or suspicious"})
    text = fields.String(metadata={"description": "of a secret, how it begins, for who may write; never the whole"})
    where = fields.String(metadata={"description": "the member of an archive; else empty"})
    line = fields.Integer(allow_none=True, metadata={"description": "of a secret, for who may write"})


class ImportSchema(Schema):
    module = fields.String()
    name = fields.String()
    safety = fields.String(metadata={"description": "dangerous, suspicious or innocuous"})


class SecurityFileSchema(Schema):
    path = fields.String()
    size = fields.Integer()
    oid = fields.String(metadata={"description": "the Git object, or the SHA-256 of content in LFS"})
    lfs = fields.Boolean()
    state = fields.String(metadata={"description": _STATES})
    reason = fields.String(metadata={"description": "why it was not looked through, or not wholly; else empty"})
    findings = fields.List(
        fields.Nested(FindingSchema), allow_none=True, metadata={"description": "null: for who gets the content only"}
    )
    imports = fields.List(
        fields.Nested(ImportSchema),
        allow_none=True,
        metadata={"description": "what its pickles import; null: as above"},
    )


class SecuritySchema(Schema):
    commit = fields.String()
    state = fields.String(metadata={"description": "the worst of its files; queued: not looked through yet"})
    counts = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "files by state; empty while queued"}
    )
    file_count = fields.Integer(allow_none=True)
    current = fields.Boolean(metadata={"description": "whether today's checkers have looked"})
    scanned_at = fields.DateTime(allow_none=True)
    total = fields.Integer(metadata={"description": "files of all pages"})
    files = fields.List(fields.Nested(SecurityFileSchema), metadata={"description": "a page, by path"})
