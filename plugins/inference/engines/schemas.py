"""Bodies and answers of the REST of engines. Names: compute contract, section 2.1; CSGHub contract, 5.7."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from plugins.inference.engines.frameworks import COMPUTE_TYPES, MAX_ARCH_CHARS, MAX_ARCHS, MAX_DEPLOY_TYPE

_INFERENCE = 1


def _deploy_type() -> fields.Integer:
    return fields.Integer(
        load_default=_INFERENCE,
        validate=validate.Range(0, MAX_DEPLOY_TYPE),
        metadata={"description": "what for: 1 inference, 2 fine-tuning, 3 serverless, 4 evaluation, 5 notebook"},
    )


def _text(limit: int, meaning: str, **more: object) -> fields.String:
    return fields.String(
        load_default="", validate=validate.Length(max=limit), metadata={"description": meaning, **more}
    )


class EnginesQuery(Schema):
    deploy_type = _deploy_type()


class MatchesQuery(EnginesQuery):
    all = fields.Boolean(
        load_default=False, metadata={"description": "also those that do not serve the model, with the reason"}
    )


class ModelsQuery(EnginesQuery):
    search = _text(255, "part of a model's path")
    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    per = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class FrameworkBody(Schema):
    """An image of an engine."""

    frame_name = fields.String(
        required=True, validate=validate.Length(1, 64), metadata={"description": "the engine", "example": "vllm"}
    )
    frame_version = _text(64, "of the engine", example="v0.24.0")
    frame_image = _text(255, "empty: it runs on this machine only", example="vllm/vllm-openai:v0.24.0")
    enabled = fields.Integer(load_default=1, validate=validate.OneOf((0, 1)))
    container_port = fields.Integer(load_default=8000, validate=validate.Range(1, 65_535))
    type = _deploy_type()
    compute_type = fields.String(load_default="gpu", validate=validate.OneOf(COMPUTE_TYPES))
    driver_version = _text(64, "that its cards need", example="13.0")
    description = _text(1024, "what it is for")


class FrameworkSchema(FrameworkBody):
    """An image of an engine."""

    id = fields.Integer()
    engine_args = fields.String(metadata={"description": "JSON: the arguments that a deployment may set"})
    is_catalogued = fields.Boolean(metadata={"description": "it came with the engine"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class EngineSchema(Schema):
    """An engine with the images that fit."""

    frame_name = fields.String()
    title = fields.String()
    compute_types = fields.List(fields.String())
    versions = fields.List(fields.Nested(FrameworkSchema))
    is_fit = fields.Boolean()
    reason = fields.String(metadata={"description": "why it does not serve the model"})
    local_reason = fields.String(metadata={"description": "why it cannot run on the hub's own machine; empty: it can"})


class ArchitecturesBody(Schema):
    architectures = fields.List(
        fields.String(validate=validate.Length(1, MAX_ARCH_CHARS)),
        required=True,
        validate=validate.Length(1, MAX_ARCHS),
        metadata={"example": ["LlamaForCausalLM"]},
    )


class ArchitecturesSchema(Schema):
    """What an engine serves."""

    architectures = fields.List(fields.String())


class EngineScanBody(Schema):
    scan_type = fields.Integer(
        load_default=0,
        validate=validate.OneOf((0, 1)),
        metadata={"description": "0: every model; 1: those that were never looked at"},
    )


class EngineScanSchema(Schema):
    """A job that was begun."""

    job_id = fields.String()


class ServedModelSchema(Schema):
    """A model that some engine serves."""

    path = fields.String()
    repository_id = fields.Integer()
    engines = fields.List(fields.String())
    scanned_at = fields.DateTime()
