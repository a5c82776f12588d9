"""Bodies and answers of the REST API. Names: CSGHub contract, 4.4 and 5.7; compute contract, 1.2 and 1.8."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

_MAX_JSON = 16_384
_MAX_ID = 2**63 - 1


def _json(meaning: str) -> fields.String:
    return fields.String(
        validate=validate.Length(max=_MAX_JSON),
        metadata={"description": f"{meaning}: a JSON object in a string", "example": "{}"},
    )


def _id(meaning: str) -> fields.Integer:
    return fields.Integer(validate=validate.Range(0, _MAX_ID), metadata={"description": meaning})


class DeploymentChanges(Schema):
    """What is not named stays as it is."""

    class Meta:
        # Clients of the platform send every member that they know of.
        unknown = "exclude"

    deploy_name = fields.String(validate=validate.Length(2, 64), metadata={"example": "chat"})
    resource_id = _id("what it runs on: of /space_resources")
    runtime_framework_id = _id("of the engine's image: of .../runtime_framework_v2")
    engine = fields.String(
        validate=validate.Length(max=64), metadata={"description": "by its name instead of an image", "example": ""}
    )
    min_replica = fields.Integer(validate=validate.Range(0, 64), metadata={"description": "0: it may fall asleep"})
    max_replica = fields.Integer(validate=validate.Range(1, 64))
    revision = fields.String(
        validate=validate.Length(max=255),
        metadata={"description": "a branch, tag or commit; empty: the default branch", "example": ""},
    )
    secure_level = fields.Integer(
        validate=validate.OneOf([1, 2]),
        metadata={"description": "1: every key may call it; 2: those of its owner and members"},
    )
    entrypoint = fields.String(
        validate=validate.Length(max=1024), metadata={"description": "the file of a GGUF model", "example": ""}
    )
    engine_args = _json("arguments that differ from the engine's defaults")
    env = _json("variables of its process")
    variables = _json("as env; these win")
    enable_pd = fields.Boolean(metadata={"description": "not to be had here"})


class DeploymentBody(DeploymentChanges):
    """A model to be served."""

    deploy_name = fields.String(required=True, validate=validate.Length(2, 64), metadata={"example": "chat"})
    resource_id = fields.Integer(
        required=True, validate=validate.Range(1, _MAX_ID), metadata={"description": "of /space_resources"}
    )
    owner_namespace = fields.String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "an organisation that it is for and that is billed; empty: the caller", "example": ""},
    )


class DeploymentMadeSchema(Schema):
    deploy_id = fields.Integer()
    status = fields.String()
    private = fields.Boolean()
    svc_name = fields.String()


class DeploymentInstanceSchema(Schema):
    name = fields.String()
    status = fields.String(metadata={"description": "Running, Pending, Failed ..."})


class DeploymentCauseSchema(Schema):
    title = fields.String()
    text = fields.String()
    advice = fields.String()
    log_tail = fields.String(metadata={"description": "the last lines that it printed"})


class DeploymentSchema(Schema):
    """A deployment. Members without a value are left out."""

    deploy_id = fields.Integer()
    deploy_name = fields.String()
    model_id = fields.String(metadata={"description": "namespace/name"})
    repository_id = fields.Integer()
    status = fields.String(metadata={"description": "Pending, Deploying, Running, Sleeping, Stopped, DeployFailed ..."})
    reason = fields.String()
    message = fields.String()
    cause = fields.Nested(DeploymentCauseSchema, metadata={"description": "of what has failed, for people"})
    svc_name = fields.String()
    endpoint = fields.String(metadata={"description": "address of the gateway's API, without a scheme"})
    served_name = fields.String(metadata={"description": "by what the gateway's callers ask for it"})
    runtime_framework = fields.String(metadata={"description": "the engine's name"})
    runtime_framework_id = fields.Integer()
    image_id = fields.String()
    container_port = fields.Integer()
    min_replica = fields.Integer()
    max_replica = fields.Integer()
    actual_replica = fields.Integer()
    desired_replica = fields.Integer()
    instances = fields.List(fields.Nested(DeploymentInstanceSchema))
    cluster_id = fields.String()
    secure_level = fields.Integer()
    private = fields.Boolean()
    type = fields.Integer(metadata={"description": "1: dedicated, 3: serverless"})
    hardware = fields.String(metadata={"description": "JSON of the resource, as it was then"})
    env = fields.String()
    variables = fields.String()
    entrypoint = fields.String()
    engine_args = fields.String()
    sku = fields.String(metadata={"description": "number of the resource"})
    resource_name = fields.String()
    order_detail_id = fields.Integer()
    pay_mode = fields.String()
    provider = fields.String()
    resource_type = fields.String()
    repo_tag = fields.String(metadata={"description": "the commit that is served"})
    task = fields.String()
    git_path = fields.String()
    git_branch = fields.String()
    user_uuid = fields.String()
    username = fields.String()
    owner_namespace = fields.String()
    support_function_call = fields.Boolean()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class PageQuery(Schema):
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    per = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class OwnQuery(PageQuery):
    deploy_type = fields.Integer(load_default=1, validate=validate.Range(-1, 7), metadata={"description": "1 or 3"})


class ServerlessQuery(PageQuery):
    search = fields.String(load_default="", validate=validate.Length(max=255))
    status = fields.String(
        load_default="",
        validate=validate.Regexp(r"(\d{1,2}(,\d{1,2}){0,20})?\Z"),
        metadata={"description": "codes with commas between: 23,26", "example": "23"},
    )


class LogsQuery(Schema):
    instance_name = fields.String(load_default="", validate=validate.Length(max=255))
    instance = fields.String(load_default="", validate=validate.Length(max=255))
    since = fields.String(
        load_default="",
        validate=validate.Length(max=32),
        metadata={"description": "10mins, 30mins, 1hour, 6hours, 1day, 2days or 1week", "example": "10mins"},
    )
    commit_id = fields.String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "of this version alone; without it of the one that speaks for all", "example": ""},
    )
    limit = fields.Integer(load_default=1000, validate=validate.Range(1, 10_000))


class DeploymentVersionBody(Schema):
    class Meta:
        unknown = "exclude"

    commit_id = fields.String(
        required=True,
        validate=validate.Length(1, 64),
        metadata={"description": "the commit; seven letters of its id are enough", "example": "a1b2c3d"},
    )
    traffic_percent = fields.Integer(required=True, validate=validate.Range(0, 100))


class DeploymentVersionSchema(Schema):
    commit = fields.String()
    create_time = fields.DateTime()
    is_ready = fields.Boolean()
    traffic_percent = fields.Integer()
    revision_name = fields.String(metadata={"description": "by which the driver knows it"})
    message = fields.String()
    reason = fields.String()
    status = fields.String()
    actual_replica = fields.Integer()
    desired_replica = fields.Integer()
    instances = fields.List(fields.Nested(DeploymentInstanceSchema))


class DeploymentLinesSchema(Schema):
    lines = fields.List(fields.String())
