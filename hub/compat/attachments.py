"""Attachments of what is said in discussions. Source: Hugging Face contract, section 9."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from flask import Response, request

from hub.community.service import attachments
from hub.compat.addresses import CompatBlueprint, client_url
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ranges import CHUNK_BYTES, Content, send_content
from hub.objects.store import STORE

blp = CompatBlueprint("attachments", __name__, description="Attachments of what is said in discussions")


@blp.post("/uploads")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in ("image/*", "video/*")
        },
    }
)
@blp.response(200, content_type="text/plain", description="the attachment's address")
def add_attachment() -> Response:
    """Keep a picture, sound or film of at most 10 MiB, of the types that huggingface_hub sends."""
    request.max_content_length = attachments.MAX_BYTES
    stream = request.stream

    def read() -> Iterator[bytes]:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk

    kept = attachments.add_attachment(current_context(), actor=current_actor(), chunks=read())
    return Response(client_url(f"uploads/{kept.uuid}"), mimetype="text/plain")


@blp.get("/uploads/<uuid:uuid>")
@blp.response(200, content_type="application/octet-stream", description="the attachment's bytes")
def send_attachment(uuid: UUID) -> Response:
    """An attachment, for whoever knows its address. A browser may show it, and run nothing of it."""
    context = current_context()
    with reading(context) as work:
        found = attachments.get_attachment(work, str(uuid))
    key = attachments.object_key(found.uuid)

    def open_range(start: int, length: int) -> Iterator[bytes]:
        return context[STORE].open_range(key, start, length)

    content = Content(found.size_bytes, found.uuid, open_range, context[STORE].local_path(key), found.created_at)
    return send_content(content, mimetype=found.media_type, headers={"Content-Disposition": "inline"})
