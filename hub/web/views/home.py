"""The first page."""

from __future__ import annotations

from flask import Blueprint, Response

from hub.web.pages import render_page

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def show_home() -> Response:
    """What is new and much used, and of who is signed in what they work on."""
    return render_page("home.html", page="D1")
