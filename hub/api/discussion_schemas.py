"""Bodies and answers of the discussion routes. Names and shapes: CSGHub contract, section 4.7."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped
from hub.api.schemas import Body
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS

_MARKDOWN = {"description": "Markdown"}


class DiscussionBody(Body):
    title = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_TITLE_CHARS),
        metadata={"description": "one line", "example": "Which licence do the weights have?"},
    )


class CommentBody(Body):
    content = fields.String(
        required=True, validate=validate.Length(min=1, max=MAX_CONTENT_CHARS), metadata=_MARKDOWN | {"example": "MIT."}
    )


class DiscussionAuthorSchema(Schema):
    id = fields.Integer(metadata={"description": "0: the account is gone"})
    name = fields.String(metadata={"description": "the user's name; ghost: the account is gone"})
    avatar = fields.String()


class DiscussionSchema(Schema):
    id = fields.Integer()
    title = fields.String()
    user = fields.Nested(DiscussionAuthorSchema)
    comment_count = fields.Integer()
    created_at = fields.DateTime()
    updated_at = fields.DateTime(metadata={"description": "of the last comment, or of the title's last change"})


class DiscussionListSchema(Schema):
    discussions = fields.List(fields.Nested(DiscussionSchema))


class CommentSchema(Schema):
    id = fields.Integer()
    content = fields.String(metadata=_MARKDOWN)
    user = fields.Nested(DiscussionAuthorSchema)
    created_at = fields.DateTime()
    updated_at = fields.DateTime(metadata={"description": "differs from created_at where it was edited"})


class CommentPageSchema(Schema):
    data = fields.List(fields.Nested(CommentSchema))
    total = fields.Integer()
    page = fields.Integer()
    per = fields.Integer()


class ShownDiscussionSchema(DiscussionSchema):
    comments = fields.Nested(CommentPageSchema)


# Shape A, save that what it counts lies one level deeper.
DiscussionsEnvelope = Schema.from_dict(
    {
        "msg": fields.String(metadata={"description": "OK"}),
        "data": fields.Nested(DiscussionListSchema),
        "total": fields.Integer(metadata={"description": "of all pages; absent: 0"}),
    },
    name="DiscussionsEnvelope",
)
DiscussionEnvelope = enveloped(DiscussionSchema)
ShownDiscussionEnvelope = enveloped(ShownDiscussionSchema)
CommentEnvelope = enveloped(CommentSchema)
CommentsEnvelope = enveloped(CommentSchema, many=True)
