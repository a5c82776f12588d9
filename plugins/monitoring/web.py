"""``GET /-/metrics``."""

from __future__ import annotations

from flask import Response, request

from hub.plugin.web import create_pages, current_actor, current_context
from plugins.monitoring.service import CONTENT_TYPE, is_scraper, render_metrics

blueprint = create_pages("monitoring_web", __name__, url_prefix="/-/metrics")


@blueprint.get("")
def show_metrics() -> Response:
    """The figures of this moment; for the token of the settings, or a site administrator."""
    context = current_context()
    actor = None if is_scraper(context, request.headers.get("Authorization", "")) else current_actor()
    response = Response(render_metrics(context, actor=actor), mimetype="text/plain")
    response.headers["Content-Type"] = CONTENT_TYPE
    response.headers["Cache-Control"] = "no-store"
    return response
