"""The wire formats of other hubs' clients as a part of the application."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Flask, Response, request

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.compat import (
    account,
    attachments,
    changes,
    collections,
    discussions,
    gates,
    information,
    infos,
    large_files,
    people,
    raw,
    repositories,
    spaces,
    trees,
    viewer,
    webhooks,
    xet,
)
from hub.compat.addresses import PrefixConverter, describe_prefix
from hub.compat.errors import render_hub_error
from hub.http.errors import speak, speak_elsewhere
from hub.http.rest import HubApi

_MODULES = (
    infos,
    people,
    raw,
    information,
    large_files,
    trees,
    viewer,
    gates,
    spaces,
    webhooks,
    xet,
    changes,
    repositories,
    account,
    collections,
    discussions,
    attachments,
)
_NOTHING = "This hub has nothing at that address."
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Below a prefix, and at the root of the hub: two rules a view, however many prefixes there are.
_PLACES = {"compat": "/<hub_prefix:hub>", "root": ""}
# Addresses of repositories that cannot exist here, such as those without a namespace.
_OF_REPOSITORY = re.compile(r"(?:/\w+)?/(?:api/(?:models|datasets|spaces)/[^/]+|(?:[^/]+/){1,3}(?:resolve|raw)/)")
# What at the root belongs to these clients; the rest of it is the REST API and the pages.
_OURS = re.compile(
    r"/api/(?!v1(?:/|$)|docs(?:/|$)|openapi\.json$)|/(?:[^/]+/){1,3}(?:resolve|raw)/" + f"|{viewer.ROOT}/"
)


def install(app: Flask, rest: HubApi, context: Context) -> None:
    """Mount the Hugging-Face-shaped routes; done once, by ``create_app``."""
    app.url_map.converters["hub_prefix"] = PrefixConverter
    rest.register_converter(PrefixConverter, describe_prefix)
    for place, url_prefix in _PLACES.items():
        for module in _MODULES:
            rest.register_blueprint(module.blp, url_prefix=url_prefix, name=f"{place}_{module.blp.name}")
    rest.register_blueprint(viewer.server, url_prefix=viewer.ROOT)
    viewer.lead_hosts(app)
    _answer_the_rest(app)


def _answer_the_rest(app: Flask) -> None:
    """Tell clients of an address that nobody serves in their own dialect: a page of HTML would confuse them."""
    blueprint = Blueprint("compat_elsewhere", __name__, url_prefix=_PLACES["compat"])
    speak(blueprint, render_hub_error)

    def refuse(hub: str, rest: str) -> Response:
        raise NotFound(_NOTHING, code=_code_of_missing())

    blueprint.add_url_rule("/<path:rest>", "refuse", refuse, methods=_METHODS)
    app.register_blueprint(blueprint)

    def render(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
        if status == 404:
            return render_hub_error(status, _code_of_missing(), _NOTHING, details)
        return render_hub_error(status, code, message, details)

    # At the root a rule for all addresses would hide which methods the others have.
    speak_elsewhere(app, render, where=_OURS)


def _code_of_missing() -> str:
    return "repository_not_found" if _OF_REPOSITORY.match(request.path) else "not_found"
