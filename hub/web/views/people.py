"""Profiles: who somebody is, what they have, like and follow."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, redirect, request, url_for

from hub.accounts import service
from hub.accounts.models import Namespace, NamespaceKind, User
from hub.accounts.policy import Actor
from hub.accounts.service.avatars import own_picture
from hub.assets.service import feed, follows
from hub.assets.service.collections import list_collections
from hub.assets.service.likes import is_liked_by
from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.words import readdressed
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.lookup import find_renamed
from hub.repos.service import list_repositories
from hub.web.cards import card_views
from hub.web.heatmap import make_heat_map
from hub.web.looks import first_weekday
from hub.web.markdown import render_markdown
from hub.web.pages import render_page
from hub.web.signed_in import require_viewer

blueprint = Blueprint("people", __name__)

PER_PAGE = 20
_MAX_ORGANIZATIONS = 50
# Tabs beside those of the kinds.
OVERVIEW, COLLECTIONS, FOLLOWERS, FOLLOWING = "overview", "collections", "followers", "following"


@blueprint.get("/<owner:namespace>")
def show_namespace(namespace: str) -> Response:
    """Whoever has that name, a user or an organisation, as other hubs' addresses say it."""
    with reading(current_context()) as work:
        found = service.get_namespace(work, namespace)
        return redirect(namespace_url(found), 302)  # type: ignore[return-value]  # werkzeug's type is wider


def namespace_url(namespace: Namespace) -> str:
    """The page of a user or organisation."""
    if namespace.kind == NamespaceKind.USER:
        return url_for("people.show_profile", username=namespace.path)
    return url_for("organization_pages.show_organization", namespace=namespace.path)


def kind_of_tab(tab: str) -> RepositoryKind | None:
    """The kind whose repositories a tab shows."""
    return next((kind for kind in current_context()[KINDS].values() if kind.collection == tab), None)


@blueprint.get("/profile/<username>")
def show_profile(username: str) -> Response:
    """Somebody's profile. ``tab``: overview, a kind of asset, collections, followers or following."""
    viewer = current_actor()
    tab = request.args.get("tab", OVERVIEW)
    with reading(current_context()) as work:
        user = _find(work, viewer, username)
        namespace = user.namespace
        organizations = service.list_user_organizations(
            work, actor=viewer, user=user, page=PageArgs(per=_MAX_ORGANIZATIONS)
        ).items
        values = _tab_values(work, viewer, user, tab)
        state = follows.follow_state(work, actor=viewer, namespace=namespace)
        followed = follows.list_followed(work, user=user, page=PageArgs(per=1)).total
    return render_page(
        "people/profile.html",
        page="U1",
        user=user,
        namespace=namespace,
        is_own=viewer.user_id == user.id,
        picture=own_picture(user.avatar),
        bio=render_markdown(user.bio, is_breaks=True),
        organizations=[(organization, own_picture(organization.logo)) for organization, _ in organizations],
        follow=state,
        followed=followed,
        tab=tab,
        **values,
    )


def _find(work: UnitOfWork, viewer: Actor, username: str) -> User:
    """The user; raises NotFound, or the redirect to the name of today."""
    try:
        user = service.get_visible_user(work, actor=viewer, name=username)
    except NotFound:
        renamed = find_renamed(work, username) if service.find_namespace(work, username) is None else None
        if renamed is not None and renamed.kind == NamespaceKind.USER:
            abort(_to_profile(renamed.path))
        raise
    if user.name != username:
        abort(_to_profile(user.name))
    return user


def _to_profile(name: str) -> Response:
    return redirect(readdressed(2, name), 302)  # type: ignore[return-value]  # werkzeug's type is wider


def _tab_values(work: UnitOfWork, viewer: Actor, user: User, tab: str) -> dict[str, Any]:
    args = page_args(default=PER_PAGE)
    kind = kind_of_tab(tab)
    if kind is not None or tab == OVERVIEW:
        found = list_repositories(work, actor=viewer, kind=kind.name if kind else None, namespace=user.name, page=args)
        values: dict[str, Any] = {"cards": card_views(work, viewer, found.items), "total": found.total}
        if tab == OVERVIEW and args.page == 1:
            days = feed.count_by_day(work, actor=viewer, user=user)
            values["heat_map"] = make_heat_map(days, work.now().date(), first_weekday=first_weekday())
    elif tab == COLLECTIONS:
        collections = list_collections(work, actor=viewer, namespace=user.name, page=args)
        values = {"collections": collections.items, "total": collections.total}
    elif tab == FOLLOWERS:
        people = follows.list_followers(work, namespace=user.namespace, page=args)
        values = {"people": [(person.name, person.avatar, False) for person in people.items], "total": people.total}
    elif tab == FOLLOWING:
        followed = follows.list_followed(work, user=user, page=args)
        values = {"people": [_brief(namespace) for namespace in followed.items], "total": followed.total}
    else:
        raise NotFound("There is no such tab.")
    return values | {"args": args, "kind": kind, "state": "ready" if values["total"] else "empty"}


def _brief(namespace: Namespace) -> tuple[str, str, bool]:
    """Path, picture, and whether it is an organisation."""
    organization = namespace.organization
    if organization is not None:
        return namespace.path, organization.logo, True
    return namespace.path, namespace.user.avatar if namespace.user else "", False


@blueprint.get("/profile/likes/<username>")
def show_likes(username: str) -> Response:
    """What somebody likes, by kind; for people who are signed in."""
    viewer = require_viewer()
    args, tab = page_args(default=PER_PAGE), request.args.get("tab", OVERVIEW)
    kind = kind_of_tab(tab)
    with reading(current_context()) as work:
        user = service.get_visible_user(work, actor=viewer, name=username)
        found = list_repositories(
            work,
            actor=viewer,
            kind=kind.name if kind else None,
            where=[is_liked_by(work, actor=viewer, user=user)],
            page=args,
        )
        cards = card_views(work, viewer, found.items)
    return render_page(
        "people/likes.html",
        page="U2",
        state="ready" if cards else "empty",
        user=user,
        is_own=viewer.user_id == user.id,
        cards=cards,
        total=found.total,
        args=args,
        tab=tab,
        kind=kind,
    )
