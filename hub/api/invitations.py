"""REST of how accounts come to be by an administrator's doing: invitations, and a table of many."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from hub.accounts.models_invitations import Invitation
from hub.accounts.service import importing
from hub.accounts.service import invitations as service
from hub.api import invitation_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.schemas import PageQuery
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("invitations", __name__, url_prefix=f"{PREFIX}/admin", description="Invitations, and many accounts")


def _view(row: Invitation, now: datetime, *, made: str = "", used: str = "", url: str = "") -> dict[str, Any]:
    state = "used" if row.used_at else "open" if row.expires_at > now else "expired"
    view = {
        "uuid": row.uuid,
        "state": state,
        "email": row.email,
        "note": row.note,
        "invited_by": made,
        "used_by": used,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "used_at": row.used_at,
    }
    return view | ({"url": url} if url else {})


@blp.get("/invitations")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.InvitationSchema, many=True))
def list_invitations(_query: dict[str, Any]) -> dict[str, Any]:
    """Invitations, newest first."""
    with reading(current_context()) as work:
        found = service.list_invitations(work, actor=current_actor(), page=page_args())
        views = [_view(row, work.now(), made=made, used=used) for row, made, used in found.items]
    return ok(views, total=found.total)


@blp.post("/invitations")
@blp.arguments(schemas.InvitationBody)
@blp.response(200, enveloped(schemas.InvitationSchema))
def invite(body: dict[str, Any]) -> dict[str, Any]:
    """Invite somebody. The answer is the only one that holds the link; sent by e-mail, nobody but its reader has it."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        row, url = service.invite(work, actor=actor, sends=body.pop("send"), **body)
        return ok(_view(row, work.now(), made=actor.name, url=url))


@blp.delete("/invitations/<uuid:uuid>")
@blp.response(200, enveloped())
def withdraw(uuid: Any) -> dict[str, Any]:
    """Take an invitation back: its link is good no more."""
    with unit_of_work(current_context()) as work:
        service.withdraw(work, actor=current_actor(), uuid=str(uuid))
    return ok()


@blp.post("/users/import")
@blp.arguments(schemas.UserImportBody)
@blp.response(200, enveloped(schemas.UserImportSchema))
def import_users(body: dict[str, Any]) -> dict[str, Any]:
    """Make many accounts of a CSV, or say what stands against it, line by line; at most 1,000 at once.

    No password is in it: the owners choose theirs by the link for a lost password.
    """
    context, actor = current_context(), current_actor()
    done = importing.import_users(context, actor=actor, text=body["csv"], is_dry=body["dry_run"])
    findings = [dataclasses.asdict(finding) for finding in done.findings]
    return ok({"rows": len(done.rows), "created": done.created, "findings": findings})
