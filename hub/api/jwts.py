"""REST of signed session tokens. Contract: CSGHub, sections 1.2 and 4.6.

For the hub's own API token and for site administrators.
"""

from __future__ import annotations

from typing import Any

from hub.accounts.service.jwts import create_jwt, get_jwt_user
from hub.api import account_schemas as schemas
from hub.api.account_views import user_view
from hub.api.envelope import enveloped, ok
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("jwts", __name__, url_prefix=PREFIX, description="Signed session tokens")


@blp.post("/jwt/token")
@blp.arguments(schemas.JWTBody)
@blp.response(200, enveloped(schemas.JWTSchema))
def create_token(body: dict[str, Any]) -> dict[str, Any]:
    """Make a token that stands for a user; an old one of the user is revoked in the same step."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        value, expires_at = create_jwt(work, actor=actor, user_uuid=body["uuid"], old_token=body["old_token"])
    return ok({"token": value, "expire_at": expires_at})


@blp.get("/jwt/<token>")
@blp.response(200, enveloped(schemas.UserSchema))
def show_token(token: str) -> dict[str, Any]:
    """The user whom a token stands for."""
    actor = current_actor()
    with reading(current_context()) as work:
        return ok(user_view(work, actor, get_jwt_user(work, actor=actor, value=token)))
