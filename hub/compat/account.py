"""Who the caller is, and whether a card's metadata is good, as huggingface_hub asks. CSGHub contract, 2.4 and 3.8."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from hub.accounts import service as accounts
from hub.accounts.models import AccessToken, Role, TokenScope
from hub.assets.service.cardcheck import Severity
from hub.assets.service.cardindex import check_text
from hub.base.errors import NotSignedIn
from hub.base.paging import MAX_PER, PageArgs
from hub.compat import schemas
from hub.compat.addresses import CompatBlueprint
from hub.compat.views import time_text
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.pictures import picture_url
from hub.http.rest import ErrorSchema

blp = CompatBlueprint("account", __name__, description="The caller and the cards, as huggingface_hub asks")

_KINDS = ("model", "dataset", "space")
# How the client calls our roles in an organisation.
_ROLES = {Role.ADMIN: "admin", Role.WRITE: "write", Role.READ: "read"}


@blp.get("/api/whoami-v2")
@blp.response(200, schemas.HubWhoamiSchema)
def whoami() -> dict[str, Any]:
    """The account behind the credential, with the organisations that it belongs to (at most 100)."""
    actor = current_actor()
    if actor.user_id is None:
        raise NotSignedIn("Send an access token to be told whose it is.")
    with reading(current_context()) as work:
        user = accounts.get_user(work, actor.name)
        memberships = accounts.list_user_organizations(work, actor=actor, user=user, page=PageArgs(1, MAX_PER)).items
        token = work.session.get(AccessToken, actor.token_id) if actor.token_id is not None else None
        view: dict[str, Any] = {
            "type": "user",
            "id": user.namespace.uuid,
            "name": user.name,
            "fullname": user.nickname or user.name,
            "email": user.email,
            # The hub sends nobody a mail to answer.
            "emailVerified": False,
            "avatarUrl": picture_url(user.avatar),
            "isPro": False,
            "canPay": False,
            "orgs": [
                {
                    "type": "org",
                    "id": organization.namespace.uuid,
                    "name": organization.name,
                    "fullname": organization.display_name or organization.name,
                    "avatarUrl": picture_url(organization.logo),
                    "isEnterprise": organization.type == "enterprise",
                    "roleInOrg": _ROLES.get(role or Role.READ, "admin"),
                }
                for organization, role in memberships
            ],
            "auth": {"type": "access_token" if token else actor.via},
        }
        if token is not None:
            view["auth"]["accessToken"] = {
                "displayName": token.name,
                "role": "read" if token.scope is TokenScope.READ else "write",
                "createdAt": time_text(token.created_at),
            }
    return view


@blp.post("/api/validate-yaml")
@blp.arguments(schemas.HubCardBody)
@blp.response(200, schemas.HubFindingsSchema)
@blp.alt_response(
    400,
    schema={"oneOf": [schemas.HubFindingsSchema, ErrorSchema]},
    description="the metadata cannot be used, or the request is no JSON",
)
def validate_card(body: dict[str, Any]) -> Response:
    """What is wrong with the metadata at the head of a README.md: errors (then the status is 400) and warnings.

    It takes no credential: huggingface_hub sends none along, and nothing of the hub is told.
    """
    kind = body["repoType"] if body["repoType"] in _KINDS else "model"
    found: dict[str, list[dict[str, str]]] = {"errors": [], "warnings": []}
    for problem in check_text(current_context(), kind=kind, text=body["content"]).problems:
        if problem.severity is not Severity.NOTE:
            message = f"{problem.key}: {problem.reason}" if problem.key else problem.reason
            where = f" (line {problem.line})" if problem.line is not None else ""
            found["errors" if problem.severity is Severity.ERROR else "warnings"].append({"message": message + where})
    return Response(json.dumps(found), status=400 if found["errors"] else 200, mimetype="application/json")
