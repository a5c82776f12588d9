"""What the first page shows of everything, and what of it is remembered: nobody asks for another page as often."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import current_app

from hub.accounts.policy import Actor
from hub.assets.service.collections import list_collections, readable_collections_among
from hub.assets.service.modelmetadata import ALSO
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.rows import RepositoryRow
from hub.repos.service import list_repositories, readable_among
from hub.web.cards import CardView, card_views
from hub.web.collections import CollectionCard, collection_cards
from hub.web.i18n import current_language

# Of each kind, in this order. Source: web UI contract, section 6 (D1).
TRENDING_KINDS = ("model", "dataset", "space")
TRENDING_PER = 8
RECENT_PER = 6
COLLECTIONS_PER = 4
# So long the same is shown to all who are not signed in, in one process.
FOR_S = 5.0


@dataclass(frozen=True)
class Trending:
    """What is trending of a kind. total: how many there are of it, where they were counted."""

    kind: RepositoryKind
    cards: Sequence[CardView]
    total: int = 0
    is_estimate: bool = False


@dataclass(frozen=True)
class Front:
    """The first page: what is trending, what was changed last, collections; own: what the viewer has, if signed in."""

    trending: Sequence[Trending]
    recent: Sequence[CardView]
    collections: Sequence[CollectionCard]
    own: Sequence[CardView] = ()


def find_front(work: UnitOfWork, viewer: Actor) -> Front:
    """The first page of a viewer.

    Of what is remembered only that is shown which everybody may still see.
    """
    if not viewer.is_anonymous:
        return _read(work, viewer)
    kept: dict[str, tuple[float, Front]] = current_app.extensions.setdefault("hub_front", {})
    until, front = kept.get(language := current_language(), (0.0, None))
    if front is not None and time.monotonic() < until:
        return _still_seen(work, viewer, front)
    front = _read(work, viewer)
    if front.recent:
        kept[language] = time.monotonic() + FOR_S, front
    return front


def _read(work: UnitOfWork, viewer: Actor) -> Front:
    found: list[tuple[RepositoryKind, Page[RepositoryRow]]] = []
    for kind in work.context[KINDS].values():
        is_shown = kind.name in TRENDING_KINDS
        # How many there are is told to those who come by.
        if is_shown or viewer.is_anonymous:
            page = list_repositories(
                work,
                actor=viewer,
                kind=kind.name,
                sort="trending",
                also=ALSO,
                page=PageArgs(per=TRENDING_PER if is_shown else 1),
                with_total=viewer.is_anonymous,
            )
            found.append((kind, page if is_shown else Page((), page.total, page.is_estimate)))
    recent = _changed_last(work, viewer)
    own = [] if viewer.is_anonymous else _changed_last(work, viewer, namespace=viewer.name)
    rows = [*(row for _kind, page in found for row in page.items), *recent, *own]
    cards = {view.shown.id: view for view in card_views(work, viewer, rows)}
    collections = list_collections(work, actor=viewer, sort="trending", page=PageArgs(per=COLLECTIONS_PER))
    return Front(
        [Trending(kind, [cards[row.id] for row in page.items], page.total, page.is_estimate) for kind, page in found],
        [cards[row.id] for row in recent],
        collection_cards(work, viewer, collections.items),
        [cards[row.id] for row in own],
    )


def _changed_last(work: UnitOfWork, viewer: Actor, *, namespace: str | None = None) -> Sequence[RepositoryRow]:
    page = PageArgs(per=RECENT_PER)
    return list_repositories(work, actor=viewer, namespace=namespace, also=ALSO, page=page, with_total=False).items


def _still_seen(work: UnitOfWork, viewer: Actor, front: Front) -> Front:
    """What is left of it: it may have been hidden or deleted this moment. Two queries."""
    cards = {view.shown.id for view in (*front.recent, *(view for one in front.trending for view in one.cards))}
    seen = readable_among(work, actor=viewer, ids=cards)
    ids = [card.collection.id for card in front.collections]
    collections = readable_collections_among(work, actor=viewer, ids=ids)
    if len(seen) == len(cards) and len(collections) == len(ids):
        return front
    return Front(
        [replace(one, cards=[view for view in one.cards if view.shown.id in seen]) for one in front.trending],
        [view for view in front.recent if view.shown.id in seen],
        [card for card in front.collections if card.collection.id in collections],
    )
