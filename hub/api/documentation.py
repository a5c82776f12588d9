"""The description of the API as a file, and Swagger UI on it, all from the hub's own origin."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, redirect, request, send_file

from hub.api.description import Document, complete
from hub.http.errors import speak
from hub.http.platform import render_api_error
from hub.http.rest import HubApi

blueprint = Blueprint("documentation", __name__)
speak(blueprint, render_api_error)

_EXTENSION = "hub_documentation"
_OWN = Path(__file__).with_name("static")
# Of Swagger UI's files those that the page asks for.
_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_OWN_FILES = {"docs.js": "text/javascript"}
_MAX_AGE_S = 3600
# Scripts, styles and requests are the hub's own; Swagger UI's pictures are in its style sheet.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Documentation:
    """The description of one application's API, written once somebody asks for it."""

    def __init__(self, api: HubApi) -> None:
        self._api = api
        self._written: bytes | None = None

    def describe(self) -> Document:
        """The description. What is mounted afterwards is not in it."""
        # A copy in JSON's own terms: what belongs to the registry of routes stays as it is.
        document: dict[str, Any] = json.loads(json.dumps(self._api.describe(), default=str))
        return complete(document)

    def write(self) -> bytes:
        """The same as a JSON file."""
        if self._written is None:
            self._written = json.dumps(self.describe(), ensure_ascii=False, separators=(",", ":")).encode()
        return self._written


def install(app: Flask, api: HubApi) -> None:
    """Mount the description and its page; done once, by ``hub.api.app``."""
    app.extensions[_EXTENSION] = Documentation(api)
    app.register_blueprint(blueprint)


def documentation_of(app: Flask) -> Documentation:
    """The documentation of an application."""
    found: Documentation = app.extensions[_EXTENSION]
    return found


@blueprint.get("/api/openapi.json")
def send_description() -> Response:
    """The description, in OpenAPI's format."""
    written = documentation_of(current_app).write()
    response = Response(written, mimetype="application/json")
    response.set_etag(hashlib.sha256(written).hexdigest()[:32])
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@blueprint.get("/api/docs")
def show_docs() -> Response:
    """Swagger UI."""
    response = send_file(_OWN / "docs.html", mimetype="text/html", max_age=0)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@blueprint.get("/api/docs/<name>")
def send_docs_file(name: str) -> Response:
    """A script, style sheet or picture of the page."""
    if name in _OWN_FILES:
        path, mimetype = _OWN / name, _OWN_FILES[name]
    elif name in _FILES:
        path, mimetype = _swagger_ui() / name, _FILES[name]
    else:
        abort(404)
    response = send_file(path, mimetype=mimetype, max_age=_MAX_AGE_S)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _swagger_ui() -> Path:
    # The package is only a carrier of the files: its own code, another blueprint, stays where it is.
    spec = importlib.util.find_spec("flask_swagger_ui")
    assert spec is not None, "setup.cfg requires it"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "dist"


@blueprint.get("/api/v1/swagger/")
@blueprint.get("/api/v1/swagger/index.html")
def redirect_to_docs() -> Any:
    """Where the platform's clients look for it. Source: CSGHub contract, section 1.1."""
    return redirect("/api/docs", 302)
