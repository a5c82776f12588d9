"""Errors become responses here and nowhere else: one table of statuses, one renderer a dialect.

A blueprint says which dialect its clients read (``speak(blueprint, renderer)``); everything else is answered in the
platform's JSON.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from hub.base import errors
from hub.base.log import get_logger

log = get_logger(__name__)

STATUS: dict[type[errors.HubError], int] = {
    errors.Invalid: 400,
    errors.Unprocessable: 422,
    errors.NotSignedIn: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.QuotaExceeded: 413,
    errors.RangeNotSatisfiable: 416,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
    errors.Failed: 500,
    errors.HubError: 400,
}

# (status, code, message, details) -> response
Renderer = Callable[[int, str, str, dict[str, Any]], Response]

_RENDERERS = "hub_renderers"
_WORDS = "hub_words"
_NOBODY = ""
_REQUEST_IDS = ("X-Request-ID", "X-Amzn-Trace-Id")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def status_of(error: errors.HubError) -> int:
    """The HTTP status of an error."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def speak(blueprint: Blueprint, renderer: Renderer) -> None:
    """Errors raised by the blueprint's views are answered in this dialect."""
    blueprint.record(lambda state: state.app.extensions.setdefault(_RENDERERS, {}).update({state.name: renderer}))


def speak_in(app: Flask, blueprint_name: str, renderer: Renderer) -> None:
    """As ``speak``, for one application that already knows the blueprint's name."""
    app.extensions.setdefault(_RENDERERS, {})[blueprint_name] = renderer


def speak_elsewhere(app: Flask, renderer: Renderer, *, where: re.Pattern[str] | None = None) -> None:
    """As ``speak``, for requests to addresses that no blueprint serves.

    where: for those only whose path matches; the dialect that was set before stays for the others.
    """
    renderers: dict[str, Renderer] = app.extensions.setdefault(_RENDERERS, {})
    before = renderers.get(_NOBODY, render_platform_json)

    def choose(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
        is_there = where is None or where.match(request.path)
        return (renderer if is_there else before)(status, code, message, details)

    renderers[_NOBODY] = choose


def word_with(app: Flask, words: Callable[[str], str]) -> None:
    """What the platform's JSON says to people goes through this first: the pages turn it into the reader's language."""
    app.extensions[_WORDS] = words


def _worded(said: Any) -> Any:
    """A message, or the faults of a request member by member, in the reader's words."""
    words: Callable[[str], str] | None = current_app.extensions.get(_WORDS)
    if words is None:
        return said
    if isinstance(said, dict):
        return {name: _worded(fault) for name, fault in said.items()}
    if isinstance(said, list):
        return [_worded(fault) for fault in said]
    return words(said) if isinstance(said, str) else said


def renderer_for_request(app: Flask) -> Renderer:
    """The dialect of the request's blueprint; the platform's JSON where none is set."""
    renderers: dict[str, Renderer] = app.extensions.get(_RENDERERS, {})
    for name in request.blueprints or [_NOBODY]:
        if name in renderers:
            return renderers[name]
    return render_platform_json


def render_platform_json(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """``{"code", "msg", "context"?, "trace_id"}``: the envelope of the CSGHub contract, sections 1.4 and 1.6."""
    message = _worded(message)
    body: dict[str, Any] = {"code": code, "msg": message, "trace_id": request_id()}
    if details:
        body["context"] = details | ({"errors": _worded(details["errors"])} if "errors" in details else {})
    if status == 429:
        body["error"] = message  # CSGHub contract, section 1.7
    response = Response(json.dumps(body), status=status, mimetype="application/json")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="hub"'
    return response


def request_id() -> str:
    """The id of this request: the client's own when it is short and plain, else a fresh one.

    Clients name theirs in ``X-Request-ID``; Hugging Face's in ``X-Amzn-Trace-Id`` (its contract, section 1.5).
    """
    if "hub_request_id" not in g:
        given = (request.headers.get(name, "") for name in _REQUEST_IDS)
        g.hub_request_id = next((id for id in given if _PLAIN_ID.match(id)), None) or secrets.token_hex(8)
    return str(g.hub_request_id)


def install(app: Flask) -> None:
    """Register the handlers, and tell every client its request's id; done once, by ``create_app``."""

    @app.after_request
    def tell_request_id(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id()
        return response

    @app.errorhandler(errors.HubError)
    def handle_hub_error(error: errors.HubError) -> Response:
        response = renderer_for_request(app)(status_of(error), error.code, str(error), error.details)
        if "retry_after_s" in error.details:
            response.headers["Retry-After"] = str(error.details["retry_after_s"])
        if isinstance(error, errors.RangeNotSatisfiable):
            response.headers["Content-Range"] = f"bytes */{error.details['size_bytes']}"
        return response

    @app.errorhandler(HTTPException)
    def handle_http_exception(error: HTTPException) -> Response:
        if error.response is not None or (error.code or 500) < 400:
            return error.get_response()  # type: ignore[return-value]  # a redirect, or a ready answer
        status = error.code or 500
        code = (error.name or "error").lower().replace(" ", "_")
        # What a schema has against the request, member by member, comes with the exception that webargs raises.
        found = getattr(error, "data", {}).get("messages")
        message = "The request does not fit its schema." if found else error.description or error.name
        code = "invalid" if found else code
        response = renderer_for_request(app)(status, code, message, {"errors": found} if found else {})
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers.setdefault(name, value)
        return response

    @app.errorhandler(Exception)
    def handle_unknown(error: Exception) -> Response:
        if app.testing:
            raise error
        log.exception("request_failed", path=request.path, method=request.method, request_id=request_id())
        message = f"Something went wrong on our side. The log has it under request id {request_id()}."
        return renderer_for_request(app)(500, "internal", message, {})
