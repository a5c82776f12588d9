"""Queries, bodies and answers of the routes of reviews and of conversations about lines."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.discussion_schemas import CommentSchema, DiscussionAuthorSchema
from hub.api.envelope import enveloped
from hub.api.ids import row_id
from hub.api.schemas import Body, PageQuery
from hub.community.models_reviews import ReviewState
from hub.community.service.reviews import MAX_COMMENTS, MAX_DISMISSAL_CHARS
from hub.community.service.reviews_lines import MAX_LINES, MAX_PATH_CHARS, SIDES
from hub.community.service.reviews_requests import MAX_ASKED
from hub.community.service.reviews_threads import STATES
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_LINE_COMMENT_CHARS

_LINE = validate.Range(min=1, max=2**31 - 1)
_MARKDOWN = "Markdown; a block that begins with ```suggestion proposes other lines"


class LineCommentBody(Body):
    path = fields.String(required=True, validate=validate.Length(min=1, max=MAX_PATH_CHARS))
    side = fields.String(
        load_default="new",
        validate=validate.OneOf(SIDES),
        metadata={"description": "new: the file as the pull request has it; old: as it was before"},
    )
    start_line = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=_LINE, metadata={"description": "absent: end_line"}
    )
    end_line = fields.Integer(
        required=True,
        strict=True,
        validate=_LINE,
        metadata={"description": f"from 1; with start_line at most {MAX_LINES} lines"},
    )
    content = fields.String(
        required=True, validate=validate.Length(min=1, max=MAX_LINE_COMMENT_CHARS), metadata={"description": _MARKDOWN}
    )


class ReviewBody(Body):
    state = fields.String(
        required=True,
        validate=validate.OneOf([*ReviewState]),
        metadata={"description": "approved, changes (asked for) or commented", "example": "commented"},
    )
    content = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CONTENT_CHARS),
        metadata={"description": "Markdown", "example": "Looks good."},
    )
    comments = fields.List(
        fields.Nested(LineCommentBody),
        load_default=list,
        validate=validate.Length(max=MAX_COMMENTS),
        metadata={"description": "each begins a conversation about lines", "example": []},
    )
    commit_id = fields.String(
        load_default="",
        validate=validate.Length(max=40),
        metadata={"description": "the head that was looked at; with another one the review is refused"},
    )


class DismissalBody(Body):
    reason = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_DISMISSAL_CHARS),
        metadata={"description": "one line, shown to everybody", "example": "It was about another version."},
    )


class ReviewRequestsBody(Body):
    users = fields.List(
        fields.String(validate=validate.Length(min=1, max=64)),
        required=True,
        validate=validate.Length(min=1, max=MAX_ASKED),
        metadata={"description": "their names"},
    )


class ThreadsQuery(PageQuery):
    path = fields.String(load_default="", metadata={"description": "only those about this file"})
    state = fields.String(
        load_default="", validate=validate.OneOf(STATES), metadata={"description": "open or resolved; absent: both"}
    )


class ThreadBody(Body):
    is_resolved = fields.Boolean(required=True, metadata={"example": True})


class ReplyBody(Body):
    content = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_LINE_COMMENT_CHARS),
        metadata={"description": _MARKDOWN, "example": "Done."},
    )


class ApplyBody(Body):
    comment_id = row_id(
        load_default=None, allow_none=True, metadata={"description": "whose suggestion; absent: the last one"}
    )
    seen = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=MAX_LINE_COMMENT_CHARS),
        metadata={"description": "its 'suggestion' as it was read: with another one it is refused", "example": "1\n"},
    )
    message = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CONTENT_CHARS),
        metadata={"description": "of the commit; absent: one that names the file", "example": "Take the suggestion"},
    )


class ReviewSchema(Schema):
    id = fields.Integer()
    user = fields.Nested(DiscussionAuthorSchema)
    state = fields.String(metadata={"description": "approved, changes or commented"})
    content = fields.String()
    commit_id = fields.String(metadata={"description": "the head that was reviewed"})
    comment_count = fields.Integer(metadata={"description": "of its comments about lines"})
    dismissed_at = fields.DateTime(allow_none=True)
    dismissed_by = fields.String(allow_none=True)
    dismissal = fields.String(metadata={"description": "why it was dismissed"})
    created_at = fields.DateTime()


class ReviewerSchema(Schema):
    user = fields.Nested(DiscussionAuthorSchema)
    state = fields.String(metadata={"description": "approved, changes, commented, dismissed or requested"})
    is_requested = fields.Boolean(metadata={"description": "asked to review (again)"})
    is_stale = fields.Boolean(metadata={"description": "there are other commits than those that they saw"})
    has_weight = fields.Boolean(metadata={"description": "may write to the repository: only such approvals count"})
    review_id = fields.Integer(allow_none=True)


class ThreadCommentSchema(CommentSchema):
    review_id = fields.Integer(allow_none=True)
    suggestion = fields.String(allow_none=True, metadata={"description": "the lines that it proposes; null: none"})
    applied_commit = fields.String(allow_none=True, metadata={"description": "the commit that took the suggestion"})


class ThreadSchema(Schema):
    id = fields.Integer()
    path = fields.String()
    side = fields.String(metadata={"description": "old or new"})
    start_line = fields.Integer()
    end_line = fields.Integer()
    commit_id = fields.String(metadata={"description": "whose lines they are"})
    excerpt = fields.String(metadata={"description": "the lines as they were, at most 20 of them"})
    is_outdated = fields.Boolean(metadata={"description": "the file is another one by now"})
    is_resolved = fields.Boolean()
    resolved_by = fields.String(allow_none=True)
    resolved_at = fields.DateTime(allow_none=True)
    comment_count = fields.Integer()
    comments = fields.List(
        fields.Nested(ThreadCommentSchema), metadata={"description": "oldest first; in a list the first 20"}
    )
    created_at = fields.DateTime()


class AppliedSchema(Schema):
    commit_id = fields.String()


ReviewEnvelope = enveloped(ReviewSchema)
ReviewsEnvelope = enveloped(ReviewSchema, many=True)
ReviewersEnvelope = enveloped(ReviewerSchema, many=True)
ThreadEnvelope = enveloped(ThreadSchema)
ThreadsEnvelope = enveloped(ThreadSchema, many=True)
ThreadCommentEnvelope = enveloped(ThreadCommentSchema)
AppliedEnvelope = enveloped(AppliedSchema)
