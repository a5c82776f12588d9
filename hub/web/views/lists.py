"""The lists of repositories: one page for all kinds, with their filters in its address."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, request
from flask.sansio.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError

from hub.assets.search.facets import find_facets
from hub.assets.search.listing import SOURCES, VISIBILITIES, choices_of, conditions_of, has_owner, source_asked
from hub.assets.service.modelmetadata import ALSO
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.base.log import get_logger
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.errors import request_id
from hub.http.paging import page_args
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.models import Repository
from hub.repos.service import list_repositories
from hub.web.cards import card_views
from hub.web.filters import SIZES, FacetView, categories_of, chips, facet_keys, facet_views, read_filters, size_span
from hub.web.i18n import gettext
from hub.web.pages import VIEW_COOKIE, render_page, wants_part, with_query
from hub.web.routing import KIND

blueprint = Blueprint("lists", __name__)
log = get_logger(__name__)

PER_PAGE = 20
DEFAULT_SORT = "trending"
SHAPES = ("cards", "table")


@blueprint.record
def _add_addresses(state: BlueprintSetupState) -> None:
    """Each kind's list at its own words, which come before what any word may stand for: a namespace."""
    context: Context = state.app.url_map.converters["pages"].context  # type: ignore[attr-defined]
    for kind in context[KINDS].values():
        state.add_url_rule(f"/{kind.page_path}", f"list_of_{kind.name}", partial(show_list, kind))


def sorts() -> dict[str, str]:
    """The orders of a list, each with its title."""
    return {
        "trending": gettext("Trending"),
        "recently_update": gettext("Recently updated"),
        "recently_create": gettext("Newest"),
        "most_download": gettext("Most downloads"),
        "most_favorite": gettext("Most likes"),
        "most_likes7d": gettext("Most likes this week"),
        "size": gettext("Largest"),
        "name": gettext("By name"),
    }


@blueprint.get(KIND)
def show_list(kind: RepositoryKind) -> Response:
    """The repositories of a kind that the viewer may see, with counts beside the filters.

    ``facet``: the key of a facet that is shown with all of its values, of which ``find`` names a part.
    """
    try:
        values = _read(kind)
    except Invalid as error:
        values = _fault(kind, 400, str(error))
    except SQLAlchemyError:
        log.exception("list_failed", kind=kind.name)
        values = _fault(kind, 503, gettext("This list cannot be read at the moment."), request_id=request_id())
    template = "discover/_listing.html" if wants_part() else "discover/list.html"
    return render_page(
        template,
        page="D4",
        kind=kind,
        sorts=sorts(),
        sort=request.args.get("sort") or DEFAULT_SORT,
        shape=_shape(),
        sizes=SIZES,
        size_span=size_span(),
        sources=SOURCES,
        visibilities=VISIBILITIES,
        cleared=with_query(**dict.fromkeys(request.args)),
        **values,
    )


def _shape() -> str:
    """How the list is shown: as the address says, else as this browser was last told."""
    asked = (request.args.get("view"), request.cookies.get(VIEW_COOKIE))
    return next((name for name in asked if name in SHAPES), SHAPES[0])


def _fault(kind: RepositoryKind, status: int, message: str, **more: Any) -> dict[str, Any]:
    """What stands where the list would; its filters stay as they are."""
    shown = {"facets": [], "cards": [], "chips": chips(kind, []), **more}
    return {"state": "error", "status": status, "message": message, **shown}


def _read(kind: RepositoryKind) -> dict[str, Any]:
    query, viewer, args = read_filters(kind), current_actor(), page_args(default=PER_PAGE)
    with reading(current_context()) as work:
        found = list_repositories(
            work,
            actor=viewer,
            kind=kind.name,
            namespace=query["author"] or None,
            search=query["search"],
            sort=request.args.get("sort") or DEFAULT_SORT,
            source=source_asked(query),
            where=conditions_of(work, actor=viewer, kind=kind, query=query),
            also=ALSO,
            page=args,
        )
        cards = card_views(work, viewer, found.items)
        facets = _facets(work, kind, query)
    chosen = chips(kind, facets)
    return {
        "state": "ready" if cards else "empty",
        "found": found,
        "args": args,
        "cards": cards,
        "facets": facets,
        "chips": chosen,
    }


def _facets(work: UnitOfWork, kind: RepositoryKind, query: dict[str, Any]) -> list[FacetView]:
    viewer, whole = current_actor(), request.args.get("facet", "")
    where = conditions_of(work, actor=viewer, kind=kind, query=query, with_short_keys=False)
    where += has_owner(query["author"])
    if (source := source_asked(query)) is not None:
        where.append(Repository.source == source)
    found = find_facets(
        work,
        actor=viewer,
        kind=kind.name,
        search=query["search"],
        where=where,
        choices=choices_of(kind, query),
        categories=categories_of(kind),
        containing=request.args.get("find", "") if whole in facet_keys(kind) else "",
    )
    return facet_views(kind, found, whole=whole)
