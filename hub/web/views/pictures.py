"""Pictures of users and organisations, at addresses whose content never changes."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response

from hub.accounts.service.avatars import ADDRESS, SMALL
from hub.accounts.service.pictures import MEDIA_TYPE, find_picture
from hub.http.context import current_context
from hub.http.ranges import Content, send_content
from hub.objects.store import STORE

blueprint = Blueprint("picture_pages", __name__)

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@blueprint.get(f"{ADDRESS}<name>", defaults={"is_small": False})
@blueprint.get(f"{ADDRESS}<name>{SMALL}", defaults={"is_small": True})
def send_picture(name: str, is_small: bool) -> Response:
    """A picture, for whoever knows its address: they are shown to everybody."""
    context = current_context()
    found = find_picture(context, name, is_small=is_small)

    def open_range(start: int, length: int) -> Iterator[bytes]:
        return context[STORE].open_range(found.key, start, length)

    content = Content(found.size_bytes, found.etag, open_range, context[STORE].local_path(found.key))
    return send_content(content, mimetype=MEDIA_TYPE, headers=dict(_HEADERS))
