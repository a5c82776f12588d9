"""Bodies of the second factor's routes. Ours: the contract has none."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.accounts.service.second_factors import MAX_CODE_CHARS
from hub.api.schemas import Body

_MAX_PASSWORD_CHARS = 1024


def _code() -> fields.String:
    return fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(min=1, max=MAX_CODE_CHARS),
        metadata={"description": "of the app; a recovery code where one will do"},
    )


class FactorStateSchema(Schema):
    is_on = fields.Boolean()
    is_required = fields.Boolean(
        metadata={"description": "it must be set up before the account may do anything else by password or session"}
    )
    recovery_codes_left = fields.Integer()


class BegunFactorSchema(Schema):
    secret = fields.String(metadata={"description": "for the app, in base32"})
    uri = fields.String(metadata={"description": "otpauth:// with the secret and the account's name"})
    qr = fields.String(metadata={"description": "the uri as a QR code: an SVG picture as a data: address"})


class RecoveryCodesSchema(Schema):
    recovery_codes = fields.List(fields.String(), metadata={"description": "told this once; each is good once"})


class FactorCodeBody(Body):
    code = _code()


class FactorOffBody(Body):
    code = _code()
    password = fields.String(required=True, load_only=True, validate=validate.Length(max=_MAX_PASSWORD_CHARS))


class DeviceSchema(Schema):
    id = fields.Integer()
    user_agent = fields.String(metadata={"description": "what the browser called itself when it was remembered"})
    address = fields.String(metadata={"description": "the network address that it signed in from last"})
    created_at = fields.DateTime()
    last_used_at = fields.DateTime()
    expires_at = fields.DateTime()


class ForgottenDevicesSchema(Schema):
    forgotten = fields.Integer(metadata={"description": "how many there were"})
