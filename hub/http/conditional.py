"""Conditional reads: an answer of the API carries an ETag, and a client that has it already gets 304 and no body."""

from __future__ import annotations

import hashlib

from flask import Flask, Response, request

from hub.http.rest import serves_api

_READING = frozenset({"GET", "HEAD"})


def install(app: Flask) -> None:
    """Judge every answer of the API; done once, by ``create_app``."""

    @app.after_request
    def judge(response: Response) -> Response:
        is_whole = response.status_code == 200 and response.is_json and not response.is_streamed
        if request.method not in _READING or not is_whole or not serves_api():
            return response
        if response.get_etag()[0] is None:
            # Weak: the same content, not necessarily the same bytes after a proxy has compressed them.
            response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32], weak=True)
        # What one caller may see is not for the next: caches between keep nothing, the caller's own asks again.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        response.make_conditional(request)
        return response
