"""Answers of the routes that tell what was read from files."""

from __future__ import annotations

from marshmallow import Schema, fields


class IndexStepSchema(Schema):
    name = fields.String()
    title = fields.String()
    state = fields.String(metadata={"description": "pending, running, done or failed"})
    commit = fields.String(metadata={"description": "at which it was last done; empty: never"})
    error = fields.String(metadata={"description": "why it failed; else empty"})
    finished_at = fields.DateTime(allow_none=True)


class IndexSchema(Schema):
    commit = fields.String(metadata={"description": "of the default branch; empty without one"})
    state = fields.String(metadata={"description": "failed where a step is, else pending where one is not done; done"})
    steps = fields.List(fields.Nested(IndexStepSchema))
