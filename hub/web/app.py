"""The pages as a part of the application: templates, static files, and the home page."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Flask, Response, abort, send_from_directory
from werkzeug.exceptions import NotFound

from hub.base.context import Context
from hub.http.context import current_context
from hub.http.errors import speak, speak_elsewhere
from hub.web.errors import render_html_error
from hub.web.pages import create_loader, page_values, render_page
from hub.web.themes import theme_folders

_STATIC_MAX_AGE_S = 3600

blueprint = Blueprint("site", __name__)
speak(blueprint, render_html_error)


def install(app: Flask, context: Context) -> None:
    """Mount the pages; done once, by ``create_app``."""
    app.jinja_loader = create_loader(context.settings.theme)
    app.context_processor(page_values)
    app.register_blueprint(blueprint)
    speak_elsewhere(app, render_html_error)


@blueprint.get("/")
def show_home() -> Response:
    """The first page."""
    return render_page("hub/home.html")


@blueprint.get("/-/static/<path:name>")
def send_static(name: str) -> Response:
    """A file of the theme: style sheets, scripts, pictures."""
    for folder in theme_folders(current_context().settings.theme):
        # What it does not find, or no file can be called, it answers with 404 itself.
        with contextlib.suppress(NotFound):
            return send_from_directory(folder / "static", name, max_age=_STATIC_MAX_AGE_S)
    abort(404)
