"""Bodies of the licence routes. Names and shapes: gateways contract, section 5.3."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, PageQuery, text


class StoredLicenseSchema(Schema):
    id = fields.Integer()
    license_id = fields.String(metadata={"description": "the licence's own id; a renewal may keep it"})
    key = fields.String()
    company = fields.String()
    email = fields.String()
    product = fields.String()
    edition = fields.String()
    max_user = fields.Integer(metadata={"description": "seats; -1: no limit"})
    issued_at = fields.DateTime()
    start_time = fields.DateTime()
    expire_time = fields.DateTime(allow_none=True, metadata={"description": "null: perpetual"})
    status = fields.String(metadata={"description": "active or inactive"})
    remark = fields.String()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class NoticeSchema(Schema):
    audience = fields.String(metadata={"description": "admin or everyone"})
    text = fields.String()


class LicenseStatusSchema(Schema):
    id = fields.Integer(allow_none=True, metadata={"description": "null: from a file, or not installed"})
    license_id = fields.String()
    key = fields.String()
    company = fields.String()
    email = fields.String()
    product = fields.String()
    edition = fields.String(metadata={"description": "the licence's; see active_edition"})
    max_user = fields.Integer()
    start_time = fields.DateTime(allow_none=True)
    expire_time = fields.DateTime(allow_none=True, metadata={"description": "null: perpetual, or no licence"})
    extra = fields.Dict()
    version = fields.String()
    users = fields.Integer(metadata={"description": "active users now"})
    state = fields.String(
        metadata={"description": "none, valid, expiring, grace, expired, over_seats, over_capacity or invalid"}
    )
    reason = fields.String(metadata={"description": "one word why it is invalid"})
    message = fields.String()
    days_left = fields.Integer(allow_none=True)
    active_edition = fields.String(metadata={"description": "lite, ce or ee"})
    features = fields.List(fields.String())
    limits = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "what is absent has no limit"}
    )
    notices = fields.List(fields.Nested(NoticeSchema))


class ImportedSchema(LicenseStatusSchema):
    revoked = fields.Integer(metadata={"description": "entries of the revocation list that was imported"})


class LicensesQuery(PageQuery):
    product = text()
    edition = text("ce or ee")
    search = text("part of the company, e-mail address, key or remark")


class LicenseQuery(Body):
    create_license_file = fields.Boolean(load_default=False, metadata={"description": "download the licence file"})


class LicenseBody(Body):
    data = fields.String(required=True, validate=validate.Length(min=1), metadata={"description": "the armoured text"})


class ImportBody(LicenseBody):
    remark = text()
