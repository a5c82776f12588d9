"""Rendering pages: a theme's templates, and what every page shows besides its own content."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, render_template, url_for
from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import Markup
from werkzeug.routing import BuildError

from hub import __version__
from hub.accounts.policy import ANONYMOUS, Actor
from hub.base.dotted import load_dotted
from hub.base.errors import HubError
from hub.base.log import get_logger
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.licensing.service import LICENSING
from hub.web.navigation import NavItem, Section, Slot, list_nav_items, list_panels
from hub.web.themes import theme_folders

log = get_logger(__name__)

# Scripts and styles come from the hub itself; nothing may frame its pages.
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


def render_page(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page. Templates see the viewer, the navigation, the licence's notices, and ``panels(slot)``."""
    response = Response(render_template(template, **values), status=status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def find_viewer() -> Actor:
    """Who looks at the page. A bad credential is as none: an error page must render, too."""
    try:
        return current_actor()
    except HubError:
        return ANONYMOUS


def create_loader(theme: str) -> ChoiceLoader:
    """Templates of the theme, then of the default theme; Flask asks the plugins' own folders after these."""
    return ChoiceLoader([FileSystemLoader(folder / "templates") for folder in theme_folders(theme)])


def page_values() -> dict[str, Any]:
    """What every template sees."""
    context = current_context()
    licensing = context[LICENSING]
    viewer = find_viewer()
    standing = licensing.standing()
    return {
        "viewer": viewer,
        "hub_version": __version__,
        "edition": licensing.edition,
        "notices": [
            notice.text for notice in standing.notices if viewer.is_admin or notice.audience.value == "everyone"
        ],
        "navigation": {section.value: _links(section, viewer) for section in (Section.MAIN, Section.ADMIN)},
        "panels": lambda slot, **subject: render_panels(Slot(slot), viewer=viewer, **subject),
    }


def _links(section: Section, viewer: Actor) -> list[dict[str, str]]:
    items = list_nav_items(current_context(), section, viewer=viewer)
    return [{"label": item.label, "url": url} for item in items if (url := _url_of(item))]


def _url_of(item: NavItem) -> str:
    try:
        return url_for(item.endpoint)
    except BuildError:
        log.error("nav_item_leads_nowhere", endpoint=item.endpoint)
        return ""


def render_panels(slot: Slot, *, viewer: Actor, **subject: Any) -> Markup:
    """The panels of a slot, one after the other. One that fails is left out and logged."""
    pieces = []
    for panel in list_panels(current_context(), slot, viewer=viewer):
        try:
            pieces.append(str(load_dotted(panel.render)(viewer=viewer, **subject)))
        except Exception:
            if current_app.testing:
                raise
            log.exception("panel_failed", panel=panel.name)
    return Markup("".join(pieces))  # noqa: S704 - panels return safe HTML, by their contract
