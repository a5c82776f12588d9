"""REST of gated repositories: whether content is given on request, and to whom."""

from __future__ import annotations

from typing import Any

from hub.api import gate_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos import service
from hub.repos.models import GateRequest, RequestState

blp = RepositoryBlueprint("gates", __name__, url_prefix=PREFIX, description="Repositories that are read on request")


def _request_view(request: GateRequest) -> dict[str, Any]:
    return {
        "uuid": request.uuid,
        "username": request.user.name,
        "nickname": request.user.nickname,
        "email": request.user.email,
        "state": request.state.value,
        "fields": request.fields,
        "reason": request.reason,
        "created_at": request.created_at,
        "decided_at": request.decided_at,
    }


@blp.at("/gate", method="PUT")
@blp.arguments(schemas.GateBody)
@blp.response(200, enveloped(schemas.GateSchema))
def set_gate(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Say whether content is given on request: names, sizes and history stay visible to whoever may see it."""
    with unit_of_work(current_context()) as work:
        repository = service.update_settings(
            work, actor=current_actor(), repository_id=address.load(work).id, gate=body["gated"]
        )
        return ok({"gated": repository.gate})


@blp.at("/access_request")
@blp.response(200, enveloped(schemas.AccessRequestSchema))
def show_own_request(address: Address) -> dict[str, Any]:
    """What became of the caller's own request; its state is empty where there is none."""
    with reading(current_context()) as work:
        request = service.find_own_request(work, actor=current_actor(), repository_id=address.load(work).id)
        return ok(_request_view(request) if request else {"state": ""})


@blp.at("/access_request", method="POST")
@blp.arguments(schemas.AskBody)
@blp.response(200, enveloped(schemas.AccessRequestSchema))
def ask_for_access(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Ask for the content. Those who administer the repository are told, with the caller's name and e-mail address.

    Where the gate is "auto" the request is accepted at once.
    """
    with unit_of_work(current_context()) as work:
        request = service.request_access(
            work, actor=current_actor(), repository_id=address.load(work).id, fields=body["answers"]
        )
        return ok(_request_view(request))


@blp.at("/access_requests")
@blp.arguments(schemas.AccessRequestsQuery, location="query")
@blp.response(200, enveloped(schemas.AccessRequestSchema, many=True))
def list_access_requests(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The requests, the oldest first, for those who administer the repository."""
    with reading(current_context()) as work:
        page = service.list_requests(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            state=RequestState(query["state"]) if query["state"] else None,
            page=page_args(),
        )
        return ok([_request_view(request) for request in page.items], total=page.total)


@blp.at("/access_requests", method="POST")
@blp.arguments(schemas.GrantAccessBody)
@blp.response(200, enveloped(schemas.AccessRequestSchema))
def grant_access(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Give a user the content, asked or not."""
    with unit_of_work(current_context()) as work:
        request = service.grant_access(
            work, actor=current_actor(), repository_id=address.load(work).id, user=body["username"]
        )
        return ok(_request_view(request))


@blp.at("/access_requests/<username>", method="PUT")
@blp.arguments(schemas.DecideBody)
@blp.response(200, enveloped(schemas.AccessRequestSchema))
def decide_request(body: dict[str, Any], address: Address, username: str) -> dict[str, Any]:
    """Accept or reject a user's request, or take that back ("pending")."""
    with unit_of_work(current_context()) as work:
        request = service.decide_request(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            state=RequestState(body["state"]),
            user=username,
            reason=body["reason"],
        )
        return ok(_request_view(request))
