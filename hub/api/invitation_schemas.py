"""Bodies and answers of the routes about invitations and the import of accounts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.accounts.service.importing import MAX_CHARS
from hub.accounts.service.invitations import DEFAULT_DAYS, MAX_DAYS
from hub.api.schemas import Body


class InvitationBody(Body):
    email = fields.String(load_default="", metadata={"description": "the only address that it is good for"})
    note = fields.String(load_default="", metadata={"description": "whom it is for, to know it again"})
    days = fields.Integer(load_default=DEFAULT_DAYS, strict=True, validate=validate.Range(1, MAX_DAYS))
    send = fields.Boolean(load_default=False, metadata={"description": "by e-mail, instead of telling the link here"})


class InvitationSchema(Schema):
    uuid = fields.String()
    state = fields.String(metadata={"description": "open, used or expired"})
    email = fields.String()
    note = fields.String()
    url = fields.String(metadata={"description": "the link; only where it was just made"})
    invited_by = fields.String(metadata={"description": "empty: from the command line, or the account is gone"})
    used_by = fields.String()
    created_at = fields.DateTime()
    expires_at = fields.DateTime()
    used_at = fields.DateTime(allow_none=True)


class UserImportBody(Body):
    csv = fields.String(
        required=True,
        validate=validate.Length(max=MAX_CHARS),
        metadata={"description": "the first line names the columns: username, email; nickname, role when wanted"},
    )
    dry_run = fields.Boolean(load_default=True, metadata={"description": "look it over and make nothing"})


class ImportFindingSchema(Schema):
    line = fields.Integer()
    column = fields.String(metadata={"description": "empty: the line as a whole"})
    message = fields.String()
    code = fields.String()


class UserImportSchema(Schema):
    rows = fields.Integer(metadata={"description": "accounts that could be made"})
    created = fields.Integer(metadata={"description": "0 where anything was found: all are made, or none"})
    findings = fields.List(fields.Nested(ImportFindingSchema), metadata={"description": "at most 200"})
