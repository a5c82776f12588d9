"""Queries, bodies and answers of the lineage routes."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped
from hub.api.schemas import Body
from hub.assets.models_lineage import RelationOrigin, RelationType
from hub.assets.service.lineage import MAX_COUNT, MAX_DEPTH, MAX_NEIGHBOURS, MAX_RUNS, Direction
from hub.assets.service.relations import MAX_NAME_CHARS, MAX_NOTE_CHARS

_TYPES = [type.value for type in RelationType]
_ORIGINS = [origin.value for origin in RelationOrigin]
_MAX_REVISION_CHARS = 255


def _type(**options: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(_TYPES), **options)


class LineageQuery(Body):
    depth = fields.Integer(
        load_default=1,
        validate=validate.Range(min=1, max=MAX_DEPTH),
        metadata={"description": f"levels from the repository, 1 to {MAX_DEPTH}"},
    )
    direction = fields.String(
        load_default=Direction.BOTH.value,
        validate=validate.OneOf([way.value for way in Direction]),
        metadata={"description": "up: what it comes from; down: what comes from it"},
    )
    types = fields.String(
        load_default="", metadata={"description": f"only these, with commas: {', '.join(_TYPES)}; absent: all"}
    )
    runs = fields.Boolean(
        load_default=False, metadata={"description": f"with the newest {MAX_RUNS} runs that took or gave its nodes"}
    )


class NodeSchema(Schema):
    id = fields.String(metadata={"description": "within this answer", "example": "repository:12"})
    repository_id = fields.Integer(allow_none=True, metadata={"description": "null: not on this hub, or private"})
    kind = fields.String(metadata={"description": "model, dataset ..., or a run's type; empty: private"})
    path = fields.String(metadata={"description": "namespace/name, a name of elsewhere, or a run's title"})
    run = fields.String(allow_none=True, metadata={"description": "the uuid of a run; null of a repository"})
    external = fields.Boolean(metadata={"description": "named, and on no place of this hub that the caller knows"})
    private = fields.Boolean(metadata={"description": "there is one, and the caller may not see it"})
    depth = fields.Integer(metadata={"description": "levels from the root; negative: upwards"})
    parents = fields.Integer(metadata={"description": f"its relations upwards, counted to {MAX_NEIGHBOURS}"})
    children = fields.Integer(metadata={"description": f"its relations downwards, counted to {MAX_NEIGHBOURS}"})


class EdgeSchema(Schema):
    id = fields.Integer(allow_none=True, metadata={"description": "of the relation; null: a run took or gave it"})
    source = fields.String(metadata={"description": "the node that comes from, or uses, the target"})
    target = fields.String()
    type = fields.String(metadata={"enum": _TYPES})
    origin = fields.String(metadata={"enum": _ORIGINS, "description": "who says so"})
    trusted = fields.Boolean(metadata={"description": "the platform itself recorded it"})
    source_commit = fields.String(metadata={"description": "empty: not pinned"})
    target_commit = fields.String(metadata={"description": "empty: not pinned"})
    note = fields.String()
    run = fields.String(allow_none=True, metadata={"description": "the uuid of the run that recorded it"})


class LineageSchema(Schema):
    root = fields.String(metadata={"description": "the node of the repository itself"})
    nodes = fields.List(fields.Nested(NodeSchema))
    edges = fields.List(fields.Nested(EdgeSchema))
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={
            "description": f"of each type how many are that to the root, of those the caller sees, to {MAX_COUNT}",
            "example": {"finetune": 3, "quantized": 12},
        },
    )
    truncated = fields.Boolean(metadata={"description": "there is more than one answer holds"})


class OwnRelationSchema(Schema):
    id = fields.Integer()
    type = fields.String(metadata={"enum": _TYPES})
    repository_id = fields.Integer(allow_none=True)
    kind = fields.String(metadata={"description": "empty: private"})
    path = fields.String(metadata={"description": "empty: private"})
    external = fields.Boolean()
    private = fields.Boolean()
    origin = fields.String(metadata={"enum": _ORIGINS})
    trusted = fields.Boolean()
    denied = fields.Boolean(metadata={"description": "a writer says that it is not so: nobody else sees it"})
    source_commit = fields.String()
    target_commit = fields.String()
    note = fields.String()
    created_at = fields.DateTime()


class NewRelationBody(Body):
    type = _type(required=True)
    kind = fields.String(required=True, validate=validate.Length(min=1, max=32), metadata={"example": "dataset"})
    path = fields.String(
        required=True, validate=validate.Length(min=1, max=MAX_NAME_CHARS), metadata={"example": "ada/corpus"}
    )
    external = fields.Boolean(
        load_default=False, metadata={"description": "it need not be on this hub; when it comes, it is led there"}
    )
    note = fields.String(load_default="", validate=validate.Length(max=MAX_NOTE_CHARS))
    source_revision = fields.String(
        load_default="",
        validate=validate.Length(max=_MAX_REVISION_CHARS),
        metadata={"description": "of this repository: pinned to its commit of now; absent: not pinned"},
    )
    target_revision = fields.String(
        load_default="",
        validate=validate.Length(max=_MAX_REVISION_CHARS),
        metadata={"description": "of the other one; absent: not pinned"},
    )


class RelationChangeBody(Body):
    type = _type(metadata={"description": "what it is instead; what a card says of it is denied then"})
    denied = fields.Boolean(metadata={"description": "true: it is not so, whatever the card says; false: take it back"})
    note = fields.String(validate=validate.Length(max=MAX_NOTE_CHARS))


LineageEnvelope = enveloped(LineageSchema)
OwnRelationEnvelope = enveloped(OwnRelationSchema)
OwnRelationsEnvelope = enveloped(OwnRelationSchema, many=True)
