"""REST of verifications of users and organisations. Contract: CSGHub, section 4.6."""

from __future__ import annotations

from typing import Any

from hub.accounts import service
from hub.accounts.service import verifications
from hub.api import account_schemas as schemas
from hub.api.account_views import verification_view
from hub.api.envelope import enveloped, ok
from hub.api.ids import MAX_ROW_ID, ROW_ID
from hub.api.users import get_user_by_uuid
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("verifications", __name__, url_prefix=PREFIX, description="Verifications")


@blp.post("/user/verify")
@blp.arguments(schemas.UserVerificationBody)
@blp.response(200, enveloped(schemas.UserVerificationSchema))
def ask_as_user(body: dict[str, Any]) -> dict[str, Any]:
    """Ask to be confirmed as the person one is; it replaces what is under way."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        user = service.get_own_user(work, actor=actor)
        found = verifications.ask_for_verification(work, actor=actor, subject=user, details=body)
    return ok(verification_view(found, name_member="username"))


@blp.get("/user/verify/<reference>")
@blp.response(200, enveloped(schemas.UserVerificationSchema))
def show_users(reference: str) -> dict[str, Any]:
    """A user's request, by the user's uuid or the request's number; for the user and for site administrators."""
    actor = current_actor()
    with reading(current_context()) as work:
        if reference.isascii() and reference.isdigit() and len(reference) <= len(str(MAX_ROW_ID)):
            number = min(int(reference), MAX_ROW_ID)
            found = verifications.get_own_verification(work, actor=actor, verification_id=number)
        else:
            found = verifications.get_verification(work, actor=actor, subject=get_user_by_uuid(work, reference))
    return ok(verification_view(found, name_member="username"))


@blp.put(f"/user/verify/<{ROW_ID}:verification_id>")
@blp.arguments(schemas.DecisionBody)
@blp.response(200, enveloped(schemas.UserVerificationSchema))
def decide_users(body: dict[str, Any], verification_id: int) -> dict[str, Any]:
    """Approve or reject a user's request; for site administrators."""
    return ok(verification_view(_decide("user", verification_id, body), name_member="username"))


@blp.post("/organization/verify")
@blp.arguments(schemas.OrganizationVerificationBody)
@blp.response(200, enveloped(schemas.OrganizationVerificationSchema))
def ask_as_organization(body: dict[str, Any]) -> dict[str, Any]:
    """Ask that an organisation be confirmed; for its administrators. It replaces what is under way."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        organization = service.get_organization(work, body["path"])
        found = verifications.ask_for_verification(work, actor=actor, subject=organization, details=body)
    return ok(verification_view(found, name_member="path"))


@blp.get("/organization/verify/<namespace>")
@blp.response(200, enveloped(schemas.OrganizationVerificationSchema))
def show_organizations(namespace: str) -> dict[str, Any]:
    """An organisation's request; for its administrators and for site administrators."""
    actor = current_actor()
    with reading(current_context()) as work:
        organization = service.get_organization(work, namespace)
        found = verifications.get_verification(work, actor=actor, subject=organization)
    return ok(verification_view(found, name_member="path"))


@blp.put(f"/organization/verify/<{ROW_ID}:verification_id>")
@blp.arguments(schemas.DecisionBody)
@blp.response(200, enveloped(schemas.OrganizationVerificationSchema))
def decide_organizations(body: dict[str, Any], verification_id: int) -> dict[str, Any]:
    """Approve or reject an organisation's request; for site administrators."""
    return ok(verification_view(_decide("organization", verification_id, body), name_member="path"))


def _decide(subject_type: str, verification_id: int, body: dict[str, Any]) -> verifications.OpenedVerification:
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        return verifications.decide_verification(
            work,
            actor=actor,
            subject_type=subject_type,
            verification_id=verification_id,
            status=body["status"],
            reason=body["reason"],
        )
