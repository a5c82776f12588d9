"""What goes with Markdown on a page: its preview while it is written, and the frame in which diagrams are drawn."""

from __future__ import annotations

from urllib.parse import unquote

from flask import Blueprint, Response, render_template, request

from hub.base.errors import NotSignedIn
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import KINDS
from hub.web.markdown import LinkBase, render_markdown
from hub.web.pages import render_page

blueprint = Blueprint("markdown", __name__)

# Nothing in the frame can reach the hub as its visitor: the browser gives it an origin of its own, and no network.
_FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self' {site}; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@blueprint.post("/-/preview")
def preview() -> Response:
    """How a text will look. ``base``: the address of the file that it will be; ``breaks``: as in a comment."""
    if current_actor().is_anonymous:
        raise NotSignedIn("Sign in to see a preview.")
    base = parse_base(request.form.get("base", ""))
    html = render_markdown(
        request.form.get("text", ""), base=base, is_breaks=bool(request.form.get("breaks")), key="preview"
    )
    return render_page("parts/preview.html", html=html)


@blueprint.get("/-/diagram")
def show_frame() -> Response:
    """The page that draws a diagram from the text that it is sent by the page around it."""
    response = Response(render_template("parts/diagram.html"), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _FRAME_POLICY.format(site=request.host_url.rstrip("/"))
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def parse_base(address: str) -> LinkBase | None:
    """The place that the address of a file's page, ``R/blob/main/docs/a.md``, gives its relative links."""
    for kind in current_context()[KINDS].values():
        rest = address.removeprefix(f"/{kind.page_path}/")
        if rest == address:
            continue
        match rest.split("/", 4):
            case [namespace, name, _page, revision, *path]:
                folder = unquote(path[0] if path else "").rpartition("/")[0]
                return LinkBase(f"/{kind.page_path}/{namespace}/{name}", unquote(revision), folder)
    return None
