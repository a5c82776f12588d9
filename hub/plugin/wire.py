"""The seam: protocols of clients that know neither the hub's API nor its pages."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint

from hub.accounts.policy import Actor
from hub.http.actor import address_behind
from hub.http.context import current_context
from hub.http.errors import Renderer, request_id, speak, status_of
from hub.http.files import client_of
from hub.http.limits import count_transfer
from hub.plugin.open_views import keep_open
from hub.repos.downloads import DOWNLOADS

__all__ = [
    "Renderer",
    "address_behind",
    "count_downloads",
    "count_transfer",
    "create_wire",
    "current_context",
    "keep_open",
    "request_id",
    "status_of",
]


def count_downloads(actor: Actor, repository_id: int, oids: Iterable[str]) -> None:
    """The actor begins to download these contents of a repository, by this request; each is one more download.

    By day, a content counts once for each client, in whatever ways it comes. The hub itself is no client.
    """
    if not actor.is_system:
        for oid in oids:
            current_context()[DOWNLOADS].count(repository_id, oid=oid, client=client_of(actor))


def create_wire(name: str, import_name: str, *, url_prefix: str, renderer: Renderer) -> Blueprint:
    """A blueprint whose errors are answered by ``renderer(status, code, message, details)``.

    name: ``PLUGIN_web...``; the manifest gives it among its ``web_blueprints()``.
    """
    blueprint = Blueprint(name, import_name, url_prefix=url_prefix)
    speak(blueprint, renderer)
    return blueprint
