"""REST of the search over everything, and of the counts beside lists. Pages: web UI contract, sections 6 and 6.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response
from marshmallow import INCLUDE

from hub.accounts.policy import Actor
from hub.api import search_schemas as schemas
from hub.api.account_views import organization_view, public_user_view
from hub.api.collection_views import MAX_SHOWN_IN_LIST, collection_views
from hub.api.envelope import enveloped, ok, send_json
from hub.api.queries import conditions_of
from hub.api.repository_schemas import FacetsQuery
from hub.api.views import brief_repository_view, repository_views
from hub.assets.search.choices import values_of
from hub.assets.search.code import CodeHit
from hub.assets.search.facets import find_facets
from hub.assets.search.listing import choices_of, source_asked
from hub.assets.search.service import ALL, Answer, Section, search, search_quickly
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import COLLECTION, PREFIX, ApiBlueprint
from hub.repos.finding import Hit
from hub.repos.kinds import RepositoryKind
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow

blp = ApiBlueprint("search", __name__, url_prefix=PREFIX, description="Search over everything")

DEFAULT_PER = 20


@blp.get("/search")
@blp.arguments(schemas.SearchQuery, location="query")
@blp.response(200, enveloped(schemas.SearchSchema))
def search_all(query: dict[str, Any]) -> Response:
    """What a text finds, as far as the caller may see it: five of each type with counts, or a page of one type.

    Names come first, then descriptions, then what cards say; of what fits equally, what is trending. Where nothing is
    found, a slip of the pen is put right (``corrected_query``), and each filter is told with what it keeps away.
    """
    actor = current_actor()
    page = page_args(default=DEFAULT_PER)
    with reading(current_context()) as work:
        found = search(work, actor=actor, text=query["q"], type=query["type"], sort=query["sort"], page=page)
        return send_json(ok(_answer_view(work, actor, found)))


@blp.get("/search/quick")
@blp.arguments(schemas.QuickQuery, location="query")
@blp.response(200, enveloped(schemas.SearchSchema))
def search_quick(query: dict[str, Any]) -> Response:
    """Five of each type while somebody types: by names and descriptions, and nothing is counted."""
    actor = current_actor()
    with reading(current_context()) as work:
        found = search_quickly(work, actor=actor, text=query["q"])
        return send_json(ok(_answer_view(work, actor, found)))


def _answer_view(work: UnitOfWork, actor: Actor, found: Answer) -> dict[str, Any]:
    view: dict[str, Any] = {
        "query": found.query,
        "type": found.type,
        "total": found.total,
        "sections": [_section_view(work, actor, section, found.type == ALL) for section in found.sections],
        "dropped": [
            {"filter": one.text, "total": one.total, "total_is_estimate": one.is_estimate} for one in found.dropped
        ],
    }
    return view | {"corrected_query": found.corrected} if found.corrected else view


def _section_view(work: UnitOfWork, actor: Actor, section: Section, is_brief: bool) -> dict[str, Any]:
    return {
        "type": section.type,
        "title": section.title,
        "total": section.total,
        "total_is_estimate": section.is_estimate,
        "items": _items_view(work, actor, section, is_brief),
    }


def _items_view(work: UnitOfWork, actor: Actor, section: Section, is_brief: bool) -> list[dict[str, Any]]:
    items = section.items
    if section.type == "collections":
        return collection_views(work, actor, items, most_each=1 if is_brief else MAX_SHOWN_IN_LIST)
    if section.type == "users":
        return [public_user_view(user) for user in items]
    if section.type == "organizations":
        return [organization_view(organization) for organization in items]
    if section.type == "code":
        return [_code_view(hit) for hit in items]
    if items and isinstance(items[0], Hit):
        return [_hit_view(hit) for hit in items]
    return _repositories_view(work, actor, section, items, is_brief)


def _repositories_view(
    work: UnitOfWork, actor: Actor, section: Section, items: Sequence[RepositoryRow], is_brief: bool
) -> list[dict[str, Any]]:
    views = [brief_repository_view(row) for row in items] if is_brief else repository_views(work, actor, items)
    for view, row in zip(views, items, strict=True):
        view["match"] = section.matches.get(row.id, "")
        view["snippet"] = section.snippets.get(row.id, "")
    return views


def _code_view(hit: CodeHit) -> dict[str, Any]:
    return {
        "repository_id": hit.repository_id,
        "repository_type": hit.kind,
        "repository": hit.repository,
        "path": hit.path,
        "branch": hit.branch,
        "blob_id": hit.blob_id,
        "lines": [{"number": number, "text": text} for number, text in hit.lines],
    }


def _hit_view(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "title": hit.title,
        "repository_type": hit.kind,
        "repository": hit.path,
        "number": hit.number,
        "state": hit.state,
        "author": hit.author,
        "updated_at": hit.updated_at,
    }


@blp.get(f"{COLLECTION}/facets")
@blp.arguments(FacetsQuery, location="query", unknown=INCLUDE)
@blp.response(200, enveloped(schemas.FacetSchema, many=True))
def list_facets(query: dict[str, Any], kind: RepositoryKind) -> Response:
    """How many repositories of a list carry each label: of a category, under the list's other filters.

    Takes what the list takes. Of very many repositories a sample is looked at, which each facet says.
    """
    with reading(current_context()) as work:
        where = conditions_of(work, kind, query, with_short_keys=False)
        if (source := source_asked(query)) is not None:
            where.append(Repository.source == source)
        facets = find_facets(
            work,
            actor=current_actor(),
            kind=kind.name,
            search=query["search"],
            where=where,
            choices=choices_of(kind, query),
            categories=values_of(query["categories"]),
        )
    return send_json(
        ok(
            [
                {
                    "category": facet.category,
                    "total": facet.total,
                    "count_is_estimate": facet.is_estimate,
                    "sample_size": facet.sample_size,
                    "values": [
                        {
                            "name": value.name,
                            "show_name": value.show_name,
                            "group": value.group,
                            "count": value.count,
                            "selected": value.is_chosen,
                        }
                        for value in facet.values
                    ],
                }
                for facet in facets
            ]
        )
    )
