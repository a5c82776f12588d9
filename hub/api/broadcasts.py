"""REST of broadcasts and client events. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from typing import Any

from hub.accounts.policy import require_site_admin
from hub.api import broadcast_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.api.schemas import PageQuery
from hub.community.models import Broadcast
from hub.community.service import broadcasts as service
from hub.community.service.client_events import Report, record_events
from hub.db.uow import reading, unit_of_work
from hub.http.actor import client_address, current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("broadcasts", __name__, url_prefix=PREFIX, description="Broadcasts and client events")

_ACTIVE, _INACTIVE = schemas.STATUSES


def _view(broadcast: Broadcast) -> dict[str, Any]:
    return {
        "id": broadcast.id,
        "content": broadcast.content,
        "bc_type": broadcast.form,
        "theme": broadcast.theme,
        "status": _ACTIVE if broadcast.is_active else _INACTIVE,
        "starts_at": broadcast.starts_at,
        "ends_at": broadcast.ends_at,
        "created_at": broadcast.created_at,
        "updated_at": broadcast.updated_at,
    }


def _members(body: dict[str, Any]) -> dict[str, Any]:
    """A body's members in the words of the service."""
    members = {"content": body.get("content"), "form": body.get("bc_type"), "theme": body.get("theme")}
    if "status" in body:
        members["is_active"] = body["status"] == _ACTIVE
    return members | {name: body[name] for name in ("starts_at", "ends_at") if name in body}


@blp.get("/broadcasts/active")
@blp.response(200, schemas.BroadcastEnvelope)
def show_active_broadcast() -> dict[str, Any]:
    """What the administrators have to say to everybody now; without ``data`` when that is nothing."""
    with reading(current_context()) as work:
        broadcast = service.find_active_broadcast(work)
    return ok(_view(broadcast) if broadcast else None)


@blp.get(f"/broadcasts/<{ROW_ID}:broadcast_id>")
@blp.response(200, schemas.BroadcastEnvelope)
def show_broadcast(broadcast_id: int) -> dict[str, Any]:
    """One broadcast. Those that are not active are for site administrators."""
    with reading(current_context()) as work:
        return ok(_view(service.get_broadcast(work, actor=current_actor(), broadcast_id=broadcast_id)))


@blp.get(f"/admin/broadcasts/<{ROW_ID}:broadcast_id>")
@blp.response(200, schemas.BroadcastEnvelope)
def show_any_broadcast(broadcast_id: int) -> dict[str, Any]:
    """One broadcast, active or not, for site administrators."""
    actor = current_actor()
    with reading(current_context()) as work:
        require_site_admin(work, actor)
        return ok(_view(service.get_broadcast(work, actor=actor, broadcast_id=broadcast_id)))


@blp.get("/admin/broadcasts")
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.BroadcastsEnvelope)
def list_broadcasts(query: dict[str, Any]) -> dict[str, Any]:
    """All broadcasts, newest first, for site administrators."""
    with reading(current_context()) as work:
        page = service.list_broadcasts(work, actor=current_actor(), page=page_args())
    return ok([_view(broadcast) for broadcast in page.items], total=page.total)


@blp.post("/admin/broadcasts")
@blp.arguments(schemas.BroadcastBody)
@blp.response(200, schemas.BroadcastEnvelope)
def create_broadcast(body: dict[str, Any]) -> dict[str, Any]:
    """Say something to everybody, for site administrators."""
    with unit_of_work(current_context()) as work:
        return ok(_view(service.create_broadcast(work, actor=current_actor(), **_members(body))))


@blp.put(f"/admin/broadcasts/<{ROW_ID}:broadcast_id>")
@blp.arguments(schemas.UpdateBroadcastBody)
@blp.response(200, schemas.BroadcastEnvelope)
def update_broadcast(body: dict[str, Any], broadcast_id: int) -> dict[str, Any]:
    """Change a broadcast, or begin and end it, for site administrators."""
    with unit_of_work(current_context()) as work:
        broadcast = service.update_broadcast(work, actor=current_actor(), broadcast_id=broadcast_id, **_members(body))
        return ok(_view(broadcast))


@blp.delete(f"/admin/broadcasts/<{ROW_ID}:broadcast_id>")
@blp.response(200, enveloped())
def delete_broadcast(broadcast_id: int) -> dict[str, Any]:
    """Remove a broadcast, for site administrators."""
    with unit_of_work(current_context()) as work:
        service.delete_broadcast(work, actor=current_actor(), broadcast_id=broadcast_id)
    return ok()


@blp.post("/events")
@blp.arguments(schemas.ClientEventBody(many=True))
@blp.response(200, enveloped())
def record_client_events(body: list[dict[str, Any]]) -> dict[str, Any]:
    """Keep what a client reports of its use: at most 300 events; who and from where is the server's to say."""
    reports = [Report(event["m"], event["id"], event["v"], event["ext"]) for event in body]
    with unit_of_work(current_context()) as work:
        record_events(work, actor=current_actor(), reports=reports, address=client_address())
    return ok()
