"""Who gets the content of gated repositories, for huggingface_hub. Hugging Face contract, sections 8 and 11."""

from __future__ import annotations

from typing import Any, cast

from flask import Response

from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.compat import gate_schemas as schemas
from hub.compat import views
from hub.compat.addresses import CompatBlueprint, Place, next_link
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import service
from hub.repos.models import GateRequest, RequestState

blp = CompatBlueprint("gates", __name__, description="Access to gated repositories")

_PER = 100


def _request_view(request: GateRequest) -> dict[str, Any]:
    view: dict[str, Any] = {
        "requestId": request.uuid,
        "user": {
            "user": request.user.name,
            "fullname": request.user.nickname or request.user.name,
            "email": request.user.email,
        },
        "status": request.state.value,
        "timestamp": views.time_text(request.created_at),
    }
    if request.fields:
        view["fields"] = request.fields
    if request.reason:
        view["rejectionReason"] = request.reason
    return view


@blp.at("/user-access-request", method="POST")
@blp.arguments(schemas.HubAskBody)
@blp.response(200, schemas.HubAccessRequestSchema)
def ask_for_access(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Ask for the repository's content. Those who administer it are told, with the caller's name and e-mail address.

    Where the gate is "auto" the answer's status is "accepted" at once.
    """
    with unit_of_work(current_context()) as work:
        request = service.request_access(
            work, actor=current_actor(), repository_id=place.load(work).id, fields=body["answers"]
        )
        return _request_view(request)


@blp.at('/user-access-request/<any("pending", "accepted", "rejected"):status>')
@blp.arguments(schemas.HubAccessQuery, location="query")
@blp.response(200, schemas.HubAccessRequestSchema(many=True))
def list_access_requests(query: dict[str, Any], place: Place, status: str) -> Response:
    """The requests in that state, the oldest first; the next page's address is in the ``Link`` header."""
    page = PageArgs(query["cursor"], _PER)
    with reading(current_context()) as work:
        repository = place.load(work)
        found = service.list_requests(
            work, actor=current_actor(), repository_id=repository.id, state=RequestState(status), page=page
        )
        service.require_gate(repository)
        shown = [_request_view(request) for request in found.items]
    has_more = page.offset + len(shown) < found.total
    return views.send_json(shown, {"Link": next_link(cursor=str(page.page + 1))} if has_more else None)


@blp.at("/user-access-request/handle", method="POST")
@blp.arguments(schemas.HubHandleBody)
@blp.response(200, schemas.HubAccessRequestSchema)
def handle_access_request(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Accept or reject a request, or take that back ("pending"). It is named by its user or by its id."""
    if bool(body["user"]) == bool(body["requestId"]):
        raise Invalid("Either 'user' or 'requestId' must be given.", code="REQ-ERR-6", member="user")
    with unit_of_work(current_context()) as work:
        request = service.decide_request(
            work,
            actor=current_actor(),
            repository_id=place.load(work).id,
            state=RequestState(body["status"]),
            user=body["user"] or "",
            request_uuid=body["requestId"] or "",
            reason=body["rejectionReason"] or "",
        )
        return _request_view(request)


@blp.at("/user-access-request/grant", method="POST")
@blp.arguments(schemas.HubGrantBody)
@blp.response(200, schemas.HubAccessRequestSchema)
def grant_access(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Give a user the repository's content, asked or not."""
    with unit_of_work(current_context()) as work:
        request = service.grant_access(
            work, actor=current_actor(), repository_id=place.load(work).id, user=body["user"]
        )
        return _request_view(request)


@blp.at("/settings", method="PUT")
@blp.arguments(schemas.HubSettingsBody)
@blp.response(200, schemas.HubSettingsSchema)
def change_settings(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Say who may see the repository, and whether its content is given on request."""
    gate = None if body["gated"] is None else cast(str, body["gated"] or "")
    with unit_of_work(current_context()) as work:
        repository = service.update_settings(
            work,
            actor=current_actor(),
            repository_id=place.load(work).id,
            private=schemas.is_private(body),
            gate=gate,
        )
        private, gate = repository.is_private, repository.gate
    return {"private": private, "visibility": "private" if private else "public", "gated": gate or False}
