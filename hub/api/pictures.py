"""REST of pictures of users and organisations. Ours: the contract of the platform has addresses of others' only."""

from __future__ import annotations

from typing import Any

from flask import request

from hub.accounts.service import pictures as service
from hub.api import account_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.db.uow import unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.pictures import picture_url
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("pictures", __name__, url_prefix=PREFIX, description="Pictures of users and organisations")

_BODY = {
    "required": True,
    "content": {
        media_type: {"schema": {"type": "string", "format": "binary"}}
        for media_type in ("image/png", "image/jpeg", "image/webp", "image/gif")
    },
}


def _read() -> bytes:
    """The body; raises 413 for more than a picture may have."""
    request.max_content_length = service.MAX_BYTES
    return request.get_data(cache=False)


@blp.put("/user/<username>/avatar")
@blp.doc(requestBody=_BODY)
@blp.response(200, enveloped(schemas.PictureSchema))
def set_avatar(username: str) -> dict[str, Any]:
    """Give a user a picture: PNG, JPEG, WebP or GIF of at most 1 MiB, which is kept as a square without metadata."""
    address = service.set_avatar(current_context(), actor=current_actor(), name=username, content=_read())
    return ok({"url": picture_url(address)})


@blp.delete("/user/<username>/avatar")
@blp.response(200, enveloped())
def remove_avatar(username: str) -> dict[str, Any]:
    """Take a user's picture away; may be repeated."""
    with unit_of_work(current_context()) as work:
        service.remove_avatar(work, actor=current_actor(), name=username)
    return ok()


@blp.put("/organization/<namespace>/logo")
@blp.doc(requestBody=_BODY)
@blp.response(200, enveloped(schemas.PictureSchema))
def set_logo(namespace: str) -> dict[str, Any]:
    """Give an organisation a picture, as a user gets one; what is no square stays whole."""
    address = service.set_logo(current_context(), actor=current_actor(), name=namespace, content=_read())
    return ok({"url": picture_url(address)})


@blp.delete("/organization/<namespace>/logo")
@blp.response(200, enveloped())
def remove_logo(namespace: str) -> dict[str, Any]:
    """Take an organisation's picture away; may be repeated."""
    with unit_of_work(current_context()) as work:
        service.remove_logo(work, actor=current_actor(), name=namespace)
    return ok()
