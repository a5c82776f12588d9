"""One search over everything: what was typed, of which types, and what was found of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from hub.accounts.policy import Actor
from hub.assets.models_search import SearchCard
from hub.assets.search.code import find_code
from hub.assets.search.filters import conditions_of, kinds_asked
from hub.assets.search.grammar import Query, parse_query
from hub.assets.search.people import find_organizations, find_users
from hub.assets.search.ranking import CARD
from hub.assets.search.repositories import (
    RELEVANCE,
    Found,
    check_page,
    count_found,
    find_of_each_kind,
    find_repositories,
    tiers_of,
)
from hub.assets.search.spelling import suggest
from hub.assets.search.texts import snippet_of
from hub.assets.service.collections import list_collections
from hub.base.errors import Invalid, NotSignedIn
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.finding import PROVIDERS, Wanted
from hub.repos.kinds import KINDS, RepositoryKind

ALL = "all"
# Of each type, where all are asked for.
MAX_OF_EACH = 5
OTHER_TYPES = {"collections": "Collections", "users": "Users", "organizations": "Organisations", "code": "Code"}


@dataclass(frozen=True)
class Section:
    """What was found of one type. items: repositories' rows, collections, accounts, ``CodeHit`` or ``Hit``.

    matches, snippets: of repositories, by their id: where the words were found, and the piece of the card.
    """

    type: str
    title: str
    items: Sequence[Any] = ()
    total: int = 0
    is_estimate: bool = False
    matches: dict[int, str] = field(default_factory=dict)
    snippets: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """A filter of a search that found nothing, and how many repositories there are without it."""

    text: str
    total: int
    is_estimate: bool


@dataclass(frozen=True)
class Answer:
    """What a search gives. corrected: the query that was answered instead, where the one asked finds nothing."""

    query: str
    type: str
    sections: Sequence[Section]
    corrected: str = ""
    dropped: Sequence[Dropped] = ()

    @property
    def total(self) -> int:
        return sum(section.total for section in self.sections)


def type_of_kind(kind: RepositoryKind) -> str:
    """What a kind's repositories are called as a type of things to search."""
    return kind.api_collection or kind.collection


def types_of(work: UnitOfWork) -> dict[str, str]:
    """The types that can be searched, each with its title."""
    kinds = {type_of_kind(kind): kind.title for kind in work.context[KINDS].values()}
    providers = {provider.name: provider.title for provider in work.context[PROVIDERS].values()}
    return {ALL: "All"} | kinds | OTHER_TYPES | providers


def search(
    work: UnitOfWork, *, actor: Actor, text: str, type: str = ALL, sort: str = RELEVANCE, page: PageArgs | None = None
) -> Answer:
    """What a text finds. type: of ``types_of``; "all" for the first ``MAX_OF_EACH`` of each. page: of one type only.

    A bounded number of queries, whatever is found. Where nothing is, words are put right and searched for once more,
    and each filter is told with what there is without it.
    Raises Invalid (``query_invalid``, ``REQ-ERR-6``); NotSignedIn for an anonymous look at users.
    """
    query, page = parse_query(text), page or PageArgs(per=20)
    types = types_of(work)
    if type not in types:
        raise Invalid(f"'type' must be one of {', '.join(types)}.", code="REQ-ERR-6", query="type", allowed=[*types])
    check_page(sort, page)
    if type == "users" and actor.is_anonymous:
        raise NotSignedIn("Sign in to see the users.")
    if not query.terms and not query.filters:
        return Answer(query.text, type, ())
    answer = Answer(query.text, type, _sections(work, actor, query, type, sort, page))
    if answer.total or page.page > 1:
        return answer
    # Of other types than repositories all names are looked at.
    kinds = kinds_asked(work.context, query.filters, _kinds_of(work, type) or [*work.context[KINDS]])
    if right := suggest(work, actor, query, kinds=kinds):
        second = _sections(work, actor, parse_query(right), type, sort, page)
        if any(section.total for section in second):
            return replace(answer, sections=second, corrected=right)
    return replace(answer, dropped=_dropped(work, actor, query, _kinds_of(work, type)))


def search_quickly(work: UnitOfWork, *, actor: Actor, text: str) -> Answer:
    """The first ``MAX_OF_EACH`` of repositories, organisations, users and collections, while somebody types.

    By names and what is said only, and nothing is counted. Raises Invalid (``query_invalid``).
    """
    query = parse_query(text)
    if not query.words:
        return Answer(query.text, ALL, ())
    sections = [
        *_repositories_of_each(work, actor, query, is_quick=True),
        *_accounts(work, actor, query, PageArgs(per=MAX_OF_EACH)),
        _collections(work, actor, query, PageArgs(per=MAX_OF_EACH)),
    ]
    return Answer(query.text, ALL, [section for section in sections if section.items])


def _kinds_of(work: UnitOfWork, type: str) -> list[str]:
    return [kind.name for kind in work.context[KINDS].values() if type in (ALL, type_of_kind(kind))]


def _sections(work: UnitOfWork, actor: Actor, query: Query, type: str, sort: str, page: PageArgs) -> Sequence[Section]:
    if type == ALL:
        first = PageArgs(per=MAX_OF_EACH)
        return [
            *_repositories_of_each(work, actor, query),
            _collections(work, actor, query, first),
            *_accounts(work, actor, query, first),
            _code(work, actor, query, first),
            *(_of_provider(work, actor, query, name, first) for name in work.context[PROVIDERS]),
        ]
    if kinds := _kinds_of(work, type):
        return [_repositories(work, actor, query, kinds[0], sort, page)]
    match type:
        case "collections":
            return [_collections(work, actor, query, page)]
        case "users":
            return [_section("users", find_users(work, actor, query, page))]
        case "organizations":
            return [_section("organizations", find_organizations(work, query, page))]
        case "code":
            return [_code(work, actor, query, page)]
    return [_of_provider(work, actor, query, type, page)]


def _section(type: str, page: Page[Any], title: str = "") -> Section:
    return Section(type, title or OTHER_TYPES[type], page.items, page.total, page.is_estimate)


def _repositories(work: UnitOfWork, actor: Actor, query: Query, kind: str, sort: str, page: PageArgs) -> Section:
    kinds = kinds_asked(work.context, query.filters, [kind])
    tiers = tiers_of(work, actor, query, conditions_of(work, query.filters, kinds))
    # A filter may ask for others than this kind.
    found = find_repositories(work, tiers, kind=kind, sort=sort, page=page) if kinds else Found((), 0)
    return _section_of(work, query, kind, found)


def _repositories_of_each(work: UnitOfWork, actor: Actor, query: Query, *, is_quick: bool = False) -> list[Section]:
    known = [kind.name for kind in work.context[KINDS].values()]
    kinds = kinds_asked(work.context, query.filters, known)
    tiers = tiers_of(work, actor, query, conditions_of(work, query.filters, kinds), with_cards=not is_quick)
    found = find_of_each_kind(work, tiers, kinds=kinds, most=MAX_OF_EACH, with_counts=not is_quick)
    bodies = _bodies(work, [id for one in found.values() for id in _by_card(one)])
    return [_section_of(work, query, kind, found.get(kind, Found((), 0)), bodies) for kind in known]


def _by_card(found: Found) -> list[int]:
    return [id for id, match in found.matches.items() if match == CARD]


def _section_of(
    work: UnitOfWork, query: Query, kind: str, found: Found, bodies: dict[int, str] | None = None
) -> Section:
    of = work.context[KINDS][kind]
    ids = _by_card(found)
    bodies = _bodies(work, ids) if bodies is None else bodies
    words = [term.text for term in query.words]
    snippets = {id: snippet_of(bodies[id], words) for id in ids if id in bodies}
    matches = dict(found.matches)
    return Section(type_of_kind(of), of.title, found.rows, found.total, found.is_estimate, matches, snippets)


def _bodies(work: UnitOfWork, ids: Sequence[int]) -> dict[int, str]:
    if not ids:
        return {}
    rows = work.rows(select(SearchCard.repository_id, SearchCard.body).where(SearchCard.repository_id.in_(ids)))
    return {id: body for id, body in rows}  # noqa: C416 - rows are no pairs to the type checker


def _owners(query: Query) -> tuple[str, ...] | None:
    """Whose things are asked for; None where there are filters that only repositories know."""
    if any(wanted.key != "owner" or wanted.is_negated for wanted in query.filters):
        return None
    return tuple(value for wanted in query.filters for value in wanted.values)


def _collections(work: UnitOfWork, actor: Actor, query: Query, page: PageArgs) -> Section:
    owners = _owners(query)
    words = " ".join(term.text for term in query.words)
    if owners is None or query.refused or not words:
        return Section("collections", OTHER_TYPES["collections"])
    found = list_collections(work, actor=actor, owners=owners, search=words, sort="most_favorite", page=page)
    return _section("collections", found)


def _accounts(work: UnitOfWork, actor: Actor, query: Query, page: PageArgs) -> list[Section]:
    sections = [_section("organizations", find_organizations(work, query, page))]
    if not actor.is_anonymous:
        sections.append(_section("users", find_users(work, actor, query, page)))
    return sections


def _code(work: UnitOfWork, actor: Actor, query: Query, page: PageArgs) -> Section:
    kinds = kinds_asked(work.context, query.filters, [*work.context[KINDS]])
    conditions = conditions_of(work, query.filters, kinds)
    found = find_code(work, actor, query, [one.by_index for one in conditions], kinds=kinds, page=page)
    return _section("code", found)


def _of_provider(work: UnitOfWork, actor: Actor, query: Query, name: str, page: PageArgs) -> Section:
    provider, owners = work.context[PROVIDERS][name], _owners(query)
    if owners is None:
        return Section(name, provider.title)
    words = tuple(term.text.lower() for term in query.words)
    wanted = Wanted(words, tuple(term.text.lower() for term in query.refused), owners)
    return _section(name, provider.find(work, actor, wanted, page), provider.title)


def _dropped(work: UnitOfWork, actor: Actor, query: Query, known: Sequence[str]) -> list[Dropped]:
    """For each filter how many repositories there are without it, the most first. One query a filter."""
    if not known:
        return []
    conditions = conditions_of(work, query.filters, known)
    found = []
    for at, dropped in enumerate(query.filters):
        others = [*query.filters[:at], *query.filters[at + 1 :]]
        kinds = kinds_asked(work.context, others, known)
        left = [*conditions[:at], *conditions[at + 1 :]]
        total, is_estimate = count_found(work, tiers_of(work, actor, query, left), kinds)
        found.append(Dropped(dropped.text, total, is_estimate))
    return sorted(found, key=lambda one: -one.total)
