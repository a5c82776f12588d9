"""Queries, bodies and answers of the routes of runs."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped
from hub.api.schemas import Body, PageQuery, text
from hub.assets.models_lineage import RunState
from hub.assets.service.relations import MAX_NAME_CHARS
from hub.assets.service.runs import MAX_CLIENT_ID_CHARS, MAX_ERROR_CHARS, MAX_JSON_CHARS, MAX_LINKS, MAX_TITLE_CHARS

_STATES = [state.value for state in RunState]


def _line(most: int, description: str, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=most), metadata={"description": description}, **options)


def _members(description: str, **options: Any) -> fields.Dict:
    described = f"{description}; at most {MAX_JSON_CHARS} characters of JSON"
    return fields.Dict(keys=fields.String(), metadata={"description": described}, **options)


class _RunFilters(PageQuery):
    type = text("such as training or evaluation; absent: any")
    state = fields.String(
        load_default="", validate=validate.OneOf(["", *_STATES]), metadata={"description": "absent: any"}
    )
    namespace = text("only this user's or organisation's")
    created_by = text("a user's name")


class RunsQuery(_RunFilters):
    repository = text("kind and path, such as models/ada/thing: runs that took or gave it")
    commit = text("with 'repository': at this commit")


class RepositoryRunsQuery(_RunFilters):
    commit = text("only at this commit")


class RunLinkBody(Body):
    role = _line(32, "what it is to the run, in the words of its type", load_default="")
    kind = _line(32, "of a repository: model, dataset ...", load_default="")
    path = _line(MAX_NAME_CHARS, "of a repository: namespace/name", load_default="")
    revision = _line(255, "of a repository: pinned to its commit of now; absent: the default branch", load_default="")
    file = _line(1024, "one file of the repository; absent: all of it", load_default="")
    name = _line(255, "of what is not on this hub, instead of 'path'", load_default="")


def _links(description: str) -> fields.List[Any]:
    return fields.List(
        fields.Nested(RunLinkBody),
        load_default=list,
        validate=validate.Length(max=MAX_LINKS),
        metadata={"description": description},
    )


class NewRunBody(Body):
    type = fields.String(required=True, validate=validate.Length(min=1, max=32), metadata={"example": "training"})
    namespace = _line(64, "where it belongs; absent: one's own", load_default="")
    title = _line(MAX_TITLE_CHARS, "one line", load_default="")
    inputs = _links("what it takes; the caller may read them")
    outputs = _links("what it gives; the caller may write to them")
    parameters = _members("what it is told", load_default=dict)
    environment = _members("where it runs: image, packages, hardware ...", load_default=dict)
    private = fields.Boolean(load_default=True, metadata={"description": "only who sees private things there sees it"})
    client_id = _line(MAX_CLIENT_ID_CHARS, "the caller's own id: sent again, it is the same run", load_default="")
    log_url = _line(2000, "where its log is", load_default="")


class RunBody(Body):
    state = fields.String(
        validate=validate.OneOf(_STATES), metadata={"description": "queued, then running, then one of the others"}
    )
    outputs = _links("beside those it has")
    metrics = _members("beside those it has: what was measured")
    environment = _members("beside what it has")
    title = _line(MAX_TITLE_CHARS, "one line")
    log_url = _line(2000, "where its log is")
    error = _line(MAX_ERROR_CHARS, "why it failed")


class RunLinkSchema(Schema):
    role = fields.String()
    kind = fields.String(metadata={"description": "empty: not on this hub"})
    path = fields.String(metadata={"description": "namespace/name of today"})
    repository_id = fields.Integer(allow_none=True)
    commit = fields.String(metadata={"description": "the commit that it was at"})
    file = fields.String()
    name = fields.String(metadata={"description": "of what is not on this hub"})


class RunSchema(Schema):
    uuid = fields.String()
    type = fields.String()
    title = fields.String()
    namespace = fields.String()
    created_by = fields.String(allow_none=True)
    private = fields.Boolean()
    trusted = fields.Boolean(metadata={"description": "the platform itself recorded it"})
    state = fields.String(metadata={"enum": _STATES})
    inputs = fields.List(fields.Nested(RunLinkSchema), metadata={"description": "those that the caller may see"})
    outputs = fields.List(fields.Nested(RunLinkSchema), metadata={"description": "those that the caller may see"})
    parameters = fields.Dict()
    environment = fields.Dict()
    metrics = fields.Dict()
    log_url = fields.String()
    error = fields.String()
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    updated_at = fields.DateTime()


class RunTypeSchema(Schema):
    name = fields.String()
    title = fields.String()


RunEnvelope = enveloped(RunSchema)
RunsEnvelope = enveloped(RunSchema, many=True)
RunTypesEnvelope = enveloped(RunTypeSchema, many=True)
