"""Collections: their list, each with what is in it, and the form for a new one."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.accounts.service.namespaces import list_namespaces_for_new
from hub.assets.search.service import search_quickly
from hub.assets.service.collections import SORTS, collection_access_of, get_collection, list_collections
from hub.assets.service.follows import collection_follow_state
from hub.assets.service.items import count_items, items_of, places_of
from hub.base.errors import Invalid
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import KINDS
from hub.repos.rows import RepositoryRow
from hub.web.cards import CardView, card_views
from hub.web.collections import collection_cards
from hub.web.pages import render_page, wants_part
from hub.web.signed_in import require_viewer

blueprint = Blueprint("collection_pages", __name__)

# What a database can have as a row's id.
_ID = "int(min=1, max=9223372036854775807)"

PER_PAGE = 20


def _sorts() -> dict[str, str]:
    titles = (gettext("Trending"), gettext("Recently updated"), gettext("Most likes"))
    return dict(zip(SORTS, titles, strict=True))


@blueprint.get("/collections")
def show_collections() -> Response:
    """The collections that the viewer may see. ``search``, ``sort``."""
    viewer, args = current_actor(), page_args(default=PER_PAGE)
    search, sort = request.args.get("search", ""), request.args.get("sort") or SORTS[0]
    with reading(current_context()) as work:
        found = list_collections(work, actor=viewer, search=search, sort=sort, page=args)
        cards = collection_cards(work, viewer, found.items)
    return render_page(
        "collections/_cards.html" if wants_part() else "collections/list.html",
        page="C1",
        state="ready" if cards else "empty",
        cards=cards,
        found=found,
        args=args,
        sorts=_sorts(),
        sort=sort,
        search=search,
    )


@blueprint.get("/collections/new")
def new_collection() -> Response:
    """The form for a new collection. ``namespace``: what it begins with."""
    viewer = require_viewer()
    with reading(current_context()) as work:
        namespaces = list_namespaces_for_new(work, actor=viewer)
    chosen = request.args.get("namespace", viewer.name)
    return render_page("collections/new.html", page="N3", namespaces=namespaces, chosen=chosen)


@dataclass(frozen=True)
class Item:
    """Something in a collection. place: from 1; for who may change the collection what they do not see counts, too."""

    card: CardView
    remark: str
    place: int


@blueprint.get(f"/collections/<{_ID}:collection_id>")
def show_collection(collection_id: int) -> Response:
    """A collection. ``add``: words by which repositories are looked for that could be put into it."""
    viewer = current_actor()
    if wants_part() and "add" in request.args:
        return _show_candidates(collection_id)
    with reading(current_context()) as work:
        collection = get_collection(work, actor=viewer, collection_id=collection_id)
        [card] = collection_cards(work, viewer, [collection])
        access = collection_access_of(work, actor=viewer, collections=[collection])[collection.id]
        follow = collection_follow_state(work, actor=viewer, collection_id=collection.id)
        found = items_of(work, actor=viewer, collection_ids=[collection.id]).get(collection.id, [])
        views = card_views(work, viewer, [item.repository for item in found])
        # Of what others keep to themselves not even the number is told to who only looks.
        places, hidden = {item.repository_id: at for at, item in enumerate(found, 1)}, 0
        if access.can_write:
            hidden = count_items(work, collection_id=collection.id) - len(found)
            places = places_of(work, collection_id=collection.id)
    items = [Item(view, item.remark, places[item.repository_id]) for view, item in zip(views, found, strict=True)]
    chosen = request.args.get("kind", "")
    return render_page(
        "collections/collection.html",
        page="C2",
        state="ready" if items else "empty",
        card=card,
        collection=collection,
        access=access,
        follow=follow,
        items=[item for item in items if chosen in ("", item.card.kind.name)],
        total=len(items),
        hidden=hidden,
        chosen=chosen,
    )


def _show_candidates(collection_id: int) -> Response:
    viewer, text = current_actor(), request.args["add"].strip()
    with reading(current_context()) as work:
        get_collection(work, actor=viewer, collection_id=collection_id)
        try:
            sections = search_quickly(work, actor=viewer, text=text).sections
        except Invalid:
            sections = ()
        rows = [row for section in sections for row in section.items if isinstance(row, RepositoryRow)]
        there = {
            item.repository_id
            for item in items_of(work, actor=viewer, collection_ids=[collection_id]).get(collection_id, [])
        }
        kinds = {kind.name: kind for kind in work.context[KINDS].values()}
    found = [(row, kinds[row.kind], row.id in there) for row in rows]
    return render_page("collections/_candidates.html", collection_id=collection_id, found=found, text=text)
