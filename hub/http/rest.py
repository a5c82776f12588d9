"""flask-smorest's registry of routes, as the REST API and the wire formats of other hubs' clients use it."""

from __future__ import annotations

import threading
from typing import Any

from flask import current_app, request
from flask_smorest import Api
from flask_smorest.spec.plugins import FlaskPlugin
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from hub.base.names import NAME_PATTERN
from hub.http.errors import speak_in
from hub.http.platform import render_api_error


class ErrorSchema(Schema):
    """How every error is told. Source: CSGHub contract, section 1.6."""

    code = fields.String(metadata={"description": "the platform's code, such as REPO-ERR-3"})
    msg = fields.String(metadata={"description": "for people: what is wrong and what to do"})
    context = fields.Dict(metadata={"description": "further members; 'errors' names the members that do not fit"})
    trace_id = fields.String(metadata={"description": "by which the log knows the request"})
    error = fields.String(metadata={"description": "the same as msg, where there were too many requests"})


_NAME = {"type": "string", "minLength": 2, "maxLength": 64, "pattern": f"^{NAME_PATTERN}$"}
# What a parameter of an address means, wherever it stands; a route may say more by ``parameters=``.
_PARAMETERS: dict[str, dict[str, Any]] = {
    "kind": {"description": "the kind of asset, as addresses name it", "example": "models"},
    "namespace": {"description": "the name of a user or organisation", "schema": _NAME, "example": "ada"},
    "name": {"description": "the name of the thing", "example": "thing"},
    "username": {"description": "the name of a user", "schema": _NAME, "example": "ada"},
    "uuid": {"description": "the uuid of the thing", "schema": {"type": "string", "format": "uuid"}},
    "path": {"description": "a path in the repository, with slashes", "example": "README.md"},
    "ref": {"description": "a branch, tag or commit, with slashes", "example": "main"},
    "branch": {"description": "the name of a branch, with slashes", "example": "main"},
    "revision": {"description": "a branch, tag or commit, with slashes", "example": "main"},
    "commit_id": {"description": "a branch, tag or commit", "example": "main"},
}
_MAX_PARAMETER_CHARS = 1024


class RouteDescriptions(FlaskPlugin):  # type: ignore[misc]  # flask-smorest publishes no types
    """flask-smorest's reading of Flask's routes, with a name for each operation and what its parameters mean."""

    def rule_to_params(self, rule: Rule) -> list[dict[str, Any]]:
        """The parameters in a route's address."""
        params: list[dict[str, Any]] = super().rule_to_params(rule)
        for param in params:
            name = param["name"]
            found = dict(_PARAMETERS.get(name, {"description": name.replace("_", " ")}))
            schema = param["schema"] | found.pop("schema", {})
            if name == "name" and "<namespace>/<name>" in rule.rule:
                schema, found["description"] = dict(_NAME), "the name of the repository"
            if schema["type"] == "string" and not {"enum", "format"} & set(schema):
                schema.setdefault("minLength", 1)
                schema.setdefault("maxLength", _MAX_PARAMETER_CHARS)
            param |= found | {"schema": schema}
        return params

    def path_helper(self, rule: Rule, operations: Any, parameters: Any, **kwargs: Any) -> str:
        """The address in OpenAPI's spelling; every operation gets an ``operationId`` that is its alone."""
        for method, operation in operations.items():
            name = rule.endpoint.replace(".", "_")
            operation.setdefault("operationId", name if len(operations) == 1 else f"{name}_{method}")
        path: str = super().path_helper(rule, operations=operations, parameters=parameters, **kwargs)
        return path


class HubApi(Api):  # type: ignore[misc]  # flask-smorest publishes no types
    """flask-smorest's registry of routes, leaving the errors to ``hub.http.errors``.

    flask-smorest would answer every HTTP error of the whole application, missing pages included, in its own shape.
    """

    ERROR_SCHEMA = ErrorSchema
    # Every status that an operation can answer is named; ``hub.api.documentation`` adds those that come with its kind.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def init_app(self, app: Any, *, spec_kwargs: dict[str, Any] | None = None) -> None:
        """Make the description on an application; once, by its maker."""
        self._undescribed: list[tuple[Any, str, list[Any] | None]] = []
        self._describing = threading.Lock()
        super().init_app(app, spec_kwargs={"flask_plugin": RouteDescriptions(), **(spec_kwargs or {})})

    def _register_error_handlers(self) -> None:
        """None: the application has them."""

    def register_blueprint(self, blp: Any, *, parameters: list[Any] | None = None, **options: Any) -> None:
        """Mount a blueprint, list it in the description, and let its errors speak its dialect (the platform's)."""
        name = options.get("name", blp.name)
        self._app.extensions["flask-smorest"]["blp_name_to_api"][name] = self
        self._app.register_blueprint(blp, **options)
        self._undescribed.append((blp, name, parameters))
        speak_in(self._app, name, getattr(blp, "renderer", render_api_error))

    def register_and_describe(self, blp: Any) -> None:
        """As ``register_blueprint``; one that cannot be described raises now, and not before whoever asks later."""
        self.register_blueprint(blp)
        with self._describing:
            self._describe_one(*self._undescribed.pop())

    def _describe_one(self, blp: Any, name: str, parameters: list[Any] | None) -> None:
        blp.register_views_in_doc(self, self._app, self.spec, name=name, parameters=parameters)
        self.spec.tag({"name": name, "description": blp.description})

    def describe(self) -> dict[str, Any]:
        """The description of all that is mounted, in OpenAPI's words.

        It is worked out when it is first asked for: it takes as long as all the rest of a start, and some megabytes.
        """
        with self._describing:
            while self._undescribed:
                self._describe_one(*self._undescribed.pop(0))
            described: dict[str, Any] = self.spec.to_dict()
            return described


def serves_api() -> bool:
    """Whether the request goes to a route of the REST API or of another hub's wire format: what ``HubApi`` lists."""
    return request.blueprint in current_app.extensions["flask-smorest"]["blp_name_to_api"]
