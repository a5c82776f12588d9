"""Bodies of the routes for site administrators."""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.api.account_schemas import OrganizationSchema, UsersQuery


class AdminUsersQuery(UsersQuery):
    is_active = fields.Boolean(load_default=None, allow_none=True, metadata={"description": "absent: all"})


class AdminOrganizationSchema(OrganizationSchema):
    member_count = fields.Integer()


class QueueSchema(Schema):
    name = fields.String()
    queued = fields.Integer()
    running = fields.Integer()
    succeeded = fields.Integer(metadata={"description": "of the last 30 days, as the next two"})
    failed = fields.Integer()
    cancelled = fields.Integer()
    oldest_due_at = fields.DateTime(
        allow_none=True, metadata={"description": "since when the longest waiting job is due; null: none waits"}
    )


class ScheduleSchema(Schema):
    name = fields.String()
    cron_utc = fields.String(metadata={"description": "five fields, in UTC"})
    job = fields.String()
    last_run_at = fields.DateTime(allow_none=True)
    next_run_at = fields.DateTime(allow_none=True, metadata={"description": "null until a scheduler has seen it"})
