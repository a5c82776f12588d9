"""The search over everything: its page, and what the box of the bar finds while somebody types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext
from sqlalchemy.exc import SQLAlchemyError

from hub.accounts.policy import Actor
from hub.assets.search.facets import USUAL, Facet, find_facets
from hub.assets.search.filters import conditions_of
from hub.assets.search.grammar import LABEL_FILTERS, Query, parse_query
from hub.assets.search.repositories import MAX_REACHED, RELEVANCE
from hub.assets.search.service import ALL, Answer, Section, search, search_quickly, type_of_kind, types_of
from hub.base.errors import Invalid
from hub.base.log import get_logger
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.errors import request_id
from hub.http.paging import page_args
from hub.repos.kinds import KINDS, RepositoryKind
from hub.web.cards import CardView, card_views
from hub.web.collections import collection_cards
from hub.web.filters import titles
from hub.web.kinds import plural_title
from hub.web.label_titles import label_title
from hub.web.pages import render_page, wants_part, with_query

blueprint = Blueprint("search_pages", __name__)
log = get_logger(__name__)

PER_PAGE = 20
# What is counted up to so many is told as "50+".
_COUNTED = 50
# Of each category beside the results.
_SHOWN_VALUES = 6
_KEYS = {category: key for key, category in reversed(LABEL_FILTERS.items())}


@dataclass(frozen=True)
class Tab:
    """A type that can be searched. count: how many were found, in words; "": not known."""

    name: str
    title: str
    url: str
    is_chosen: bool
    count: str = ""


@dataclass(frozen=True)
class Found:
    """What was found of one type, as the page shows it. items: cards of repositories or collections, else as found."""

    section: Section
    title: str
    url: str
    kind: RepositoryKind | None
    items: Sequence[Any]


@dataclass(frozen=True)
class Word:
    """A value of a facet as a word of the query. url: of the search with it, or without it where it is there."""

    title: str
    count: int
    is_chosen: bool
    url: str


@dataclass(frozen=True)
class WordFacet:
    title: str
    words: Sequence[Word]
    is_estimate: bool


@blueprint.get("/search")
def show_search() -> Response:
    """What ``q`` finds, of one type (``type``) or five of each; as a part (``tabs``) how many there are of each."""
    viewer, text = current_actor(), request.args.get("q", "")
    type, sort = request.args.get("type") or ALL, request.args.get("sort") or RELEVANCE
    with reading(current_context()) as work:
        types = _types(work, viewer)
        try:
            if wants_part() and request.args.get("tabs"):
                answer = search(work, actor=viewer, text=text)
                return render_page("search/_tabs.html", tabs=_tabs(types, type, answer))
            args = page_args(default=PER_PAGE)
            answer = search(work, actor=viewer, text=text, type=type, sort=sort, page=args)
            found = _found(work, viewer, answer, types)
            facets = _facets(work, viewer, answer)
        except Invalid as error:
            return _render_fault(types, type, text, str(error))
        except SQLAlchemyError:
            log.exception("search_failed")
            message = gettext("Nothing can be searched for at the moment.")
            return _render_fault(types, type, text, message, status=503, request_id=request_id())
    return render_page(
        "search/search.html",
        page="D2",
        state="ready" if answer.total else "empty",
        text=text,
        answer=answer,
        tabs=_tabs(types, type, answer),
        type=type,
        found=[one for one in found if one.items],
        facets=facets,
        dropped=[(one, _without(text, one.text)) for one in answer.dropped if one.total],
        args=args,
        last_page=MAX_REACHED // args.per,
        sorts=_sorts(),
        sort=sort,
    )


def _render_fault(
    types: dict[str, str], type: str, text: str, message: str, *, status: int = 400, **more: Any
) -> Response:
    """A query that cannot be understood, with the way to mend it; or one that cannot be answered now."""
    values: dict[str, Any] = {
        "tabs": _tabs(types, type),
        "type": type,
        "found": [],
        "facets": [],
        "dropped": [],
        **more,
    }
    return render_page(
        "search/search.html", status=status, page="D2", state="error", text=text, message=message, answer=None, **values
    )


@blueprint.get("/search/quick")
def show_quick() -> Response:
    """The options of the bar's box for what was typed into it (``q``)."""
    viewer, text = current_actor(), request.args.get("q", "").strip()
    with reading(current_context()) as work:
        try:
            answer = search_quickly(work, actor=viewer, text=text)
        except Invalid:
            answer = Answer(text, ALL, ())
        found = _found(work, viewer, answer, _types(work, viewer), with_cards=False)
    return render_page("search/_quick.html", text=text, found=found)


def _types(work: UnitOfWork, viewer: Actor) -> dict[str, str]:
    """The types that the viewer can search, each with the title of its tab."""
    names = {type_of_kind(kind): plural_title(kind) for kind in work.context[KINDS].values()}
    names |= {
        ALL: gettext("All"),
        "collections": gettext("Collections"),
        "users": gettext("People"),
        "organizations": gettext("Organisations"),
        "code": gettext("Files"),
        "discussions": gettext("Discussions"),
    }
    return {
        type: names.get(type) or gettext(title)
        for type, title in types_of(work).items()
        if type != "users" or not viewer.is_anonymous
    }


def _sorts() -> dict[str, str]:
    return {
        RELEVANCE: gettext("Best match"),
        "trending": gettext("Trending"),
        "recently_update": gettext("Recently updated"),
        "most_download": gettext("Most downloads"),
        "most_favorite": gettext("Most likes"),
    }


def _tabs(types: dict[str, str], chosen: str, answer: Answer | None = None) -> list[Tab]:
    counts = {section.type: _count_of(section) for section in (answer.sections if answer else ())}
    return [
        Tab(
            type,
            title,
            with_query(type=None if type == ALL else type, sort=None, tabs=None),
            type == chosen,
            counts.get(type, ""),
        )
        for type, title in types.items()
    ]


def _count_of(section: Section) -> str:
    if section.is_estimate and section.total >= _COUNTED:
        return f"{_COUNTED}+" if section.total <= _COUNTED + 1 else f"~{section.total:,}"
    return str(section.total)


def _found(
    work: UnitOfWork, viewer: Actor, answer: Answer, names: dict[str, str], *, with_cards: bool = True
) -> list[Found]:
    """names: the titles of the types."""
    kinds = {type_of_kind(kind): kind for kind in work.context[KINDS].values()}
    cards: dict[int, CardView] = {}
    if with_cards:
        rows = [row for section in answer.sections if section.type in kinds for row in section.items]
        cards = {view.shown.id: view for view in card_views(work, viewer, rows)}
    found = []
    for section in answer.sections:
        items: Sequence[Any] = section.items
        if with_cards and section.type in kinds:
            items = [replace(cards[row.id], note=section.snippets.get(row.id, "")) for row in items]
        elif section.type == "collections":
            items = collection_cards(work, viewer, items)
        title, url = names.get(section.type, section.title), with_query(type=section.type)
        found.append(Found(section, title, url, kinds.get(section.type), items))
    return found


def _facets(work: UnitOfWork, viewer: Actor, answer: Answer) -> list[WordFacet]:
    """What else one may ask of a kind's repositories, as words of the query."""
    kind = next((kind for kind in work.context[KINDS].values() if type_of_kind(kind) == answer.type), None)
    if kind is None or not answer.query.strip() or not answer.total:
        return []
    query = parse_query(answer.corrected or answer.query)
    others = [one for one in query.filters if not one.key.startswith("label:") or one.is_negated]
    labels = [one for one in query.filters if one not in others]
    found = find_facets(
        work,
        actor=viewer,
        kind=kind.name,
        search=" ".join(term.text for term in query.words),
        where=[one.by_index for one in conditions_of(work, others, [kind.name])],
        choices=[(one.key.removeprefix("label:"), one.values) for one in labels],
        categories=USUAL,
    )
    return [_word_facet(query, facet) for facet in found if len(facet.values) > 1]


def _word_facet(query: Query, facet: Facet) -> WordFacet:
    category, key = facet.category, _KEYS[facet.category]
    chosen = {value: one for one in query.filters if one.key == f"label:{category}" for value in one.values}
    words = []
    for value in facet.values[:_SHOWN_VALUES]:
        name = f'"{value.name}"' if " " in value.name else value.name
        mine = chosen.get(value.name)
        text = _without(query.text, mine.text) if mine else f"{query.text} {key}:{name}"
        title = label_title(category, value.name, value.show_name)
        words.append(Word(title, value.count, mine is not None, with_query(q=text)))
    return WordFacet(titles().get(category, category), words, facet.is_estimate)


def _without(text: str, part: str) -> str:
    """The query without one of its filters."""
    return " ".join(text.replace(part, "", 1).split())
