"""Queries and answers of the routes of workloads. Words of the states: compute contract, 1.3."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped
from hub.api.schemas import Body, PageQuery, text
from hub.compute.spec import Kind
from hub.compute.states import WORDS

STATUSES = tuple(dict.fromkeys(WORDS.values()))


class WorkloadsQuery(PageQuery):
    purpose = text("what made them, such as inference")
    kind = fields.String(load_default="", validate=validate.OneOf(["", *(kind.value for kind in Kind)]))
    status = fields.String(load_default="", validate=validate.OneOf(["", *STATUSES]))
    namespace = text("only this user's or organisation's")


class InstanceSchema(Schema):
    name = fields.String()
    status = fields.String(metadata={"description": "Running, Pending, Failed ..."})
    started_at = fields.String(allow_none=True, metadata={"description": "ISO 8601"})
    restarts = fields.Integer()
    exit_code = fields.Integer(allow_none=True, metadata={"description": "of its last end; below 0: the signal"})


class UsageNowSchema(Schema):
    cpu_millis = fields.Integer(metadata={"description": "thousandths of a core"})
    memory_bytes = fields.Integer()
    gpu_percent = fields.Integer()
    gpu_memory_bytes = fields.Integer()


class WorkloadSchema(Schema):
    id = fields.Integer()
    svc_name = fields.String(metadata={"description": "by which its driver and its address know it"})
    kind = fields.String()
    purpose = fields.String()
    title = fields.String()
    namespace = fields.String()
    user = fields.String(allow_none=True)
    status = fields.String(metadata={"description": ", ".join(STATUSES)})
    wanted = fields.String(metadata={"description": "running or stopped"})
    reason = fields.String()
    message = fields.String()
    actual_replica = fields.Integer()
    desired_replica = fields.Integer()
    instances = fields.List(fields.Nested(InstanceSchema))
    secure_level = fields.Integer(metadata={"description": "1: anybody may call it; 2: who may see it"})
    image = fields.String()
    secrets = fields.List(fields.String(), metadata={"description": "names; the values are nobody's to read"})
    sku_id = fields.Integer(allow_none=True)
    sku_name = fields.String()
    repository_id = fields.Integer(allow_none=True)
    commit_id = fields.String()
    start = fields.Integer(metadata={"description": "the number of its last start"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    status_at = fields.DateTime()


class WorkloadDetailSchema(WorkloadSchema):
    usage = fields.Nested(UsageNowSchema, allow_none=True, metadata={"description": "null: it does not run"})


WorkloadsEnvelope = enveloped(WorkloadSchema, many=True)
WorkloadEnvelope = enveloped(WorkloadSchema)
WorkloadDetailEnvelope = enveloped(WorkloadDetailSchema)


class FollowQuery(Body):
    follow = fields.Boolean(load_default=False, metadata={"description": "go on with what is new"})


class LogsQuery(FollowQuery):
    instance_name = text("only this instance's")
    since = fields.String(load_default="", metadata={"description": "10mins, 30mins, 1hour, 6hours, 1day ... 1week"})
    limit = fields.Integer(
        load_default=1000, validate=validate.Range(min=1, max=10_000), metadata={"description": "lines at most"}
    )
