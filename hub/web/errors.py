"""Errors as people read them: the HTML dialect, and when it is spoken."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from hub.http.errors import render_platform_json, request_id
from hub.web.pages import render_page

_TITLES = {
    400: "This cannot be done",
    401: "Please sign in",
    403: "This is not for you",
    404: "There is no such page",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Not at the moment",
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
    title = _TITLES.get(status, "This cannot be done")
    return render_page(
        "hub/error.html", status=status, page="X1", state="error", title=title, message=message, request_id=request_id()
    )
