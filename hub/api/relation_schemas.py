"""Bodies and answers of the relation routes. Names and shapes: CSGHub contract, section 4.1."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.api.repository_schemas import RepositorySchema
from hub.api.schemas import Body
from hub.api.scopes import word_of_scope
from hub.assets.service.relations import MAX_RELATIONS
from hub.repos.kinds import CORE_KINDS, RepositoryKind

MAX_PATH_CHARS = 129


def collection_of(kind: RepositoryKind) -> str:
    """The member that holds the repositories of a kind: "models", "mcps"."""
    return kind.api_collection or kind.collection


def _path(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(min=1, max=MAX_PATH_CHARS), **options)


def _paths(kind: RepositoryKind) -> fields.List[str]:
    return fields.List(
        _path(metadata={"description": "namespace/name", "example": "ada/thing"}),
        allow_none=True,
        validate=validate.Length(max=MAX_RELATIONS),
        metadata={"description": f"every {kind.title} that it is related to; absent: they stay"},
    )


_PATHS: dict[str, Any] = {collection_of(kind): _paths(kind) for kind in CORE_KINDS}
_PATH: dict[str, Any] = {
    word_of_scope(kind.name): _path(metadata={"description": f"namespace/name of the {kind.title}"})
    for kind in CORE_KINDS
}
_RELATED: dict[str, Any] = {collection_of(kind): fields.List(fields.Nested(RepositorySchema)) for kind in CORE_KINDS}

RelationsBody = Body.from_dict(_PATHS, name="RelationsBody")
RelationBody = Body.from_dict(_PATH, name="RelationBody")
RelationsSchema = Schema.from_dict(_RELATED, name="RelationsSchema")
