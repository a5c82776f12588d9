"""Queries and answers of the routes of changed files."""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.api.envelope import enveloped
from hub.api.schemas import Body, PageNumber


class ChangedFilesQuery(Body):
    page = PageNumber(metadata={"description": "from 1"})
    per = PageNumber(metadata={"description": "1 to 100, 100 by default"})
    path = fields.String(
        load_default="", metadata={"description": "one file, by its new or old name: its lines come with it"}
    )
    hunks = fields.Boolean(
        load_default=False, metadata={"description": "with the lines of the page's files, as far as they are small"}
    )
    ignore_whitespace = fields.Boolean(load_default=False)


class ChangedLineSchema(Schema):
    origin = fields.String(metadata={"description": "a space, + or -"})
    old_number = fields.Integer(allow_none=True)
    new_number = fields.Integer(allow_none=True)
    text = fields.String()
    has_newline = fields.Boolean()


class ChangedHunkSchema(Schema):
    old_start = fields.Integer()
    old_lines = fields.Integer()
    new_start = fields.Integer()
    new_lines = fields.Integer()
    header = fields.String()
    lines = fields.List(fields.Nested(ChangedLineSchema))


class ChangedLFSSchema(Schema):
    oid = fields.String(metadata={"description": "the content's SHA-256"})
    size = fields.Integer(metadata={"description": "the content's bytes"})


class ChangedFileSchema(Schema):
    path = fields.String()
    old_path = fields.String()
    status = fields.String(metadata={"description": "added, deleted, modified, renamed or type_changed"})
    similarity = fields.Integer(metadata={"description": "percent; of renamed files"})
    additions = fields.Integer(allow_none=True, metadata={"description": "null: binary, or too large to count"})
    deletions = fields.Integer(allow_none=True)
    binary = fields.Boolean()
    image = fields.Boolean(metadata={"description": "its name is a picture's"})
    old_mode = fields.String(metadata={"description": "octal; empty where the side lacks the file"})
    new_mode = fields.String()
    old_oid = fields.String(metadata={"description": "git's; zeros where the side lacks the file"})
    new_oid = fields.String()
    old_size = fields.Integer(metadata={"description": "bytes; of files in LFS those of the content"})
    new_size = fields.Integer()
    old_lfs = fields.Nested(ChangedLFSSchema, allow_none=True)
    new_lfs = fields.Nested(ChangedLFSSchema, allow_none=True)
    collapsed = fields.String(
        metadata={
            "description": "why no lines are given: 'lines' (over 1,000) or 'size' (over 200 KiB): ask by its path; "
            "'binary', 'lfs', 'too_large': it has none; empty: nothing stands against it"
        }
    )
    hunks = fields.List(
        fields.Nested(ChangedHunkSchema), metadata={"description": "where lines were asked for and are given"}
    )
    truncated = fields.Boolean(metadata={"description": "there are more lines than are given"})


class ChangedFilesSchema(Schema):
    old = fields.String(allow_none=True, metadata={"description": "the commit compared with; null: nothing"})
    new = fields.String(metadata={"description": "the commit whose changes these are"})
    files = fields.List(fields.Nested(ChangedFileSchema))
    total = fields.Integer(metadata={"description": "of all changed files"})
    additions = fields.Integer(allow_none=True, metadata={"description": "of all files; null: too many to count"})
    deletions = fields.Integer(allow_none=True)
    truncated = fields.Boolean(metadata={"description": "there are more files than can be listed"})


ChangedFilesEnvelope = enveloped(ChangedFilesSchema)
