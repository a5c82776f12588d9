"""Bodies and answers of the routes of deploy tokens."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.accounts.service.deploytokens import SCOPES
from hub.api.account_schemas import Moment
from hub.api.schemas import Body


class DeployTokenBody(Body):
    name = fields.String(required=True, metadata={"description": "what it is for; no two of a repository are the same"})
    scope = fields.String(
        validate=validate.OneOf([scope.value for scope in SCOPES]),
        load_default=SCOPES[0].value,
        metadata={"description": "read, or write: push and change files, too"},
    )
    expires_at = Moment(allow_none=True, load_default=None, metadata={"description": "null: never"})


class DeployTokenSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    scope = fields.String(metadata={"description": "read or write"})
    state = fields.String(
        metadata={"description": "good; expired; or orphaned: who made it does not administer the repository any more"}
    )
    token = fields.String(metadata={"description": "its first characters; whole only where it was just made"})
    username = fields.String(metadata={"description": "who made it"})
    expires_at = fields.DateTime(allow_none=True)
    last_used_at = fields.DateTime(allow_none=True)
    created_at = fields.DateTime()
