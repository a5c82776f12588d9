"""Errors as people read them: the HTML dialect, and when it is spoken."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Response, request
from flask_babel import gettext, lazy_gettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound as NoSuchRoute

from hub.base.errors import HubError
from hub.http.errors import render_platform_json, request_id
from hub.web.pages import render_page
from hub.web.said import said
from hub.web.similar import Similar, find_similar

_TITLES = {
    400: lazy_gettext("This cannot be done"),
    401: lazy_gettext("Please sign in"),
    403: lazy_gettext("This is not for you"),
    404: lazy_gettext("There is no such page"),
    409: lazy_gettext("Something else came in between"),
    413: lazy_gettext("This is too large"),
    429: lazy_gettext("Too many requests"),
    500: lazy_gettext("Something went wrong on our side"),
    503: lazy_gettext("Not at the moment"),
}


def wants_html() -> bool:
    """Whether the client is a browser that opens a page: programs ask for JSON, or say that anything will do."""
    if request.path.startswith("/api/"):
        return False
    accepted = request.accept_mimetypes
    return "text/html" in accepted.values() and accepted["text/html"] >= accepted["application/json"]


def render_html_error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """An error as a page; a program that called the same address gets the platform's JSON."""
    if not wants_html():
        return render_platform_json(status, code, message, details)
    if message == NoSuchRoute.description:
        message = gettext("Nothing is at this address. It was moved, renamed or deleted, or you may not see it.")
    message = said(message)
    return render_page(
        "hub/error.html",
        status=status,
        page="X1",
        state="error",
        status_code=status,
        title=_TITLES.get(status, _TITLES[400]),
        message=message,
        code=code,
        request_id=request_id(),
        retry_after_s=details.get("retry_after_s"),
        similar=_similar() if status == 404 else [],
    )


def _similar() -> list[Similar]:
    # The page must stand whatever else is broken.
    with suppress(HubError, SQLAlchemyError):
        return find_similar(request.path)
    return []
