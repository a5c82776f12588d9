"""REST of the copy of one's own data. Ours, not of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response
from marshmallow import Schema, fields

from hub.accounts.service import own_data as service
from hub.api.envelope import enveloped, ok
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ranges import Content, disposition, send_content
from hub.http.routing import PREFIX, ApiBlueprint
from hub.objects.store import STORE

blp = ApiBlueprint("own_data", __name__, url_prefix=PREFIX, description="The copy of one's own data")


class CopySchema(Schema):
    state = fields.String(metadata={"description": "queued, running, succeeded, failed; empty: there is none"})
    asked_at = fields.DateTime()
    ready_at = fields.DateTime(allow_none=True)
    size = fields.Integer(allow_none=True, metadata={"description": "bytes of the archive, once it is there"})


def _view(copy: service.Copy | None) -> dict[str, Any]:
    if copy is None:
        return {"state": ""}
    return {
        "state": copy.state.value,
        "asked_at": copy.asked_at,
        "ready_at": copy.ready_at,
        "size": copy.size_bytes,
    }


@blp.post("/account/copy")
@blp.response(200, enveloped(CopySchema))
def ask_for_copy() -> dict[str, Any]:
    """Have a ZIP made of what is the caller's own: account, tokens' names, keys, repositories, comments and the like.

    By session, password or a token of scope admin.
    """
    with unit_of_work(current_context()) as work:
        return ok(_view(service.ask_for_copy(work, actor=current_actor())))


@blp.get("/account/copy")
@blp.response(200, enveloped(CopySchema))
def show_copy() -> dict[str, Any]:
    """How the copy stands that the caller asked for last; it is kept for seven days."""
    with reading(current_context()) as work:
        return ok(_view(service.find_copy(work, actor=current_actor())))


@blp.get("/account/copy.zip")
@blp.response(200, content_type="application/zip", description="the archive")
def download_copy() -> Response:
    """The copy that the caller asked for last."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        info = service.open_copy(work, actor=actor)

    def open_range(start: int, length: int) -> Iterator[bytes]:
        return context[STORE].open_range(info.key, start, length)

    content = Content(info.size_bytes, info.etag, open_range, context[STORE].local_path(info.key))
    headers = {"Content-Disposition": disposition(f"{actor.name}.zip"), "Cache-Control": "private, no-store"}
    return send_content(content, mimetype="application/zip", headers=headers)
