"""Bodies, queries and answers of issues and pull requests together: lists, one by number, labels, people, order."""

from __future__ import annotations

from collections.abc import Iterable

from marshmallow import Schema, fields, validate

from hub.api.discussion_schemas import DiscussionAuthorSchema
from hub.api.envelope import enveloped
from hub.api.schemas import Body, PageQuery, text
from hub.community.service.board import MAX_SEARCH_CHARS, ROLES, SORTS, STATES, TYPES
from hub.community.service.completion import MAX_BEGINNING_CHARS
from hub.community.service.labels import MAX_DESCRIPTION_CHARS, MAX_EACH, MAX_NAME_CHARS
from hub.community.service.moderation import ACTIONS, MAX_AT_ONCE, MAX_REASON_CHARS
from hub.community.service.people import MAX_ASSIGNEES
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS
from hub.community.service.timeline import CLOSE_REASONS

_MAX_NUMBER = 2**31 - 1


def _one_of(words: Iterable[str], default: str) -> fields.String:
    return fields.String(load_default=default, validate=validate.OneOf([*words]))


class CommunityQuery(PageQuery):
    type = _one_of(TYPES, "")
    state = _one_of(STATES, "")
    label = fields.List(
        fields.String(validate=validate.Length(max=MAX_NAME_CHARS)),
        load_default=list,
        metadata={"description": "may stand more than once: all of them are meant"},
    )
    author = text("a user's name")
    assignee = text("a user's name")
    q = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_SEARCH_CHARS),
        metadata={"description": "words of the title, or of one comment"},
    )
    sort = _one_of(SORTS, "newest")


class LabelsQuery(PageQuery):
    q = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_NAME_CHARS),
        metadata={"description": "words of the name"},
    )


class CompletionQuery(Schema):
    q = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_BEGINNING_CHARS),
        metadata={"description": "how it begins"},
    )


class FoundPersonSchema(Schema):
    name = fields.String()
    nickname = fields.String()
    avatar = fields.String()


class FoundThreadSchema(Schema):
    number = fields.Integer()
    title = fields.String()
    type = fields.String(metadata={"description": "issue or pull"})


class MineQuery(PageQuery):
    role = _one_of(ROLES, "created")
    type = _one_of(TYPES, "")
    state = _one_of(STATES, "")
    repository = text("only of this one: namespace/name, or collection/namespace/name")


class DiscussionLabelSchema(Schema):
    id = fields.Integer(metadata={"description": "0: it is offered, and made when it is first used"})
    name = fields.String()
    color = fields.String(metadata={"example": "#d73a4a"})
    description = fields.String()


class CountedLabelSchema(DiscussionLabelSchema):
    open_count = fields.Integer(metadata={"description": "open issues and pull requests that carry it"})


class ThreadRepositorySchema(Schema):
    kind = fields.String()
    path = fields.String(metadata={"description": "namespace/name"})
    collection = fields.String()


class CommunityThreadSchema(Schema):
    id = fields.Integer()
    number = fields.Integer()
    type = fields.String(metadata={"description": "issue or pull"})
    title = fields.String()
    status = fields.String(metadata={"description": "open, draft, closed or merged"})
    user = fields.Nested(DiscussionAuthorSchema)
    labels = fields.List(fields.Nested(DiscussionLabelSchema))
    assignees = fields.List(fields.Nested(DiscussionAuthorSchema))
    comment_count = fields.Integer()
    is_locked = fields.Boolean()
    is_pinned = fields.Boolean()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class MyThreadSchema(CommunityThreadSchema):
    repository = fields.Nested(ThreadRepositorySchema)


class ThreadCountsSchema(Schema):
    open = fields.Integer(metadata={"description": "of the chosen type"})
    closed = fields.Integer()
    issues = fields.Integer(metadata={"description": "of the chosen state"})
    pulls = fields.Integer()


class CommunitySettingsSchema(Schema):
    issues = fields.Boolean()
    pulls = fields.Boolean()


class CommunitySchema(Schema):
    data = fields.List(fields.Nested(CommunityThreadSchema))
    total = fields.Integer()
    total_is_estimate = fields.Boolean(
        metadata={"description": "true: over 10,000, of which the total and the counts tell"}
    )
    counts = fields.Nested(ThreadCountsSchema)
    settings = fields.Nested(CommunitySettingsSchema)


class MineSchema(Schema):
    data = fields.List(fields.Nested(MyThreadSchema))
    total = fields.Integer()
    total_is_estimate = fields.Boolean(
        metadata={"description": "true: over 10,000, of which the total and the counts tell"}
    )
    counts = fields.Nested(ThreadCountsSchema)


class CommentReactionsSchema(Schema):
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"example": {"+1": 2}})
    mine = fields.List(fields.String())


class ThreadSourceSchema(Schema):
    number = fields.Integer()
    type = fields.String()
    title = fields.String()
    status = fields.String()
    repository = fields.Nested(ThreadRepositorySchema)


class TimelineItemSchema(Schema):
    """A comment, or an event: ``type`` says which."""

    id = fields.Integer()
    type = fields.String(metadata={"description": "comment, or what happened"})
    user = fields.Nested(DiscussionAuthorSchema)
    created_at = fields.DateTime()
    content = fields.String(metadata={"description": "of a comment"})
    is_hidden = fields.Boolean()
    is_edited = fields.Boolean()
    updated_at = fields.DateTime()
    reactions = fields.Nested(CommentReactionsSchema)
    data = fields.Dict(metadata={"description": "of an event"})
    users = fields.List(fields.Nested(DiscussionAuthorSchema), metadata={"description": "who was assigned"})
    source = fields.Nested(ThreadSourceSchema, metadata={"description": "where it was named"})


class TimelineSchema(Schema):
    data = fields.List(fields.Nested(TimelineItemSchema))
    total = fields.Integer()
    page = fields.Integer()
    per = fields.Integer()


class TellingSchema(Schema):
    is_told = fields.Boolean(metadata={"description": "whether the caller is told of what happens in it"})
    choice = fields.Boolean(allow_none=True, metadata={"description": "what they said; null: nothing"})


class ShownThreadSchema(CommunityThreadSchema):
    reason = fields.String(metadata={"description": "why it is closed; empty: nobody said"})
    duplicate_of = fields.Integer(allow_none=True)
    participants = fields.List(fields.Nested(DiscussionAuthorSchema))
    participant_count = fields.Integer()
    subscription = fields.Nested(TellingSchema)
    timeline = fields.Nested(TimelineSchema)


class NewIssueBody(Body):
    title = fields.String(required=True, validate=validate.Length(1, MAX_TITLE_CHARS))
    description = fields.String(load_default="", validate=validate.Length(max=MAX_CONTENT_CHARS))
    labels = fields.List(
        fields.String(validate=validate.Length(1, MAX_NAME_CHARS)),
        load_default=list,
        validate=validate.Length(max=MAX_EACH),
        metadata={"description": "names; who opens it chooses freely"},
    )
    assignees = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        load_default=list,
        validate=validate.Length(max=MAX_ASSIGNEES),
        metadata={"description": "names; for who may write to the repository"},
    )


class CommunityThreadBody(Body):
    title = fields.String(validate=validate.Length(1, MAX_TITLE_CHARS))
    status = fields.String(validate=validate.OneOf(["open", "closed"]))
    reason = fields.String(validate=validate.OneOf(["", *CLOSE_REASONS]), metadata={"description": "why it is closed"})
    duplicate_of = fields.Integer(strict=True, validate=validate.Range(1, _MAX_NUMBER))
    comment = fields.String(
        validate=validate.Length(max=MAX_CONTENT_CHARS), metadata={"description": "said beside the new status"}
    )


class ManyBody(Body):
    numbers = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, _MAX_NUMBER)),
        required=True,
        validate=validate.Length(1, MAX_AT_ONCE),
    )
    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    labels = fields.List(
        fields.String(validate=validate.Length(1, MAX_NAME_CHARS)),
        load_default=list,
        validate=validate.Length(max=MAX_EACH),
    )
    reason = fields.String(load_default="", validate=validate.Length(max=MAX_REASON_CHARS))


class DoneSchema(Schema):
    number = fields.Integer()
    is_done = fields.Boolean()
    reason = fields.String(metadata={"description": "why it was not done"})


class LockBody(Body):
    reason = fields.String(load_default="", validate=validate.Length(max=MAX_REASON_CHARS))


class SubscriptionBody(Body):
    is_wanted = fields.Boolean(required=True)


class LabelNamesBody(Body):
    labels = fields.List(
        fields.String(validate=validate.Length(1, MAX_NAME_CHARS)), required=True, validate=validate.Length(1, MAX_EACH)
    )


class AssigneesBody(Body):
    users = fields.List(
        fields.String(validate=validate.Length(1, 64)), required=True, validate=validate.Length(1, MAX_ASSIGNEES)
    )


class NewThreadLabelBody(Body):
    name = fields.String(required=True, validate=validate.Length(1, MAX_NAME_CHARS))
    color = fields.String(load_default="#ededed", metadata={"example": "#d73a4a"})
    description = fields.String(load_default="", validate=validate.Length(max=MAX_DESCRIPTION_CHARS))


class ThreadLabelBody(Body):
    name = fields.String(validate=validate.Length(1, MAX_NAME_CHARS))
    color = fields.String()
    description = fields.String(validate=validate.Length(max=MAX_DESCRIPTION_CHARS))


class CommunitySettingsBody(Body):
    issues = fields.Boolean()
    pulls = fields.Boolean()


class ThreadTemplateSchema(Schema):
    path = fields.String()
    content = fields.String(metadata={"description": "Markdown"})


class ThreadTemplatesSchema(Schema):
    issue = fields.Nested(ThreadTemplateSchema, allow_none=True)
    pull = fields.Nested(ThreadTemplateSchema, allow_none=True)


CommunityEnvelope = enveloped(CommunitySchema)
MineEnvelope = enveloped(MineSchema)
CommunityThreadEnvelope = enveloped(CommunityThreadSchema)
ShownThreadEnvelope = enveloped(ShownThreadSchema)
TimelineItemEnvelope = enveloped(TimelineItemSchema)
DoneManyEnvelope = enveloped(DoneSchema, many=True)
TellingEnvelope = enveloped(TellingSchema)
ReactionsEnvelope = enveloped(CommentReactionsSchema)
LabelEnvelope = enveloped(DiscussionLabelSchema)
LabelsEnvelope = enveloped(DiscussionLabelSchema, many=True)
CountedLabelsEnvelope = enveloped(CountedLabelSchema, many=True)
AssigneesEnvelope = enveloped(DiscussionAuthorSchema, many=True)
CommunitySettingsEnvelope = enveloped(CommunitySettingsSchema)
FoundPeopleEnvelope = enveloped(FoundPersonSchema, many=True)
FoundThreadsEnvelope = enveloped(FoundThreadSchema, many=True)
ThreadTemplatesEnvelope = enveloped(ThreadTemplatesSchema)
