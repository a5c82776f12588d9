"""Queries, bodies and answers of discussions and pull requests. Source: Hugging Face contract, section 9."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS
from hub.compat.schemas import HubBody

MAX_PAGE = 1_000_000


def _text(description: str = "", **options: Any) -> fields.String:
    return fields.String(metadata={"description": description} if description else {}, **options)


class HubDiscussionsQuery(HubBody):
    p = fields.Integer(load_default=0, validate=validate.Range(0, MAX_PAGE), metadata={"description": "page, from 0"})
    type = fields.String(load_default="all", validate=validate.OneOf(["all", "discussion", "pull_request"]))
    status = fields.String(
        load_default="all",
        validate=validate.OneOf(["all", "open", "closed"]),
        metadata={"description": "open: drafts, too; closed: merged ones, too"},
    )
    author = _text("a user's name", load_default="")


class HubDiscussionQuery(HubBody):
    diff = fields.Boolean(load_default=False, metadata={"description": "with a pull request's changes as a patch"})


class HubNamedSchema(Schema):
    name = fields.String()


class HubRepoNameSchema(Schema):
    name = _text("namespace/name")
    type = fields.String()


class HubDiscussionSchema(Schema):
    num = fields.Integer()
    title = fields.String()
    status = _text("open, draft, closed or merged")
    isPullRequest = fields.Boolean()
    createdAt = fields.String()
    author = fields.Nested(HubNamedSchema, metadata={"description": "absent: the account is gone"})
    repo = fields.Nested(HubRepoNameSchema)


class HubDiscussionsSchema(Schema):
    discussions = fields.List(fields.Nested(HubDiscussionSchema))
    count = fields.Integer(metadata={"description": "of all pages"})
    start = fields.Integer(metadata={"description": "how many come before this page"})


class HubEventSchema(Schema):
    id = _text("hexadecimal")
    type = _text("comment, status-change, commit or title-change")
    createdAt = fields.String()
    author = fields.Nested(HubNamedSchema)
    data = fields.Dict(metadata={"description": "by type: Hugging Face contract, section 9"})


class HubChangesSchema(Schema):
    base = _text("refs/heads/...")
    mergeCommitId = fields.String()


class HubDiscussionDetailsSchema(HubDiscussionSchema):
    events = fields.List(fields.Nested(HubEventSchema), metadata={"description": "the oldest first"})
    changes = fields.Nested(HubChangesSchema, metadata={"description": "of a pull request"})
    filesWithConflicts = fields.List(fields.String(), metadata={"description": "of a pull request"})
    diff = _text("of a pull request, where asked for; of a large one its beginning")


class HubNewDiscussionBody(HubBody):
    title = fields.String(required=True, validate=validate.Length(min=1, max=MAX_TITLE_CHARS))
    description = _text("the first comment", load_default="", validate=validate.Length(max=MAX_CONTENT_CHARS))
    pullRequest = fields.Boolean(load_default=False, metadata={"description": "a draft, for commits to refs/pr/<num>"})


class HubNewDiscussionSchema(Schema):
    num = fields.Integer()
    url = fields.String()


class HubCommentBody(HubBody):
    comment = fields.String(required=True, validate=validate.Length(min=1, max=MAX_CONTENT_CHARS))


class HubCommentEditBody(HubBody):
    content = fields.String(required=True, validate=validate.Length(min=1, max=MAX_CONTENT_CHARS))


class HubTitleBody(HubBody):
    title = fields.String(required=True, validate=validate.Length(min=1, max=MAX_TITLE_CHARS))


class HubStatusBody(HubBody):
    status = fields.String(required=True, validate=validate.OneOf(["open", "closed"]))
    comment = fields.String(load_default="", validate=validate.Length(max=MAX_CONTENT_CHARS))


class HubMergeBody(HubBody):
    comment = fields.String(load_default="", allow_none=True, validate=validate.Length(max=MAX_CONTENT_CHARS))


class HubNewMessageSchema(Schema):
    newMessage = fields.Nested(HubEventSchema)


class HubNewTitleSchema(Schema):
    newTitle = fields.Nested(HubEventSchema)


class HubNewStatusSchema(Schema):
    newStatus = fields.Nested(HubEventSchema)


class HubUpdatedCommentSchema(Schema):
    updatedComment = fields.Nested(HubEventSchema)


class HubMergedSchema(Schema):
    success = fields.Boolean()
    mergeCommitId = fields.String()


class HubSquashBody(HubBody):
    message = _text("of the one commit", load_default="", validate=validate.Length(max=MAX_CONTENT_CHARS))


class HubSquashedSchema(Schema):
    success = fields.Boolean()
    commitOid = fields.String()
