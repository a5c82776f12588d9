"""Bodies and answers of broadcasts and client events. Names and shapes: CSGHub contract, section 4.7."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.account_schemas import Moment
from hub.api.envelope import enveloped
from hub.api.schemas import Body
from hub.community.service.broadcasts import FORMS, MAX_BROADCAST_CHARS, THEMES
from hub.community.service.client_events import MAX_EXTENSION_CHARS, MAX_NAME_CHARS, MAX_VALUE_CHARS

STATUSES = ("active", "inactive")

_CONTENT = validate.Length(min=1, max=MAX_BROADCAST_CHARS)


class BroadcastBody(Body):
    content = fields.String(required=True, validate=_CONTENT, metadata={"example": "Maintenance on Sunday."})
    bc_type = fields.String(load_default=FORMS[0], validate=validate.OneOf(FORMS))
    theme = fields.String(load_default=THEMES[0], validate=validate.OneOf(THEMES))
    status = fields.String(
        load_default=STATUSES[0],
        validate=validate.OneOf(STATUSES),
        metadata={"description": "one broadcast is shown at a time: the one that was so ends"},
    )
    starts_at = Moment(allow_none=True, load_default=None, metadata={"description": "null: as soon as it is active"})
    ends_at = Moment(allow_none=True, load_default=None, metadata={"description": "null: until somebody ends it"})


class UpdateBroadcastBody(Body):
    """Absent members stay as they are."""

    content = fields.String(validate=_CONTENT)
    bc_type = fields.String(validate=validate.OneOf(FORMS))
    theme = fields.String(validate=validate.OneOf(THEMES))
    status = fields.String(validate=validate.OneOf(STATUSES))
    starts_at = Moment(allow_none=True)
    ends_at = Moment(allow_none=True)


class BroadcastSchema(Schema):
    id = fields.Integer()
    content = fields.String()
    bc_type = fields.String(metadata={"description": "banner or message"})
    theme = fields.String(metadata={"description": "light or dark"})
    status = fields.String(metadata={"description": "active or inactive"})
    starts_at = fields.DateTime(allow_none=True)
    ends_at = fields.DateTime(allow_none=True)
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class ClientEventBody(Body):
    m = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_NAME_CHARS),
        metadata={"description": "which part of the client", "example": "space"},
    )
    id = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_NAME_CHARS),
        metadata={"description": "what happened", "example": "space_card"},
    )
    v = fields.String(load_default="", validate=validate.Length(max=MAX_VALUE_CHARS), metadata={"example": "1"})
    ext = fields.String(
        load_default="", validate=validate.Length(max=MAX_EXTENSION_CHARS), metadata={"description": "anything else"}
    )


BroadcastEnvelope = enveloped(BroadcastSchema)
BroadcastsEnvelope = enveloped(BroadcastSchema, many=True)
