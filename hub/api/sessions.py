"""REST of one's browsers: where an account is signed in, and signing it out there. Ours: the contract has none."""

from __future__ import annotations

from typing import Any

from hub.accounts import service
from hub.accounts.models import WebSession
from hub.accounts.service.sessions import hash_session_key
from hub.api import account_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor, session_key
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("sessions", __name__, url_prefix=PREFIX, description="Browsers that are signed in")

_SESSIONS = "/user/<username>/sessions"


def _view(session: WebSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "user_agent": session.user_agent,
        "address": session.address,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "is_current": session.key_hash == hash_session_key(session_key()),
    }


@blp.get(_SESSIONS)
@blp.response(200, enveloped(schemas.SessionSchema, many=True))
def list_sessions(username: str) -> dict[str, Any]:
    """Where the user is signed in, the browser used last first."""
    with reading(current_context()) as work:
        user = service.get_user(work, username)
        return ok([_view(session) for session in service.list_sessions(work, actor=current_actor(), user=user)])


@blp.delete(f"{_SESSIONS}/<{ROW_ID}:session_id>")
@blp.response(200, enveloped())
def end_session(username: str, session_id: int) -> dict[str, Any]:
    """Sign the user out of one browser, at once."""
    with unit_of_work(current_context()) as work:
        user = service.get_user(work, username)
        service.end_session(work, actor=current_actor(), user=user, session_id=session_id)
    return ok()


@blp.delete(_SESSIONS)
@blp.response(200, enveloped(schemas.EndedSessionsSchema))
def end_other_sessions(username: str) -> dict[str, Any]:
    """Sign the user out of every browser but the one that asks."""
    with unit_of_work(current_context()) as work:
        user = service.get_user(work, username)
        ended = service.end_other_sessions(work, actor=current_actor(), user=user, key=session_key())
    return ok({"ended": ended})
