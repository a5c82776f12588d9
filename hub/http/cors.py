"""The API for scripts on pages of other origins: they may call it with a token, never with somebody's session.

Source: CSGHub contract, section 1.1, which allows every origin. Credentials of the browser (cookies) are not among
what is allowed: a page elsewhere must not act as who happens to be signed in here.
"""

from __future__ import annotations

from flask import Flask, Response, request

from hub.http.rest import serves_api

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
# "*" would not cover Authorization. Source: Fetch standard, section "CORS-safelisted request-header".
_DEFAULT_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-Request-ID, X-Second-Factor"
)
_EXPOSED = (
    "ETag, Link, Location, Content-Disposition, Content-Range, Accept-Ranges, Retry-After, X-Request-ID, X-Error-Code, "
    "X-Error-Message, X-Repo-Commit, X-Linked-Etag, X-Linked-Size, RateLimit-Limit, RateLimit-Remaining, "
    "RateLimit-Reset, Idempotent-Replayed"
)
_MAX_AGE_S = 7200  # as long as browsers keep it at most


def install(app: Flask) -> None:
    """Answer browsers' questions and mark what pages may read; done once, by ``create_app``, before other guards."""

    @app.before_request
    def answer_question() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers or not serves_api():
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _asked_headers() or _DEFAULT_HEADERS
        response.headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
        return response

    @app.after_request
    def mark(response: Response) -> Response:
        if "Origin" in request.headers and serves_api():
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response


def _asked_headers() -> str:
    """The names that the browser asks for, as far as they can be names of headers."""
    names = [name.strip() for name in request.headers.get("Access-Control-Request-Headers", "")[:1000].split(",")]
    return ", ".join(name for name in names if name and name.replace("-", "").replace("_", "").isalnum())
