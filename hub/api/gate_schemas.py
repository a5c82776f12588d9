"""Bodies and answers of the routes about gated repositories."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, PageQuery, text
from hub.repos.gates import Gate
from hub.repos.models import RequestState

_STATES = [state.value for state in RequestState]


class GateBody(Body):
    gated = fields.String(
        required=True,
        validate=validate.OneOf([gate.value for gate in Gate]),
        metadata={"description": "auto: for everybody who asks; manual: for those who are accepted; empty: no gate"},
    )


class GateSchema(Schema):
    gated = fields.String()


class AskBody(Body):
    answers = fields.Dict(
        data_key="fields",
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={"description": "what the owner wants to know: texts, or true or false, by name"},
    )


class AccessRequestsQuery(PageQuery):
    state = fields.String(
        load_default="",
        validate=validate.OneOf(["", *_STATES]),
        metadata={"description": "pending, accepted or rejected; empty: all"},
    )


class GrantAccessBody(Body):
    username = text("who gets the content", required=True)


class DecideBody(Body):
    state = fields.String(required=True, validate=validate.OneOf(_STATES))
    reason = text("why it is rejected; the user is told")


class AccessRequestSchema(Schema):
    uuid = fields.String()
    username = fields.String()
    nickname = fields.String()
    email = fields.String()
    state = fields.String(metadata={"description": "pending, accepted or rejected"})
    reason = fields.String()
    created_at = fields.DateTime()
    decided_at = fields.DateTime()
    answers = fields.Dict(attribute="fields", data_key="fields")
