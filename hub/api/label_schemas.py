"""Bodies, queries and answers of the label routes. Names and shapes: CSGHub contract, sections 4.7 and 5.3."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, PageQuery, text

_SCOPE = "the kind of asset it is for: model, dataset, code, space, prompt, mcp, skill or organization"


def _changed(description: str) -> fields.String:
    """A text member of a change: absent or null, it stays."""
    return fields.String(allow_none=True, metadata={"description": description})


def _switched() -> fields.Boolean:
    return fields.Boolean(allow_none=True)


class LabelsQuery(PageQuery):
    scope = fields.List(
        fields.String(), load_default=list, metadata={"description": f"{_SCOPE}; repeat it for several"}
    )
    category = fields.List(
        fields.String(), load_default=list, metadata={"description": "task, license, ...; repeat it for several"}
    )
    built_in = fields.Boolean(
        load_default=None, metadata={"description": "only those that the hub brings, or only the others"}
    )
    search = text("a part of the name")


class LabelBody(Body):
    name = fields.String(required=True, metadata={"example": "text-generation"})
    category = fields.String(required=True, metadata={"example": "task"})
    scope = fields.String(required=True, metadata={"description": _SCOPE, "example": "model"})
    group = text("labels of one group stand together")
    show_name = text("what pages show; empty: the name")
    i18n_key = text("by which pages find a translation")
    built_in = fields.Boolean(load_default=False)


class LabelUpdateBody(Body):
    """Absent members stay as they are; the kind of asset always does."""

    name = _changed("a new name, for all repositories that carry the label")
    category = _changed("another category of the same kind of asset")
    group = _changed("labels of one group stand together")
    show_name = _changed("what pages show; empty: the name")
    i18n_key = _changed("by which pages find a translation")
    built_in = _switched()


class CategoryBody(Body):
    name = fields.String(required=True, metadata={"example": "domain"})
    scope = fields.String(required=True, metadata={"description": _SCOPE, "example": "model"})
    show_name = text("what pages show")
    enabled = fields.Boolean(load_default=True, metadata={"description": "whether labels of it can be set"})
    auto_detected = fields.Boolean(load_default=False, metadata={"description": "whether files say which apply"})


class CategoryUpdateBody(Body):
    """Absent members stay as they are; the kind of asset always does."""

    name = _changed("a new name; the labels stay in the category")
    show_name = _changed("what pages show")
    enabled = _switched()
    auto_detected = _switched()


class CategorySchema(Schema):
    id = fields.Integer()
    name = fields.String()
    show_name = fields.String()
    scope = fields.String()
    enabled = fields.Boolean()
    auto_detected = fields.Boolean()


# The body of POST .../tags/{category} is no object, but a bare array.
NAMES = fields.List(fields.String(validate=validate.Length(max=100)), validate=validate.Length(max=50))
NAMES_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "array", "maxItems": 50, "items": {"type": "string", "maxLength": 100}},
            "example": ["text-generation"],
        }
    },
}
