"""Bodies and answers of the routes about gated repositories. Source: Hugging Face contract, sections 8 and 11."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.base.errors import Invalid
from hub.compat.schemas import HubBody
from hub.repos.models import RequestState

MAX_USER_CHARS = 100
_GATES = ("auto", "manual", False)


def is_private(body: dict[str, Any]) -> bool | None:
    """What a request says about who may see the repository; None: nothing. Raises Invalid (``REQ-ERR-6``)."""
    visibility = body["visibility"]
    if visibility is None:
        return None if body["private"] is None else bool(body["private"])
    if visibility not in ("public", "private"):
        raise Invalid("'visibility' must be public or private.", code="REQ-ERR-6", member="visibility")
    return bool(visibility == "private")


class HubAskBody(HubBody):
    answers = fields.Dict(
        data_key="fields",
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={"description": "what the owner wants to know: texts, or true or false, by name"},
    )


class HubAccessQuery(HubBody):
    cursor = fields.Integer(
        load_default=1, validate=validate.Range(1, 1_000_000), metadata={"description": "from the Link header"}
    )


class HubHandleBody(HubBody):
    user = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=MAX_USER_CHARS))
    requestId = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=MAX_USER_CHARS))
    status = fields.String(required=True, validate=validate.OneOf([state.value for state in RequestState]))
    rejectionReason = fields.String(load_default=None, allow_none=True)


class HubGrantBody(HubBody):
    user = fields.String(required=True, validate=validate.Length(1, MAX_USER_CHARS))


class HubAskerSchema(Schema):
    user = fields.String()
    fullname = fields.String()
    email = fields.String()


class HubAccessRequestSchema(Schema):
    requestId = fields.String()
    user = fields.Nested(HubAskerSchema)
    status = fields.String(metadata={"description": "pending, accepted or rejected"})
    timestamp = fields.String()
    rejectionReason = fields.String()
    answers = fields.Dict(attribute="fields", data_key="fields")


class HubSettingsBody(HubBody):
    private = fields.Boolean(load_default=None, allow_none=True)
    visibility = fields.String(
        load_default=None, allow_none=True, metadata={"description": "public or private; counts before 'private'"}
    )
    gated = fields.Raw(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([*_GATES, None]),
        metadata={
            "description": "auto: content for everybody who asks; manual: for those who are accepted; false: no gate",
            "oneOf": [{"type": "string", "enum": ["auto", "manual"]}, {"type": "boolean", "enum": [False]}],
        },
    )


class HubSettingsSchema(Schema):
    private = fields.Boolean()
    visibility = fields.String()
    gated = fields.Raw(metadata={"oneOf": [{"type": "string"}, {"type": "boolean"}]})
