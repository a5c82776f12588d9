"""Queries, bodies and answers of the pull request routes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.discussion_schemas import DiscussionAuthorSchema
from hub.api.envelope import enveloped
from hub.api.schemas import Body, PageQuery
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS


class PullsQuery(PageQuery):
    status = fields.String(
        load_default="",
        validate=validate.OneOf(["", "open", "closed"]),
        metadata={"description": "open: drafts, too; closed: merged ones, too; absent: all"},
    )
    author = fields.String(load_default="", metadata={"description": "a user's name"})


class PullQuery(Body):
    diff = fields.Boolean(load_default=False, metadata={"description": "with the changes as a patch"})


class NewPullBody(Body):
    title = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_TITLE_CHARS),
        metadata={"description": "one line", "example": "A better card"},
    )
    description = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CONTENT_CHARS),
        metadata={"description": "Markdown; becomes the first comment"},
    )
    base = fields.String(load_default="", metadata={"description": "the branch it is for; absent: the default branch"})
    revision = fields.String(
        load_default="",
        metadata={"description": "what it proposes: a branch or tag of the repository; absent: nothing yet"},
    )
    is_draft = fields.Boolean(load_default=False)


class PullBody(Body):
    title = fields.String(
        validate=validate.Length(min=1, max=MAX_TITLE_CHARS), metadata={"example": "A much better card"}
    )
    status = fields.String(validate=validate.OneOf(["open", "closed"]))


class MergeBody(Body):
    message = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CONTENT_CHARS),
        metadata={"description": "of the merge commit, where one is needed; absent: one that names the pull request"},
    )


class PullSchema(Schema):
    id = fields.Integer(metadata={"description": "of its discussion, where its comments are"})
    number = fields.Integer(metadata={"description": "its commits are those of refs/pr/<number>"})
    title = fields.String()
    status = fields.String(metadata={"description": "open, draft, closed or merged"})
    user = fields.Nested(DiscussionAuthorSchema)
    ref = fields.String()
    base = fields.String(metadata={"description": "the short name of the branch it is for"})
    merge_commit = fields.String(allow_none=True, metadata={"description": "where the base was after the merge"})
    merged_by = fields.String(allow_none=True)
    merged_at = fields.DateTime(allow_none=True)
    comment_count = fields.Integer()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class PullCommitSchema(Schema):
    id = fields.String()
    title = fields.String()
    author = fields.String()
    created_at = fields.DateTime()


class ShownPullSchema(PullSchema):
    head = fields.String(allow_none=True, metadata={"description": "the commit that its ref leads to"})
    conflicts = fields.List(fields.String(), metadata={"description": "the files that stand against a merge"})
    commits = fields.List(
        fields.Nested(PullCommitSchema), metadata={"description": "with 'diff': the newest 250, newest first"}
    )
    diff = fields.String(metadata={"description": "with 'diff': of a large one its beginning"})


PullEnvelope = enveloped(PullSchema)
PullsEnvelope = enveloped(PullSchema, many=True)
ShownPullEnvelope = enveloped(ShownPullSchema)
