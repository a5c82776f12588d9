"""The REST API as a part of the application: its blueprints, its description, its errors."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from flask_smorest import Api
from marshmallow import Schema, fields

from hub import __version__
from hub.api import accounts, admin, branches, contents, edits, licenses, organizations, repositories
from hub.api.envelope import render_api_error
from hub.api.routing import CollectionConverter, collection_converter, describe_collection
from hub.base.context import Context
from hub.http.errors import speak_in


class ErrorSchema(Schema):
    """How every error is told. Source: CSGHub contract, section 1.6."""

    code = fields.String(metadata={"description": "the platform's code, such as REPO-ERR-3"})
    msg = fields.String(metadata={"description": "for people: what is wrong and what to do"})
    context = fields.Dict(metadata={"description": "further members; 'errors' names the members that do not fit"})
    trace_id = fields.String(metadata={"description": "by which the log knows the request"})


class HubApi(Api):  # type: ignore[misc]  # flask-smorest publishes no types
    """flask-smorest's registry of routes, leaving the errors to ``hub.http.errors``.

    flask-smorest would answer every HTTP error of the whole application, missing pages included, in its own shape.
    """

    ERROR_SCHEMA = ErrorSchema

    def _register_error_handlers(self) -> None:
        """None: the application has them."""

    def register_blueprint(self, blp: Any, *, parameters: list[Any] | None = None, **options: Any) -> None:
        """Mount a blueprint, list it in the description, and let its errors speak the platform's dialect."""
        super().register_blueprint(blp, parameters=parameters, **options)
        speak_in(self._app, options.get("name", blp.name), render_api_error)


def install(app: Flask, context: Context) -> HubApi:
    """Mount the REST API; done once, by ``create_app``, when all kinds of asset are registered."""
    app.config.update(
        API_TITLE="Hub",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={"servers": [{"url": context.settings.effective_base_url}]},
    )
    app.url_map.converters["collection"] = collection_converter(context)
    api = HubApi(app)
    api.register_converter(CollectionConverter, describe_collection)
    for module in (repositories, branches, contents, edits, accounts, organizations, admin, licenses):
        api.register_blueprint(module.blp)
    _bound_bodies(app, context)
    return api


def _bound_bodies(app: Flask, context: Context) -> None:
    names = frozenset(app.extensions["flask-smorest"]["blp_name_to_api"])
    limit = context.settings.request_body_limit_bytes

    @app.before_request
    def bound_body() -> None:
        # A file that is streamed to disk has limits of its own, which its view sets.
        if request.blueprint in names:
            request.max_content_length = limit
