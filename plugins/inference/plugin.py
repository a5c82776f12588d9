"""The manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hub.plugin import (
    Context,
    DriverGroup,
    JobSpec,
    NavItem,
    Permission,
    Plugin,
    Role,
    Schedule,
    Subject,
    TokenScope,
)
from hub.plugin.services import find
from plugins.inference.settings import InferenceSettings
from plugins.inference.web import PREFIXES, list_nav_items

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from flask import Blueprint


class InferencePlugin(Plugin):
    """Inference

    A gateway that speaks OpenAI's protocol: models of providers under one address, with API keys, limits and budgets.
    """

    name = "inference"
    settings = InferenceSettings
    url_prefixes = (
        "/v1",
        "/api/v1/config/llms",
        "/api/v1/namespaces/<uuid>/apikeys",
        "/api/v1/namespaces/<uuid>/budgets",
        *PREFIXES,
    )
    models = "plugins.inference.models"
    migrations = True
    permissions = (
        Permission(
            "inference:key:read",
            "see a namespace's API keys, never their values",
            on=Subject.NAMESPACE,
            role=Role.ADMIN,
            scope=TokenScope.READ,
        ),
        Permission(
            "inference:key:write",
            "make, change and delete a namespace's API keys",
            on=Subject.NAMESPACE,
            role=Role.ADMIN,
            scope=TokenScope.ADMIN,
        ),
    )

    def web_blueprints(self) -> Iterable[Blueprint]:
        from plugins.inference.web import list_blueprints

        return list_blueprints()

    def nav_items(self) -> Iterable[NavItem]:
        return list_nav_items()

    def api_blueprints(self) -> Iterable[Any]:
        from plugins.inference.api import blp

        return (blp,)

    def driver_groups(self) -> Iterable[DriverGroup[Any]]:
        from plugins.inference.engines.engine import ENGINES

        return (ENGINES,)

    def jobs(self) -> Iterable[JobSpec]:
        from plugins.inference.files.jobs import JOBS

        return JOBS

    def schedules(self) -> Iterable[Schedule]:
        from plugins.inference.files.jobs import SCHEDULES

        return SCHEDULES

    def wsgi_apps(self) -> Mapping[str, Callable[[Context], WSGIApplication]]:
        return {"/v1": lambda context: find(context, "gateway")}

    def services(self) -> Mapping[str, Callable[[Context], object]]:
        return {"gateway": _create_gateway}


def _create_gateway(context: Context) -> object:
    from plugins.inference.gateway.app import create_gateway

    return create_gateway(context)
