"""Queries, bodies and answers about large files: leave to move them in pieces, what there is of them, copies.

Source: Xet contract, section 2; Hugging Face contract, section 7.5.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.compat.schemas import HubBody

# Of one page, and of one request each: what the client sends at once. Source: Hugging Face contract, section 7.5.
MAX_LARGE_FILES = 500
MAX_COPIED = 500
MAX_REMOVED = 1000
_MAX_TEXT = 1024


class HubXetTokenSchema(Schema):
    accessToken = fields.String()
    exp = fields.Integer(metadata={"description": "until when the token is good, in Unix seconds"})
    casUrl = fields.String(metadata={"description": "below which the pieces are"})


class HubXetWriteQuery(HubBody):
    create_pr = fields.Boolean(
        load_default=False, metadata={"description": "for a pull request: the right to propose is enough"}
    )


# What a repository holds.


class HubLargeFilesQuery(HubBody):
    limit = fields.Integer(load_default=MAX_LARGE_FILES, validate=validate.Range(1, MAX_LARGE_FILES))
    cursor = fields.String(
        load_default="", validate=validate.Length(max=64), metadata={"description": "from the Link header"}
    )


class HubLargeFileSchema(Schema):
    fileOid = fields.String(metadata={"description": "what a removal names: the SHA-256 of the content"})
    oid = fields.String(metadata={"description": "the same"})
    filename = fields.String(metadata={"description": "a path at which the default branch has it, or nothing"})
    pushedAt = fields.String()
    ref = fields.String(allow_none=True, metadata={"description": "the default branch, where it has the file"})
    size = fields.Integer()


class HubRemovalBody(HubBody):
    sha = fields.List(
        fields.String(validate=validate.Length(max=_MAX_TEXT)), required=True, validate=validate.Length(max=MAX_REMOVED)
    )
    rewriteHistory = fields.Boolean(
        load_default=False, metadata={"description": "the files go from all commits, which get new ids"}
    )


class HubRemovalsBody(HubBody):
    deletions = fields.Nested(HubRemovalBody, required=True)


class HubCopyTargetBody(HubBody):
    type = fields.String(load_default="model", allow_none=True, metadata={"description": "model, dataset or space"})
    name = fields.String(
        required=True, validate=validate.Length(max=_MAX_TEXT), metadata={"description": "namespace/name"}
    )


class HubCopiedFileBody(HubBody):
    sha256 = fields.String(required=True, validate=validate.Length(max=_MAX_TEXT))
    xetHash = fields.String(load_default=None, allow_none=True, metadata={"description": "not needed here"})
    filename = fields.String(load_default=None, allow_none=True)


class HubCopiesBody(HubBody):
    target = fields.Nested(HubCopyTargetBody, required=True)
    files = fields.List(fields.Nested(HubCopiedFileBody), required=True, validate=validate.Length(max=MAX_COPIED))


class HubNotCopiedSchema(Schema):
    sha256 = fields.String()
    error = fields.String()


class HubCopiesSchema(Schema):
    failed = fields.List(fields.Nested(HubNotCopiedSchema))
