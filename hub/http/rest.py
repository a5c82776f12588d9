"""flask-smorest's registry of routes, as the REST API and the wire formats of other hubs' clients use it."""

from __future__ import annotations

from typing import Any

from flask import current_app, request
from flask_smorest import Api
from marshmallow import Schema, fields

from hub.http.errors import speak_in
from hub.http.platform import render_api_error


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
        """Mount a blueprint, list it in the description, and let its errors speak its dialect (the platform's)."""
        super().register_blueprint(blp, parameters=parameters, **options)
        speak_in(self._app, options.get("name", blp.name), getattr(blp, "renderer", render_api_error))


def serves_api() -> bool:
    """Whether the request goes to a route of the REST API or of another hub's wire format: what ``HubApi`` lists."""
    return request.blueprint in current_app.extensions["flask-smorest"]["blp_name_to_api"]
