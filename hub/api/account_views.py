"""What accounts look like on the wire. Shapes: CSGHub contract, section 5.6."""

from __future__ import annotations

from typing import Any

from hub.accounts import service
from hub.accounts.models import AccessToken, Organization, Role, SSHKey, User
from hub.accounts.policy import Action, Actor, can
from hub.accounts.service.organizations import MemberView
from hub.accounts.service.verifications import APPROVED, NONE, OpenedVerification, statuses_of
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork
from hub.http.pictures import picture_url

# A user's organisations are named in the user's own record; more than this nobody reads there.
MAX_NAMED_ORGANIZATIONS = 100


def namespace_view(owner: User | Organization) -> dict[str, Any]:
    """The namespace of a user or an organisation; each key as upstream spells it, and in lower case besides."""
    image = picture_url(owner.avatar if isinstance(owner, User) else owner.logo)
    keys = namespace_keys_view(owner)
    return keys | {"path": owner.name, "type": keys["Type"], "uuid": owner.namespace.uuid, "avatar": image}


def namespace_keys_view(owner: User | Organization) -> dict[str, Any]:
    """As ``namespace_view``, in the capitalised keys alone (section 5.1)."""
    image = picture_url(owner.avatar if isinstance(owner, User) else owner.logo)
    return {"Path": owner.name, "Type": owner.namespace.kind.value, "UUID": owner.namespace.uuid, "Avatar": image}


def role_view(role: Role | None) -> dict[str, Any]:
    """A role in an organisation as clients know it: an owner is an admin to them (section 1.9). None: nothing."""
    if role is None:
        return {}
    is_owner = role == Role.OWNER
    return {"role": Role.ADMIN.value if is_owner else role.value, "is_owner": is_owner}


def organization_view(organization: Organization, role: Role | None = None, verify_status: str = "") -> dict[str, Any]:
    """An organisation, whose ``path`` is its unique name and whose ``name`` is the one that pages show.

    role: of the viewer or of the user whose organisations are listed; None leaves it out. verify_status: how its
    request stands, for those who may know; others see only whether it was approved.
    """
    view = {
        "path": organization.name,
        "name": organization.display_name or organization.name,
        "description": organization.description,
        "homepage": organization.homepage,
        "logo": picture_url(organization.logo),
        "org_type": organization.type,
        "verified": organization.is_verified,
        "time_zone": organization.namespace.time_zone,
        "verify_status": verify_status or (APPROVED if organization.is_verified else NONE),
        "uuid": organization.uuid,
        "namespace": namespace_view(organization),
        "created_at": organization.created_at,
    }
    return view | role_view(role)


def user_view(work: UnitOfWork, actor: Actor, user: User) -> dict[str, Any]:
    """A user with organisations; private members only for those who may read them."""
    memberships = service.list_user_organizations(
        work, actor=actor, user=user, page=PageArgs(per=MAX_NAMED_ORGANIZATIONS)
    ).items
    organizations = [organization_view(organization, role) for organization, role in memberships]
    view = public_user_view(user) | {
        "orgs": organizations,
        "namespaces": [namespace_view(user), *(organization["namespace"] for organization in organizations)],
    }
    if not can(work, actor, Action.ACCOUNT_READ, user):
        return view
    return view | private_user_view(user, statuses_of(work, User.resource_type, [user.id]).get(user.id))


def public_user_view(user: User) -> dict[str, Any]:
    """What anybody may know of a user."""
    return {
        "username": user.name,
        "nickname": user.nickname or user.name,
        "avatar": picture_url(user.avatar),
        "tags": [],
    }


def private_user_view(user: User, verify_status: str | None = None) -> dict[str, Any]:
    """What the user and site administrators may know besides. verify_status: None for no request."""
    view = {
        "id": user.id,
        "uuid": user.uuid,
        "email": user.email,
        "bio": user.bio,
        "homepage": user.homepage,
        "time_zone": user.namespace.time_zone,
        "roles": ["admin"] if user.is_admin else ["personal_user"],
        "can_change_username": True,
        "verify_status": verify_status or NONE,
        "labels": list(user.labels),
        "is_active": user.is_active,
        "created_at": user.created_at,
    }
    return view | ({"last_login_at": user.last_login_at} if user.last_login_at else {})


def member_view(member: MemberView) -> dict[str, Any]:
    """A member of an organisation, as far as the service lets the viewer see."""
    view = {
        "username": member.name,
        "nickname": member.nickname or member.name,
        "uuid": member.uuid,
        "avatar": picture_url(member.avatar),
        "last_login_at": member.last_login_at,
    }
    return {name: value for name, value in view.items() if value is not None} | role_view(member.role)


def token_view(token: AccessToken, value: str | None = None) -> dict[str, Any]:
    """A token; its value masked unless it is given."""
    return {
        "id": token.id,
        "token": value or f"{token.hint}{'*' * 28}",
        "token_name": token.name,
        "application": token.app,
        "permission": token.scope.value,
        "user_name": token.user.name,
        "user_uuid": token.user.uuid,
        "expire_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "created_at": token.created_at,
        "updated_at": token.created_at,
        "token_type": "",
        "ns_uuid": token.user.namespace.uuid,
        "quota_type": "",
        "quota_value_type": "",
        "usage": 0,
        "quota": 0,
    }


def new_token_view(token: AccessToken, value: str) -> dict[str, Any]:
    """The stored row of a fresh token, whose members are named differently (section 5.6)."""
    return {
        "id": token.id,
        "git_id": token.id,
        "name": token.name,
        "token": value,
        "user_id": token.user_id,
        "user": public_user_view(token.user) | {"id": token.user_id, "uuid": token.user.uuid},
        "application": token.app,
        "permission": token.scope.value,
        "is_active": True,
        "expired_at": token.expires_at,
        "ns_uuid": token.user.namespace.uuid,
        "token_type": "",
        "created_at": token.created_at,
        "updated_at": token.created_at,
    }


def key_view(key: SSHKey) -> dict[str, Any]:
    """An SSH key."""
    return {
        "id": key.id,
        "git_id": key.id,
        "name": key.name,
        "content": key.public_key,
        "user_id": key.user_id,
        "fingerprint_sha256": key.fingerprint_sha256,
        "created_at": key.created_at,
        "updated_at": key.created_at,
    }


def verification_view(found: OpenedVerification, *, name_member: str) -> dict[str, Any]:
    """A request for verification with what was handed in. name_member: "username" or "path"."""
    return {
        **found.details,
        "id": found.id,
        name_member: found.name,
        "uuid": found.uuid,
        "status": found.status,
        "reason": found.reason,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }
