"""The seam: protocols of clients that know neither the hub's API nor its pages."""

from __future__ import annotations

from flask import Blueprint

from hub.http.actor import address_behind
from hub.http.context import current_context
from hub.http.errors import Renderer, request_id, speak, status_of
from hub.http.limits import count_transfer
from hub.plugin.open_views import keep_open

__all__ = [
    "Renderer",
    "address_behind",
    "count_transfer",
    "create_wire",
    "current_context",
    "keep_open",
    "request_id",
    "status_of",
]


def create_wire(name: str, import_name: str, *, url_prefix: str, renderer: Renderer) -> Blueprint:
    """A blueprint whose errors are answered by ``renderer(status, code, message, details)``.

    name: ``PLUGIN_web...``; the manifest gives it among its ``web_blueprints()``.
    """
    blueprint = Blueprint(name, import_name, url_prefix=url_prefix)
    speak(blueprint, renderer)
    return blueprint
