"""Answers of the routes that tell what was read from files."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, text
from hub.assets.service.cardedit import MAX_CHANGES


class IndexStepSchema(Schema):
    name = fields.String()
    title = fields.String()
    state = fields.String(metadata={"description": "pending, running, done or failed"})
    commit = fields.String(metadata={"description": "at which it was last done; empty: never"})
    error = fields.String(metadata={"description": "why it failed; else empty"})
    finished_at = fields.DateTime(allow_none=True)


class IndexSchema(Schema):
    commit = fields.String(metadata={"description": "of the default branch; empty without one"})
    state = fields.String(metadata={"description": "failed where a step is, else pending where one is not done; done"})
    steps = fields.List(fields.Nested(IndexStepSchema))


# Kinds.


class NamedSchema(Schema):
    name = fields.String()
    title = fields.String()


class CardKeySchema(Schema):
    name = fields.String()
    type = fields.String(metadata={"description": "text, words, number, flag, members, items or any"})
    description = fields.String()
    choices = fields.List(fields.String(), metadata={"description": "in lower case; empty: any value"})
    category = fields.String(metadata={"description": "of the labels that its words become; empty: none"})
    relates = fields.String(metadata={"description": "the kind of the repositories that it names; empty: none"})


class KindMemberSchema(Schema):
    name = fields.String()
    choices = fields.List(fields.String())
    filter = fields.Boolean(metadata={"description": "whether lists can be narrowed by it"})


class KindSchema(NamedSchema):
    scope = fields.String(metadata={"description": "the word for it in labels"})
    collection = fields.String(metadata={"description": "the segment of its addresses in this API"})
    git_collection = fields.String(metadata={"description": "the segment of its addresses for Git and pages"})
    files = fields.List(fields.String(), metadata={"description": "what a new one holds"})
    lfs_patterns = fields.List(fields.String(), metadata={"description": "files that are kept in LFS"})
    members = fields.List(fields.Nested(KindMemberSchema), metadata={"description": "that only this kind has"})
    card = fields.List(fields.Nested(CardKeySchema), metadata={"description": "members of the head of its card"})
    tabs = fields.List(fields.Nested(NamedSchema), metadata={"description": "its pages, in order"})
    indexers = fields.List(fields.Nested(NamedSchema), metadata={"description": "what reads its files after a push"})
    actions = fields.List(fields.String(), metadata={"description": "what can be done with one"})


# Cards.


class NewCardBody(Body):
    content = fields.String(required=True, metadata={"description": "the text of a README.md"})
    type = text("the kind of asset: model, dataset, ...", default="model")
    changes = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 200)),
        load_default=dict,
        validate=validate.Length(max=MAX_CHANGES),
        metadata={"description": "members to be set at its head, or taken away by null; the rest of it stays"},
    )


class CardProblemSchema(Schema):
    key = fields.String(metadata={"description": "the member; empty: the whole"})
    line = fields.Integer(allow_none=True, metadata={"description": "in the file, from 1"})
    severity = fields.String(metadata={"description": "error: nothing is read; warning: this is not; note: a slip?"})
    reason = fields.String()


class CardPlaceSchema(Schema):
    line = fields.Integer(metadata={"description": "where the text begins, from 1"})
    offset = fields.Integer(metadata={"description": "the same in bytes"})


class CardBodySchema(CardPlaceSchema):
    size = fields.Integer(metadata={"description": "of the file, in bytes"})
    url = fields.String(metadata={"description": "the whole file; empty without one"})


class CheckedCardSchema(Schema):
    valid = fields.Boolean(metadata={"description": "whether it can be read at all"})
    metadata = fields.Dict()
    problems = fields.List(fields.Nested(CardProblemSchema))
    body = fields.Nested(CardPlaceSchema)
    content = fields.String(metadata={"description": "with 'changes': the text with them made"})


class CardSchema(Schema):
    commit = fields.String()
    path = fields.String(metadata={"description": "empty without a card"})
    metadata = fields.Dict()
    problems = fields.List(fields.Nested(CardProblemSchema))
    description = fields.String(metadata={"description": "that its text gives a repository which nobody has described"})
    body = fields.Nested(CardBodySchema)
