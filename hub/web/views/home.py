"""The first page, and what is trending."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.accounts.policy import Actor
from hub.assets.service.feed import read_feed
from hub.assets.service.modelmetadata import ALSO
from hub.assets.service.rising import PERIODS, list_rising
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.community.service.notifications import list_notifications
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import KINDS
from hub.web.cards import card_views
from hub.web.front import Trending, find_front
from hub.web.pages import render_page, wants_part
from hub.web.signed_in import require_viewer

blueprint = Blueprint("home", __name__)

FEED_PER = 20
EXPLORED_PER = 12


@blueprint.get("/")
def show_home() -> Response:
    """What is new and much used, and of who is signed in what they work on.

    ``part=feed``: what others did, and what is unread, which come after the rest.
    """
    viewer = current_actor()
    if wants_part() and request.args.get("part") == "feed":
        return _show_feed(require_viewer())
    with reading(current_context()) as work:
        front = find_front(work, viewer)
    settings = current_context().settings
    return render_page(
        "home.html",
        page="D1",
        state="ready" if front.recent else "empty",
        home_title=settings.home_title,
        home_text=settings.home_text,
        **vars(front),
    )


def _show_feed(viewer: Actor) -> Response:
    with reading(current_context()) as work:
        feed = read_feed(work, actor=viewer, per=FEED_PER)
        unread = list_notifications(work, actor=viewer, is_unread_only=True, page=PageArgs(per=5))
        return render_page("discover/_feed.html", feed=feed, unread=unread)


@blueprint.get("/explore")
def show_trending() -> Response:
    """What was used and liked most in a day, week or month (``period``), of one kind (``kind``) or of each."""
    period, chosen = request.args.get("period") or "week", request.args.get("kind", "")
    if period not in PERIODS:
        raise Invalid(gettext("There is no such period."), code="REQ-ERR-6", query="period", allowed=[*PERIODS])
    viewer = current_actor()
    with reading(current_context()) as work:
        kinds = [kind for kind in work.context[KINDS].values() if chosen in ("", kind.name)]
        per = EXPLORED_PER * 4 if chosen else EXPLORED_PER
        names = [kind.name for kind in kinds]
        found = list_rising(work, actor=viewer, kinds=names, period=period, per=per, also=ALSO)
        cards = {
            view.shown.id: view for view in card_views(work, viewer, [row for rows in found.values() for row in rows])
        }
    sections = [Trending(kind, [cards[row.id] for row in found[kind.name]]) for kind in kinds if found[kind.name]]
    return render_page(
        "discover/explore.html",
        page="D3",
        state="ready" if sections else "empty",
        sections=sections,
        periods={"day": gettext("Day"), "week": gettext("Week"), "month": gettext("Month")},
        period=period,
        chosen=chosen,
    )
