"""The page and the panel."""

from __future__ import annotations

from flask import Response, render_template

from hub.plugin import Actor
from hub.plugin.services import find
from hub.plugin.web import create_pages, current_context, render_page

blueprint = create_pages("sample_web", __name__, url_prefix="/sample")


@blueprint.get("")
def show_notes() -> Response:
    """How many notes there are."""
    return render_page("sample/notes.html", count=find(current_context(), "notes").count())


def render_latest(*, viewer: Actor) -> str:
    """The panel on the home page."""
    return render_template("sample/panel.html", viewer=viewer, count=find(current_context(), "notes").count())
