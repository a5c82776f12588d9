"""Answers of the sign-in by a code. Source: RFC 8628, section 3.2; RFC 6749, section 5."""

from __future__ import annotations

from marshmallow import Schema, fields


class HubDeviceSchema(Schema):
    device_code = fields.String()
    user_code = fields.String()
    verification_uri = fields.String()
    verification_uri_complete = fields.String()
    expires_in = fields.Integer(metadata={"description": "in seconds"})
    interval = fields.Integer(metadata={"description": "of questions for the token, in seconds"})


class HubGivenTokenSchema(Schema):
    access_token = fields.String()
    token_type = fields.String()
    scope = fields.String(metadata={"description": "read, write or admin"})
    expires_in = fields.Integer(metadata={"description": "in seconds; absent: it does not end"})


class HubOAuthErrorSchema(Schema):
    error = fields.String()
    error_description = fields.String()
