"""Bodies of the routes for site administrators."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.account_schemas import OrganizationSchema, UsersQuery
from hub.api.schemas import Body, JobsQuery, PageQuery, text


class AdminUsersQuery(UsersQuery):
    is_active = fields.Boolean(load_default=None, allow_none=True, metadata={"description": "absent: all"})
    is_admin = fields.Boolean(load_default=None, allow_none=True, metadata={"description": "absent: all"})


class AdminJobsQuery(JobsQuery):
    queue = text()


class PasswordLinkSchema(Schema):
    url = fields.String(metadata={"description": "the page on which the new password is chosen"})
    ttl_s = fields.Integer(metadata={"description": "for how long it is good, in seconds"})


class QuotaBody(Body):
    quota_bytes = fields.Integer(
        required=True,
        strict=True,
        allow_none=True,
        validate=validate.Range(0, 2**63 - 1),
        metadata={"description": "0: no limit; null: what the hub's setting says", "example": 107374182400},
    )


class AdminRepositoriesQuery(PageQuery):
    search = text("words in the path, nickname or description")
    type = text("the kind of asset; empty: all")
    private = fields.Boolean(load_default=None, allow_none=True, metadata={"description": "absent: all"})
    archived = fields.Boolean(load_default=None, allow_none=True, metadata={"description": "absent: all"})
    deleted = fields.Boolean(load_default=False, metadata={"description": "those that can be brought back, no others"})
    sort = text("as of the lists for everybody; empty: recently_update")


class AdminRepositorySchema(Schema):
    repository_id = fields.Integer()
    type = fields.String(metadata={"description": "the kind of asset"})
    path = fields.String()
    nickname = fields.String()
    private = fields.Boolean()
    git_size = fields.Integer(metadata={"description": "bytes in Git"})
    lfs_size = fields.Integer(metadata={"description": "bytes in LFS, as the quota counts them"})
    downloads = fields.Integer()
    op_weight = fields.Integer(metadata={"description": "points that administrators gave it in what is trending"})
    updated_at = fields.DateTime()
    archived_at = fields.DateTime(allow_none=True)
    deleted_at = fields.DateTime(allow_none=True)
    purged_at = fields.DateTime(allow_none=True, metadata={"description": "when it goes for good, if it is deleted"})


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
    next_run_at = fields.DateTime(
        allow_none=True, metadata={"description": "null until a scheduler has seen it, and while it is paused"}
    )
    paused_at = fields.DateTime(allow_none=True, metadata={"description": "null: it is not paused"})


class WorkerSchema(Schema):
    name = fields.String()
    state = fields.String(metadata={"description": "idle, busy, silent (not heard of for two minutes) or lost"})
    host = fields.String()
    pid = fields.String()
    queues = fields.List(fields.String())
    job = fields.String(metadata={"description": "the job that it runs; empty: none"})
    succeeded = fields.Integer()
    failed = fields.Integer()
    started_at = fields.DateTime(allow_none=True)
    heard_at = fields.DateTime(allow_none=True)
