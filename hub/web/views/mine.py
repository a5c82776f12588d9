"""The issues and pull requests that concern who is signed in, across repositories."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, request

from hub.community.service.board import ROLES, list_mine
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.words import sent_address
from hub.web.pages import render_page
from hub.web.routing import repository_url
from hub.web.views.community import PER_PAGE, one_of

blueprint = Blueprint("mine", __name__)


@blueprint.get("/issues")
def show_issues() -> Response:
    """Issues: created, assigned, or with one's name in them."""
    return _show("issue")


@blueprint.get("/pulls")
def show_pulls() -> Response:
    """Pull requests: these, and those that one was asked to review."""
    return _show("pull")


def _show(type: str) -> Response:
    viewer, context = current_actor(), current_context()
    if viewer.is_anonymous:
        return redirect(f"/login?{urlencode({'next': sent_address()})}", 302)  # type: ignore[return-value]
    roles = tuple(role for role in ROLES if type == "pull" or role != "review_requested")
    role = one_of("role", roles, "created")
    state = one_of("state", ("open", "closed", "all"), "open")
    repository, asked = request.args.get("repository", ""), page_args(default=PER_PAGE)
    with reading(context) as work:
        board = list_mine(
            work,
            actor=viewer,
            role=role,
            type=type,
            state="" if state == "all" else state,
            repository=repository,
            page=asked,
        )
        places = {one.repository_id: one.repository for one in board.page.items}
        urls = {id: repository_url(context, place.kind, place.path) for id, place in places.items()}
        return render_page(
            "community/mine.html",
            page="I4",
            state="ready" if board.page.items else "empty",
            type=type,
            roles=roles,
            role=role,
            shown_state=state,
            repository=repository,
            board=board,
            asked=asked,
            urls=urls,
        )
