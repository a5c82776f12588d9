"""Queries, bodies and answers of the collection routes. Source: Hugging Face contract, section 10."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.compat.schemas import HubBody
from hub.http.rest import ErrorSchema

MAX_PER = 100
MAX_FILTERS = 100
# What a collection's colour is called; the REST API knows the colours themselves.
THEMES = {
    "green": "#22c55e",
    "orange": "#f97316",
    "blue": "#3b82f6",
    "purple": "#a855f7",
    "pink": "#ec4899",
    "indigo": "#6366f1",
}


def _text(description: str = "", **options: object) -> fields.String:
    return fields.String(metadata={"description": description} if description else {}, **options)  # type: ignore[arg-type]


class HubCollectionsQuery(HubBody):
    owner = fields.List(
        fields.String(), load_default=list, validate=validate.Length(max=MAX_FILTERS), metadata={"description": "names"}
    )
    item = fields.List(
        fields.String(),
        load_default=list,
        validate=validate.Length(max=MAX_FILTERS),
        metadata={"description": "such as models/ada/thing: collections that hold one of them"},
    )
    q = _text("words in the title or description", load_default="")
    sort = fields.String(load_default="lastModified", validate=validate.OneOf(["lastModified", "trending", "upvotes"]))
    limit = fields.Integer(load_default=MAX_PER, metadata={"description": "items wanted; a page has at most 100"})
    cursor = fields.Integer(
        load_default=1, validate=validate.Range(1, 1_000_000), metadata={"description": "from the Link header"}
    )


class HubCollectionBody(HubBody):
    title = _text("at most 64 characters", required=True)
    namespace = _text("whose it is; absent: the caller's", load_default="")
    description = _text(load_default="", allow_none=True)
    private = fields.Boolean(load_default=False)


class HubCollectionUpdateBody(HubBody):
    title = fields.String(load_default=None)
    description = fields.String(load_default=None)
    position = fields.Integer(load_default=None, metadata={"description": "among the owner's; smaller ones first"})
    private = fields.Boolean(load_default=None)
    theme = fields.String(load_default=None, validate=validate.OneOf(sorted(THEMES)))


class HubItemIdBody(HubBody):
    id = _text("namespace/name", required=True)
    type = _text("model, dataset, space ...", required=True)


class HubItemBody(HubBody):
    item = fields.Nested(HubItemIdBody, required=True)
    note = _text("at most 500 characters", load_default="", allow_none=True)


class HubItemUpdateBody(HubBody):
    note = fields.String(load_default=None)
    position = fields.Integer(
        load_default=None, validate=validate.Range(0, 1_000_000), metadata={"description": "from 0"}
    )


class HubNoteSchema(Schema):
    text = fields.String()


class HubCollectionItemSchema(Schema):
    _id = fields.String()
    id = fields.String()
    type = fields.String()
    position = fields.Integer()
    note = fields.Nested(HubNoteSchema)


class HubCollectionOwnerSchema(Schema):
    name = fields.String()
    type = fields.String()


class HubCollectionSchema(Schema):
    slug = _text("owner/title-<24 hexadecimal digits>; the digits alone count")
    title = fields.String()
    description = fields.String()
    owner = fields.Nested(HubCollectionOwnerSchema)
    items = fields.List(fields.Nested(HubCollectionItemSchema))
    lastUpdated = fields.String()
    position = fields.Integer(metadata={"description": "among the owner's; not in lists"})
    private = fields.Boolean()
    theme = fields.String()
    upvotes = fields.Integer()


class HubUpdatedCollectionSchema(Schema):
    data = fields.Nested(HubCollectionSchema)


class HubCollectionTakenSchema(ErrorSchema):
    """The error of a title that is taken, which leads to what has it."""

    slug = _text("of the collection that is there")
