"""Bodies, queries and answers of the routes about a repository's storage, checks and export."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, JobSchema, PageQuery
from hub.repos.lfs.uses import SORTS

MAX_OIDS = 1000


class LargeFilesQuery(PageQuery):
    unnamed = fields.Boolean(load_default=False, metadata={"description": "only what no commit names"})
    sort = fields.String(load_default="", validate=validate.OneOf(["", *SORTS]))


class LargeFileSchema(Schema):
    oid = fields.String()
    size_bytes = fields.Integer()
    held_at = fields.DateTime(metadata={"description": "since when the repository holds it"})
    path = fields.String(allow_none=True, metadata={"description": "its newest; null: no commit names it"})
    refs = fields.Integer(metadata={"description": "branches and tags that have it where they are now"})
    used_at = fields.DateTime(allow_none=True, metadata={"description": "of the newest commit that names it"})


class RemoveFilesBody(Body):
    oids = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(min=1, max=MAX_OIDS),
        metadata={"description": "SHA-256 of each content"},
    )
    rewrite_history = fields.Boolean(
        load_default=True,
        metadata={"description": "take them out of every commit first; else commits go on naming what is gone"},
    )


class SizesSchema(Schema):
    git_size_bytes = fields.Integer()
    lfs_size_bytes = fields.Integer()
    used_bytes = fields.Integer(metadata={"description": "by all repositories of the namespace"})
    quota_bytes = fields.Integer(allow_none=True, metadata={"description": "null: no limit"})


class RemovedFilesSchema(SizesSchema):
    removed = fields.Integer()


class ReportSchema(Schema):
    data = fields.Dict(allow_none=True, metadata={"description": "what was found last; null: nothing yet"})
    made_at = fields.DateTime(allow_none=True)
    job = fields.Nested(JobSchema, allow_none=True, metadata={"description": "the newest that was asked for"})


class StorageSchema(SizesSchema):
    survey = fields.Nested(ReportSchema, metadata={"description": "the look at which large files commits name"})
    collect = fields.Nested(ReportSchema, metadata={"description": "the last time that it was tidied up"})


class CheckBody(Body):
    with_content = fields.Boolean(
        load_default=False, metadata={"description": "read every large file and compare its SHA-256, too"}
    )
