"""REST of what site administrators recommend. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from hub.api.envelope import enveloped, ok
from hub.api.ids import row_id
from hub.api.schemas import Body
from hub.assets import service
from hub.assets.service.trends import MAX_WEIGHT
from hub.db.uow import unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("recommendations", __name__, url_prefix=PREFIX, description="What is recommended")


class WeightBody(Body):
    repo_id = row_id(required=True, metadata={"description": "the member repository_id", "example": 1})
    weight = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(-MAX_WEIGHT, MAX_WEIGHT),
        metadata={"description": "points for lists sorted by trending; a fresh like has 8; 0: none", "example": 20},
    )


@blp.post("/recom/opweight")
@blp.arguments(WeightBody)
@blp.response(200, enveloped())
def set_weight(body: dict[str, Any]) -> dict[str, Any]:
    """Put a repository further up, or down, in what is trending; it counts at once. For site administrators."""
    with unit_of_work(current_context()) as work:
        service.set_weight(work, actor=current_actor(), repository_id=body["repo_id"], weight=body["weight"])
    return ok()
