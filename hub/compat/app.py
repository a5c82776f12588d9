"""The wire formats of other hubs' clients as a part of the application."""

from __future__ import annotations

import re

from flask import Blueprint, Flask, Response, request

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.compat import account, changes, information, repositories, trees
from hub.compat.addresses import PREFIXES
from hub.compat.errors import render_hub_error
from hub.http.errors import speak
from hub.http.rest import HubApi

_MODULES = (information, trees, changes, repositories, account)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Addresses of repositories that cannot exist here, such as those without a namespace.
_OF_REPOSITORY = re.compile(r"/\w+/(?:api/(?:models|datasets|spaces)/[^/]+|(?:[^/]+/){1,3}resolve/)")


def install(app: Flask, rest: HubApi, context: Context) -> None:
    """Mount the Hugging-Face-shaped routes; done once, by ``create_app``."""
    for prefix in PREFIXES:
        for module in _MODULES:
            rest.register_blueprint(module.blp, url_prefix=f"/{prefix}", name=f"{prefix}_{module.blp.name}")
        _answer_the_rest(app, prefix)


def _answer_the_rest(app: Flask, prefix: str) -> None:
    """Tell clients of an address that nobody serves in their own dialect: a page of HTML would confuse them."""
    blueprint = Blueprint(f"{prefix}_elsewhere", __name__, url_prefix=f"/{prefix}")
    speak(blueprint, render_hub_error)

    def refuse(rest: str) -> Response:
        code = "repository_not_found" if _OF_REPOSITORY.match(request.path) else "not_found"
        raise NotFound("This hub has nothing at that address.", code=code)

    blueprint.add_url_rule("/<path:rest>", "refuse", refuse, methods=_METHODS)
    app.register_blueprint(blueprint)
