"""The site itself: static files, and the choices that every page keeps (theme, language, time zone)."""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import available_timezones

from flask import Blueprint, Response, abort, redirect, request, send_from_directory
from werkzeug.exceptions import NotFound

from hub.base.errors import Invalid
from hub.http.context import current_context
from hub.web.assets import BUILT, STATIC
from hub.web.i18n import LANGUAGES, LOCALE_COOKIE, ZONE_COOKIE
from hub.web.looks import FIRST_DAYS, LOOKS, WEEK_COOKIE
from hub.web.pages import THEME_COOKIE, is_own_address
from hub.web.themes import theme_folders

_STATIC_MAX_AGE_S = 3600
# What is built has a name that changes with it.
_BUILT_MAX_AGE_S = 365 * 24 * 3600
_CHOICE_MAX_AGE_S = 365 * 24 * 3600
_CODINGS = {"br": "br", "gzip": "gz"}

blueprint = Blueprint("site", __name__)


@blueprint.get(f"{STATIC}/<path:name>")
def send_static(name: str) -> Response:
    """A file of the theme: style sheets, scripts, pictures; compressed where that was done when it was built."""
    is_built = name.startswith(f"{BUILT}/")
    for folder in theme_folders(current_context().settings.theme):
        static = folder / "static"
        # What it does not find, or no file can be called, it answers with 404 itself.
        with contextlib.suppress(NotFound):
            return _send_built(static, name) if is_built else _send(static, name, _STATIC_MAX_AGE_S)
    abort(404)


def _send(static: Path, name: str, max_age_s: int) -> Response:
    response = send_from_directory(static, name, max_age=max_age_s)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _send_built(static: Path, name: str) -> Response:
    for coding, ending in _CODINGS.items():
        if request.accept_encodings[coding]:
            with contextlib.suppress(NotFound):
                response = _send(static, f"{name}.{ending}", _BUILT_MAX_AGE_S)
                response.mimetype = mimetypes.guess_type(name)[0] or "application/octet-stream"
                response.headers["Content-Encoding"] = coding
                return _immutable(response)
    return _immutable(_send(static, name, _BUILT_MAX_AGE_S))


def _immutable(response: Response) -> Response:
    response.headers["Vary"] = "Accept-Encoding"
    # Scripts of a frame without rights come from another origin, as browsers see it.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.cache_control.immutable = True
    return response


@blueprint.post("/-/choices")
def set_choices() -> Response:
    """Remember a choice of this browser (theme, language, time zone, density and the like) and return to the page.

    It changes nothing but this browser's own cookies, so it needs no sign-in.
    """
    back = request.form.get("back", "/")
    response = redirect(back if is_own_address(back) else "/", 303)
    for member, (cookie, is_known) in _CHOICES.items():
        value = request.form.get(member, "")
        if value and not is_known(value):
            raise Invalid("There is no such choice.", code="choice_unknown")
        if value:
            response.set_cookie(cookie, value, max_age=_CHOICE_MAX_AGE_S, samesite="Lax", httponly=False)
    return response  # type: ignore[return-value]  # werkzeug's type is wider


# By the form's member: the cookie that keeps it, and what it may be.
_CHOICES: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "theme": (THEME_COOKIE, ("light", "dark", "system").__contains__),
    "language": (LOCALE_COOKIE, LANGUAGES.__contains__),
    "zone": (ZONE_COOKIE, lambda name: name in available_timezones()),
    WEEK_COOKIE: (WEEK_COOKIE, FIRST_DAYS.__contains__),
    **{name: (name, known.__contains__) for name, known in LOOKS.items()},
}
