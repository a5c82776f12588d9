"""REST of organisations and their members. Routes: CSGHub contract, section 4.6."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from hub.accounts import service
from hub.accounts.models import Organization, Role
from hub.accounts.policy import Action, Actor, can, role_in_namespace
from hub.accounts.service.verifications import statuses_of
from hub.api import account_schemas as schemas
from hub.api.account_views import member_view, namespace_keys_view, organization_view, role_view
from hub.api.envelope import enveloped, ok, paged, valued
from hub.api.schemas import PageQuery
from hub.base.errors import Invalid, NotFound
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import ApiBlueprint

blp = ApiBlueprint("organizations", __name__, url_prefix="/api/v1", description="Organisations and their members")

MAX_ADDED_MEMBERS = 100


def organization_filter(query: dict[str, Any]) -> service.OrganizationFilter:
    """Which organisations a query asks for."""
    return service.OrganizationFilter(query["search"], query["org_type"], query["verify_status"], query["tag"])


def _view(work: UnitOfWork, actor: Actor, organization: Organization) -> dict[str, Any]:
    role = role_in_namespace(work, actor, organization.namespace_id)
    status = ""
    if can(work, actor, Action.ORGANIZATION_ADMIN, organization):
        status = statuses_of(work, Organization.resource_type, [organization.id]).get(organization.id, "")
    return organization_view(organization, role, status)


@blp.get("/organizations")
@blp.arguments(schemas.OrganizationsQuery, location="query")
@blp.response(200, enveloped(schemas.OrganizationSchema, paged=True))
def list_organizations(query: dict[str, Any]) -> dict[str, Any]:
    """Organisations by name."""
    wanted = organization_filter(query)
    with reading(current_context()) as work:
        page = service.list_organizations(work, actor=current_actor(), wanted=wanted, page=page_args())
    return paged([organization_view(organization) for organization in page.items], page.total)


@blp.post("/organizations")
@blp.arguments(schemas.CreateOrganizationBody)
@blp.response(200, enveloped(schemas.OrganizationSchema))
def create_organization(body: dict[str, Any]) -> dict[str, Any]:
    """Create an organisation; its creator becomes its owner, whose role is told as admin."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        organization = service.create_organization(
            work,
            actor=actor,
            name=body["name"],
            display_name=body["nickname"],
            description=body["description"],
            homepage=body["homepage"],
            logo=body["logo"],
            kind=body["org_type"],
        )
        return ok(organization_view(organization, Role.OWNER))


@blp.get("/organization/<namespace>")
@blp.response(200, enveloped(schemas.OrganizationSchema))
def get_organization(namespace: str) -> dict[str, Any]:
    """One organisation, with the viewer's role in it."""
    actor = current_actor()
    with reading(current_context()) as work:
        return ok(_view(work, actor, service.get_organization(work, namespace)))


@blp.put("/organization/<namespace>")
@blp.arguments(schemas.EditOrganizationBody)
@blp.response(200, enveloped(schemas.OrganizationSchema))
def update_organization(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Change an organisation's record."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        organization = service.update_organization(
            work,
            actor=actor,
            organization=service.get_organization(work, namespace),
            display_name=body.get("nickname"),
            description=body.get("description"),
            homepage=body.get("homepage"),
            logo=body.get("logo"),
            kind=body.get("org_type"),
            is_verified=body.get("verified"),
            time_zone=body.get("time_zone"),
        )
        return ok(_view(work, actor, organization))


@blp.delete("/organization/<namespace>")
@blp.response(200, enveloped())
def delete_organization(namespace: str) -> dict[str, Any]:
    """Remove an organisation that holds nothing."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        service.delete_organization(work, actor=actor, organization=service.get_organization(work, namespace))
    return ok()


@blp.get("/organization/<namespace>/members")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.MemberSchema, paged=True))
def list_members(query: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The members by name; roles and last sign-ins for members only."""
    actor = current_actor()
    with reading(current_context()) as work:
        organization = service.get_organization(work, namespace)
        page = service.list_members(work, actor=actor, organization=organization, page=page_args())
    return paged([member_view(member) for member in page.items], page.total)


@blp.post("/organization/<namespace>/members")
@blp.arguments(schemas.AddMembersBody)
@blp.response(200, enveloped())
def add_members(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Add members, all of them or none."""
    actor = current_actor()
    names = [name.strip() for name in body["users"].split(",") if name.strip()]
    if not 0 < len(names) <= MAX_ADDED_MEMBERS:
        raise Invalid(f"Name 1 to {MAX_ADDED_MEMBERS} users, separated by commas.", code="REQ-ERR-6")
    with unit_of_work(current_context()) as work:
        organization = service.get_organization(work, namespace)
        for name in names:
            user = service.get_person(work, actor=actor, organization=organization, name=name)
            service.add_member(work, actor=actor, organization=organization, user=user, role=Role(body["role"]))
    return ok()


@blp.get("/organization/<namespace>/members/<username>")
@blp.response(200, valued(fields.String(), "Role"))
def get_member(namespace: str, username: str) -> dict[str, Any]:
    """The user's role, admin for an owner, or "" for none; for the user and for members."""
    actor = current_actor()
    with reading(current_context()) as work:
        organization = service.get_organization(work, namespace)
        user = service.get_person(
            work, actor=actor, organization=organization, name=username, action=Action.NAMESPACE_READ
        )
        role = service.get_member_role(work, actor=actor, organization=organization, user=user)
        return ok(role_view(role).get("role", ""))


@blp.put("/organization/<namespace>/members/<username>")
@blp.arguments(schemas.ChangeMemberBody)
@blp.response(200, enveloped())
def change_member(body: dict[str, Any], namespace: str, username: str) -> dict[str, Any]:
    """Give a member another role; as old_role, admin is an owner's role, too."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        organization = service.get_organization(work, namespace)
        service.change_member(
            work,
            actor=actor,
            organization=organization,
            user=service.get_person(work, actor=actor, organization=organization, name=username),
            role=Role(body["new_role"]),
            old_role=Role(body["old_role"]) if body["old_role"] else None,
        )
    return ok()


@blp.delete("/organization/<namespace>/members/<username>")
@blp.arguments(schemas.RemoveMemberBody)
@blp.response(200, enveloped())
def remove_member(body: dict[str, Any], namespace: str, username: str) -> dict[str, Any]:
    """End a membership; members may leave by themselves. The body is a JSON object, and may be left out."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        organization = service.get_organization(work, namespace)
        user = service.get_person(work, actor=actor, organization=organization, name=username)
        old_role = Role(body["role"]) if body["role"] else None
        service.remove_member(work, actor=actor, organization=organization, user=user, old_role=old_role)
    return ok()


@blp.get("/namespaces/<uuid>")
@blp.response(200, enveloped(schemas.NamespaceKeysSchema))
def get_namespace(uuid: str) -> dict[str, Any]:
    """A namespace by its path or its uuid."""
    with reading(current_context()) as work:
        found = service.find_namespace_by_uuid(work, uuid) or service.get_namespace(work, uuid)
        owner = found.user or found.organization
        if owner is None:
            raise NotFound("There is no such namespace.", code="namespace_not_found")
        return ok(namespace_keys_view(owner))
