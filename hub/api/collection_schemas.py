"""Bodies, queries and answers of the collection routes. Names and shapes: CSGHub contract, sections 4.7 and 5.6."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from hub.api.ids import row_id
from hub.api.repository_schemas import RepositoryLabelSchema
from hub.api.schemas import Body, PageQuery, text
from hub.assets.service.items import MAX_AT_ONCE, MAX_ITEMS, MAX_REMARK_CHARS

_REMARK = f"why it is in the collection, at most {MAX_REMARK_CHARS} characters"


class CollectionsQuery(PageQuery):
    search = text("a part of the name, nickname or description")
    sort = text("recently_update, trending or most_favorite", default="recently_update")

    @post_load
    def _leave_page(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        # The view reads the page by ``page_args``.
        return {name: value for name, value in data.items() if name not in ("page", "per")}


class CollectionBody(Body):
    name = fields.String(required=True, metadata={"example": "Small models for German"})
    namespace = text("a user or organisation; empty: the caller")
    nickname = text()
    description = text()
    theme = text("a colour such as #fff000, or empty")
    private = fields.Boolean(load_default=False)


class CollectionUpdateBody(Body):
    """Absent members stay as they are, and so do those that are null."""

    name = fields.String(allow_none=True)
    nickname = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    theme = fields.String(allow_none=True, metadata={"description": "a colour such as #fff000, or empty"})
    private = fields.Boolean(allow_none=True)


def _ids() -> fields.List[int]:
    return fields.List(
        row_id(),
        required=True,
        validate=validate.Length(min=1, max=MAX_AT_ONCE),
        metadata={"description": "members 'repository_id' of repositories", "example": [1]},
    )


class ItemsBody(Body):
    repo_ids = _ids()
    remarks = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.Length(max=MAX_REMARK_CHARS)),
        load_default=dict,
        allow_none=True,
        metadata={"description": f"by repository id, as a text: {_REMARK}", "example": {"1": "runs on a laptop"}},
    )


class ItemIdsBody(Body):
    repo_ids = _ids()


class ItemUpdateBody(Body):
    """Absent members stay as they are, and so do those that are null."""

    remark = fields.String(
        allow_none=True, validate=validate.Length(max=MAX_REMARK_CHARS), metadata={"description": _REMARK}
    )
    position = fields.Integer(
        allow_none=True,
        strict=True,
        validate=validate.Range(1, MAX_ITEMS),
        metadata={"description": "its place, from 1; beyond the end: the last"},
    )


class CollectionItemSchema(Schema):
    id = fields.Integer(metadata={"description": "the repository_id"})
    user_id = fields.Integer(allow_none=True)
    path = fields.String(metadata={"description": "namespace/name", "example": "ada/thing"})
    name = fields.String()
    nickname = fields.String()
    description = fields.String()
    private = fields.Boolean()
    likes = fields.Integer()
    download_count = fields.Integer()
    tags = fields.List(fields.Nested(RepositoryLabelSchema))
    repository_type = fields.String(metadata={"description": "the kind of asset", "example": "model"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    remark = fields.String()


class CollectionSchema(Schema):
    id = fields.Integer()
    username = fields.String(metadata={"description": "who made it; empty: the account is gone"})
    namespace = fields.String(metadata={"description": "the user or organisation that owns it"})
    theme = fields.String(metadata={"example": "#fff000"})
    name = fields.String()
    nickname = fields.String()
    description = fields.String()
    private = fields.Boolean()
    repositories = fields.List(
        fields.Nested(CollectionItemSchema),
        metadata={"description": "those that the caller may see, in order; in lists of collections the first ten"},
    )
    likes = fields.Integer()
    user_likes = fields.Boolean()
    followers = fields.Integer()
    user_follows = fields.Boolean()
    kinds = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "how many repositories of each kind are in it, of those that the caller may see"},
    )
    can_write = fields.Boolean()
    can_manage = fields.Boolean()
    avatar = fields.String(metadata={"description": "of its owner"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
