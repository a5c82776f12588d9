"""What all pages of an organisation have in common: finding it, and its head."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect

from hub.accounts import service
from hub.accounts.models import Organization
from hub.accounts.policy import Action, Actor, can, role_in_namespace
from hub.accounts.service.avatars import own_picture
from hub.assets.service import follows
from hub.db.uow import UnitOfWork
from hub.http.words import readdressed


def open_organization(work: UnitOfWork, namespace: str) -> Organization:
    """The organisation of that name; raises NotFound, or the redirect to how its name is written."""
    organization = service.get_organization(work, namespace)
    if organization.name != namespace:
        abort(redirect(readdressed(2, organization.name), 302))
    return organization


def head_of_organization(work: UnitOfWork, viewer: Actor, organization: Organization) -> dict[str, Any]:
    """What templates that extend ``people/organization_base.html`` see."""
    return {
        "organization": organization,
        "picture": own_picture(organization.logo),
        "role": role_in_namespace(work, viewer, organization.namespace_id),
        "follow": follows.follow_state(work, actor=viewer, namespace=organization.namespace),
        "may_administer": can(work, viewer, Action.ORGANIZATION_ADMIN, organization),
        "may_create": can(work, viewer, Action.NAMESPACE_CREATE, organization.namespace),
    }
