"""REST of the kinds of asset: what their cards, pages and steps are. Ours: the contract leaves it to us."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.api import indexing_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.scopes import word_of_scope
from hub.assets.indexing import indexers_of
from hub.base.context import Context
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.starters import NewRepository

blp = ApiBlueprint("kinds", __name__, url_prefix=PREFIX, description="Kinds of asset")


@blp.get("/kinds")
@blp.response(200, enveloped(schemas.KindSchema, many=True))
def list_kinds() -> Response:
    """The kinds of asset that this hub has, those of plugins last."""
    context = current_context()
    views = [_view(context, kind) for kind in context[KINDS].values()]
    return send_json(ok(views, total=len(views)))


def _view(context: Context, kind: RepositoryKind) -> dict[str, Any]:
    return {
        "name": kind.name,
        "title": kind.title,
        "scope": word_of_scope(kind.name),
        "collection": kind.api_collection or kind.collection,
        "git_collection": kind.collection,
        "files": sorted(kind.first_files(NewRepository("namespace", "name"))),
        "lfs_patterns": list(kind.lfs_patterns),
        "members": [
            {"name": field.name, "choices": list(field.choices), "filter": field.is_filter} for field in kind.details
        ],
        "card": [
            {
                "name": key.name,
                "type": key.type.value,
                "description": key.description,
                "choices": list(key.choices),
                "category": key.category,
                "relates": key.relates,
            }
            for key in kind.card
        ],
        "tabs": [{"name": tab.name, "title": tab.title} for tab in kind.tabs],
        "indexers": [{"name": step.name, "title": step.title} for step in indexers_of(context, kind.name)],
        "actions": sorted(kind.actions),
    }
