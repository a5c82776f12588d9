"""Rendering pages: a theme's templates, and what every page shows besides its own content."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Hashable, Mapping
from functools import cache, lru_cache, partial
from typing import Any, cast
from urllib.parse import quote_plus, urlsplit

from flask import Flask, Response, current_app, g, render_template, request, url_for
from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import Markup
from werkzeug.routing import BuildError

from hub import __version__
from hub.accounts.policy import ANONYMOUS, Actor
from hub.accounts.service.avatars import small_picture
from hub.base.context import Context
from hub.base.dotted import load_dotted
from hub.base.errors import HubError
from hub.base.log import get_logger
from hub.community.models import Broadcast
from hub.community.service.broadcasts import find_active_broadcast
from hub.db.uow import reading
from hub.http.actor import csrf_token, current_actor
from hub.http.context import current_context
from hub.http.words import sent_address, sent_path
from hub.licensing.service import LICENSING
from hub.repos.kinds import KINDS, get_kind
from hub.web import compiling
from hub.web.assets import asset_url, icon
from hub.web.i18n import LANGUAGES, LOCALE_COOKIE, ZONE_COOKIE, current_language, gettext, translator
from hub.web.kinds import plural_title
from hub.web.label_titles import label_title
from hub.web.looks import LOOKS, WEEK_COOKIE, find_looks, marks_of
from hub.web.navigation import BAR_WEIGHT, NavItem, Section, Slot, list_nav_items, list_panels
from hub.web.routing import repository_url
from hub.web.themes import theme_folders

log = get_logger(__name__)

THEME_COOKIE = "theme"
BROADCAST_COOKIE = "broadcast"
VIEW_COOKIE = "list_view"  # set by the browser itself: discover.ts
# Cookies that say nothing of who has them.
_CHOICES = frozenset({THEME_COOKIE, BROADCAST_COOKIE, VIEW_COOKIE, LOCALE_COOKIE, ZONE_COOKIE, WEEK_COOKIE, *LOOKS})
_THEMES = ("light", "dark")

# Half a millisecond for the longest pages, which then are a sixth as long.
_LEVEL = 1
_COMPRESSED_FROM_BYTES = 2048
_MAX_URLS = 2_000

# Scripts come from the hub itself and from nowhere else, none from within a page; nothing may frame its pages.
# Styles within a page set widths and colours of charts and labels; what users write carries none.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:{store}; media-src 'self' blob:{store}; connect-src 'self'{store}; "
    "style-src 'self' 'unsafe-inline'; object-src 'self'; worker-src 'self' blob:; frame-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


def install(app: Flask, context: Context) -> None:
    """Let the application's templates be the theme's, and give them what every page shows; once, by the room."""
    theme = context.settings.theme
    app.jinja_loader = create_loader(theme)
    compiling.install(app.jinja_env)
    app.jinja_env.filters["label_title"] = label_title
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        url_for=_kept_urls(app),
        asset=partial(asset_url, theme),
        icon=partial(icon, theme),
        languages=LANGUAGES,
        hub_version=__version__,
        with_query=with_query,
        kinds=lambda: list(context[KINDS].values()),
        plural_title=plural_title,
        picture_address=small_picture,
        repository_kind=partial(get_kind, context),
        repository_link=partial(repository_url, context),
        same_for_all=_same_for_all(),
        own_styles=(theme_folders(theme)[0] / "static" / "theme.css").is_file(),
    )
    app.context_processor(page_values)


def render_page(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page. Templates see what ``page_values`` tells, beside the given values.

    page: the page's id in the contract of the pages ("D1"), which tests find it by.
    state: "ready", "empty", "error" or "loading".
    """
    response = Response(render_template(template, **values), status=status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY.format(store=_store_origin())
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Cookie, HX-Request, Accept-Encoding"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return _compressed(response)


def _compressed(response: Response) -> Response:
    """The page as gzip, where the browser takes it and nobody is signed in.

    Pages of a session hold its word for writes: how well they are compressed would tell of it to who can have them
    made with words of their own in them (the attack called BREACH).
    """
    body = response.get_data()
    is_secret = "Authorization" in request.headers or not _CHOICES.issuperset(request.cookies)
    if len(body) >= _COMPRESSED_FROM_BYTES and not is_secret and request.accept_encodings["gzip"]:
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _kept_urls(app: Flask) -> Callable[..., str]:
    """For templates: ``url_for``, which a page asks for the same few addresses again and again."""
    kept: dict[Hashable, str] = {}

    def find(endpoint: str, **values: Any) -> str:
        # What is relative to the view, or says more than the path (``_external``), depends on the request.
        is_same = not endpoint.startswith(".") and not any(name.startswith("_") for name in values)
        if not is_same or not all(isinstance(value, str) for value in values.values()):
            return app.url_for(endpoint, **values)
        key = (request.script_root, endpoint, *values.items())
        if (found := kept.get(key)) is None:
            if len(kept) >= _MAX_URLS:
                kept.clear()
            found = kept[key] = app.url_for(endpoint, **values)
        return found

    return find


def _same_for_all() -> Callable[[str], Markup]:
    """For templates: a part of a page that differs by language only, which is rendered once for each."""

    @cache
    def render(name: str, _language: str) -> Markup:
        return Markup(current_app.jinja_env.get_template(name).render())  # noqa: S704 - a template escapes

    return lambda name: render(name, current_language())


def wants_part() -> bool:
    """Whether a page on the screen asks for a part of itself (htmx), and not a browser for the whole."""
    return request.headers.get("HX-Request") == "true"


def _store_origin() -> str:
    """Where browsers fetch contents from when the object store sends them itself; with a space before it."""
    settings = current_context().settings
    if not settings.storage_direct or not settings.storage_url.startswith("s3:"):
        return ""
    told = urlsplit(settings.storage_public_url or settings.storage_url)
    scheme = told.scheme if settings.storage_public_url else "http" if "secure=false" in told.query else "https"
    host = told.netloc.rpartition("@")[2]
    return f" {scheme}://{host}"


def find_viewer() -> Actor:
    """Who looks at the page. A bad credential is as none: an error page must render, too."""
    try:
        return current_actor()
    except HubError:
        return ANONYMOUS


def create_loader(theme: str) -> ChoiceLoader:
    """Templates of the theme, then of the default theme; Flask asks the plugins' own folders after these."""
    return ChoiceLoader([FileSystemLoader(folder / "templates") for folder in theme_folders(theme)])


def is_own_address(address: str) -> bool:
    """Whether it is a path on this site, which one may send a browser to."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    return is_path and address.isprintable() and "\\" not in address


def with_query(**changes: Any) -> str:
    """The address of this page with some members of its query changed; None takes one away. Its page is the first.

    A list stands for several values.
    """
    path, members = _sent()
    words = [text for name, text in members.items() if name not in changes]
    for name, value in changes.items():
        if value is not None and value != "":
            words.append(_member(name, *value) if isinstance(value, list | tuple | set) else _member(name, value))
    text = "&".join(filter(None, words))
    return f"{path}?{text}" if text else path


def _sent() -> tuple[str, dict[str, str]]:
    """The request's path and the members of its query but its page, encoded; a page writes dozens of links by them."""
    if (found := g.get("sent")) is None:
        members = {name: _member(name, *values) for name, values in request.args.lists() if name != "page"}
        found = g.sent = sent_path(), members
    return cast(tuple[str, dict[str, str]], found)


def _member(name: str, *values: object) -> str:
    return "&".join(f"{_quoted(name)}={_quoted(str(value))}" for value in values)


@lru_cache(maxsize=5_000)
def _quoted(word: str) -> str:
    return quote_plus(word, safe=",:/")


def page_values() -> dict[str, Any]:
    """What every template sees."""
    context = current_context()
    licensing = context[LICENSING]
    viewer = find_viewer()
    standing = licensing.standing()
    theme, looks = request.cookies.get(THEME_COOKIE, ""), find_looks()
    language = current_language()
    translate = translator(language)
    return {
        "_": translate,
        "gettext": translate,
        "viewer": viewer,
        "csrf": csrf_token() or "",
        "theme": theme if theme in _THEMES else "system",
        "looks": looks,
        "look_marks": marks_of(looks),
        "locale": language,
        "here": sent_address(),
        "edition": licensing.edition,
        "notices": [
            notice.text for notice in standing.notices if viewer.is_admin or notice.audience.value == "everyone"
        ],
        "broadcast": find_broadcast,
        "broadcast_key": broadcast_key,
        "navigation": lambda section, **subject: list_links(Section(section), viewer, **subject),
        "panels": lambda slot, **subject: render_panels(Slot(slot), viewer=viewer, **subject),
    }


def list_links(section: Section, viewer: Actor, **subject: Any) -> list[dict[str, Any]]:
    """The items of a section as links: ``label``, ``url``, ``icon``, ``group``; is_more: those of the menu "More".

    subject: what the addresses of the section need beside an item's own arguments.
    """
    return [
        {
            "label": gettext(item.label),
            "url": url,
            "icon": item.icon,
            "is_more": item.weight >= BAR_WEIGHT,
            "group": gettext(item.group) if item.group else "",
        }
        for item in list_nav_items(current_context(), section, viewer=viewer)
        if (url := _url_of(item, subject))
    ]


def find_broadcast() -> Broadcast | None:
    """What the administrators say to everybody now, unless this browser has put it away."""
    with reading(current_context()) as work:
        found = find_active_broadcast(work)
    is_put_away = found is not None and request.cookies.get(BROADCAST_COOKIE) == broadcast_key(found)
    return None if is_put_away else found


def broadcast_key(broadcast: Broadcast) -> str:
    """What a browser remembers of a broadcast that it has put away: one that is changed is shown again."""
    return f"{broadcast.id}-{int(broadcast.updated_at.timestamp())}"


def _url_of(item: NavItem, subject: Mapping[str, Any]) -> str:
    # Every page shows them, and without a subject they are ever the same.
    kept: dict[Hashable, str] = current_app.extensions.setdefault("hub_nav_urls", {})
    key = (request.script_root, item.endpoint, *item.arguments.items())
    if not subject and (found := kept.get(key)) is not None:
        return found
    try:
        url = url_for(item.endpoint, **dict[str, Any](item.arguments), **subject)
    except BuildError:
        log.error("nav_item_leads_nowhere", endpoint=item.endpoint)
        return ""
    if not subject:
        kept[key] = url
    return url


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
