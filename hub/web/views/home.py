"""The first page, and what is trending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.accounts.policy import Actor
from hub.assets.service.collections import list_collections
from hub.assets.service.feed import read_feed
from hub.assets.service.modelmetadata import ALSO
from hub.assets.service.rising import PERIODS, list_rising
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.community.service.notifications import list_notifications
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.service import list_repositories
from hub.web.cards import CardView, card_views
from hub.web.collections import CollectionCard, collection_cards
from hub.web.pages import render_page, wants_part
from hub.web.signed_in import require_viewer

blueprint = Blueprint("home", __name__)

# Of each kind on the first page, in this order. Source: web UI contract, section 6 (D1).
TRENDING_KINDS = ("model", "dataset", "space")
TRENDING_PER = 8
RECENT_PER = 6
FEED_PER = 20
COLLECTIONS_PER = 4
EXPLORED_PER = 12


@dataclass(frozen=True)
class Trending:
    """What is trending of a kind, and how many there are of it in all."""

    kind: RepositoryKind
    cards: Sequence[CardView]
    total: int = 0
    is_estimate: bool = False


@blueprint.get("/")
def show_home() -> Response:
    """What is new and much used, and of who is signed in what they work on.

    ``part=feed``: what others did, and what is unread, which come after the rest.
    """
    viewer = current_actor()
    if wants_part() and request.args.get("part") == "feed":
        return _show_feed(require_viewer())
    with reading(current_context()) as work:
        trending = _trending(work, viewer)
        own = _recent(work, viewer, namespace=viewer.name) if not viewer.is_anonymous else []
        recent = _recent(work, viewer)
        featured = _featured(work, viewer)
    return render_page(
        "home.html",
        page="D1",
        state="ready" if recent else "empty",
        trending=trending,
        own=own,
        recent=recent,
        collections=featured,
    )


def _trending(work: UnitOfWork, viewer: Actor) -> list[Trending]:
    found = []
    for kind in work.context[KINDS].values():
        per = TRENDING_PER if kind.name in TRENDING_KINDS else 1
        page = list_repositories(work, actor=viewer, kind=kind.name, sort="trending", also=ALSO, page=PageArgs(per=per))
        found.append((kind, page))
    shown = [row for kind, page in found if kind.name in TRENDING_KINDS for row in page.items]
    cards = {view.shown.id: view for view in card_views(work, viewer, shown)}
    return [
        Trending(kind, [cards[row.id] for row in page.items if row.id in cards], page.total, page.is_estimate)
        for kind, page in found
    ]


def _recent(work: UnitOfWork, viewer: Actor, *, namespace: str | None = None) -> list[CardView]:
    found = list_repositories(work, actor=viewer, namespace=namespace, also=ALSO, page=PageArgs(per=RECENT_PER))
    return card_views(work, viewer, found.items)


def _featured(work: UnitOfWork, viewer: Actor) -> list[CollectionCard]:
    found = list_collections(work, actor=viewer, sort="trending", page=PageArgs(per=COLLECTIONS_PER))
    return collection_cards(work, viewer, found.items)


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
