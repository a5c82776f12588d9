"""Organisations: what they have, who belongs to them, and their settings."""

from __future__ import annotations

from zoneinfo import available_timezones

from flask import Blueprint, Response, request

from hub.accounts import service
from hub.accounts.models import Role
from hub.accounts.policy import Action, can, require
from hub.accounts.service.fields import (
    MAX_DESCRIPTION_LENGTH,
    MAX_HOMEPAGE_LENGTH,
    MAX_NICKNAME_LENGTH,
    MAX_ORGANIZATION_NAME_LENGTH,
    MAX_ORGANIZATION_TYPE_LENGTH,
)
from hub.accounts.service.pictures import MAX_BYTES
from hub.assets.service.collections import list_collections
from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.service import list_repositories
from hub.web.cards import card_views
from hub.web.markdown import render_markdown
from hub.web.organizations import head_of_organization, open_organization
from hub.web.pages import render_page
from hub.web.signed_in import require_viewer
from hub.web.views.people import COLLECTIONS, OVERVIEW, PER_PAGE, kind_of_tab

blueprint = Blueprint("organization_pages", __name__)

_PREVIEWED = 12
_LIMITS = {
    "name": MAX_ORGANIZATION_NAME_LENGTH,
    "nickname": MAX_NICKNAME_LENGTH,
    "description": MAX_DESCRIPTION_LENGTH,
    "homepage": MAX_HOMEPAGE_LENGTH,
    "type": MAX_ORGANIZATION_TYPE_LENGTH,
    "picture": MAX_BYTES,
}


@blueprint.get("/organizations/new")
def show_new() -> Response:
    """The form for a new organisation."""
    require_viewer()
    return render_page("people/new_organization.html", page="O1", most=_LIMITS)


@blueprint.get("/organizations/<namespace>")
def show_organization(namespace: str) -> Response:
    """An organisation and what it has. ``tab``: overview, a kind of asset, or collections."""
    viewer, args, tab = current_actor(), page_args(default=PER_PAGE), request.args.get("tab", OVERVIEW)
    kind = kind_of_tab(tab)
    if kind is None and tab not in (OVERVIEW, COLLECTIONS):
        raise NotFound("There is no such tab.")
    with reading(current_context()) as work:
        organization = open_organization(work, namespace)
        values = head_of_organization(work, viewer, organization)
        members = service.list_members(work, actor=viewer, organization=organization, page=PageArgs(per=_PREVIEWED))
        if tab == COLLECTIONS:
            collections = list_collections(work, actor=viewer, namespace=organization.name, page=args)
            values |= {"collections": collections.items, "total": collections.total}
        else:
            found = list_repositories(
                work, actor=viewer, kind=kind.name if kind else None, namespace=organization.name, page=args
            )
            values |= {"cards": card_views(work, viewer, found.items), "total": found.total}
    return render_page(
        "people/organization.html",
        page="O1",
        state="ready" if values["total"] else "empty",
        description=render_markdown(organization.description, is_breaks=True),
        members=members,
        tab=tab,
        kind=kind,
        args=args,
        **values,
    )


@blueprint.get("/organizations/<namespace>/members")
def show_members(namespace: str) -> Response:
    """Who belongs to it; administrators add, change and remove them here."""
    viewer, args = current_actor(), page_args(default=PER_PAGE)
    with reading(current_context()) as work:
        organization = open_organization(work, namespace)
        page = service.list_members(work, actor=viewer, organization=organization, page=args)
        values = head_of_organization(work, viewer, organization)
        may_own = can(work, viewer, Action.ORGANIZATION_OWN, organization)
        owners = service.count_owners(work, organization)
    return render_page(
        "people/members.html",
        page="O2",
        members=page,
        args=args,
        may_own=may_own,
        owners=owners,
        roles=[role.value for role in Role if role != Role.OWNER or may_own],
        **values,
    )


@blueprint.get("/organizations/<namespace>/edit")
def show_edit(namespace: str) -> Response:
    """Its settings, for its administrators."""
    viewer = require_viewer()
    with reading(current_context()) as work:
        organization = open_organization(work, namespace)
        require(work, viewer, Action.ORGANIZATION_ADMIN, organization, what="organization")
        values = head_of_organization(work, viewer, organization)
        may_own = can(work, viewer, Action.ORGANIZATION_OWN, organization)
    zones = sorted(available_timezones())
    return render_page("people/edit_organization.html", page="O5", most=_LIMITS, may_own=may_own, zones=zones, **values)
