"""The manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from hub.plugin import (
    Context,
    DriverGroup,
    JobSpec,
    Metric,
    NavItem,
    Panel,
    Permission,
    Plugin,
    Role,
    Schedule,
    Subject,
    TokenScope,
)
from hub.plugin.services import find
from plugins.inference.settings import InferenceSettings
from plugins.inference.web import PREFIXES, list_nav_items, list_panels

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from flask import Blueprint

    from hub.plugin.indexing import Indexer
    from hub.plugin.topics import Topic


class InferencePlugin(Plugin):
    """Inference

    A gateway that speaks OpenAI's protocol: models of providers under one address, with API keys, limits and budgets.
    """

    name = "inference"
    settings = InferenceSettings
    url_prefixes = (
        "/v1",
        "/health",
        "/api/v1/config/llms",
        "/api/v1/namespaces/<uuid>/apikeys",
        "/api/v1/namespaces/<uuid>/budgets",
        "/api/v1/namespaces/<uuid>/calls",
        "/api/v1/namespaces/<uuid>/spending",
        "/api/v1/calls",
        "/api/v1/spending",
        "/api/v1/user/<username>/run",
        "/api/v1/organization/<namespace>/run",
        "/api/v1/runtime_framework",
        *PREFIXES,
    )
    wsgi_addresses = tuple(
        f"/anthropic{path}"
        for path in ("/v1/messages", "/v1/messages/count_tokens", "/messages", "/messages/count_tokens")
    )
    collection_paths = ("/runtime_framework",)
    repository_paths = ("/run", "/serverless", "/runtime_framework", "/runtime_framework_v2")
    commands: ClassVar[Mapping[str, str]] = {
        "calls": "plugins.inference.calls_cli:calls",
        "engine": "plugins.inference.engines.commands:engine",
        "deployment": "plugins.inference.deployments.cli:deployment",
    }
    models = "plugins.inference.models"
    migrations = True
    metric_prefix = "hub_gateway_"
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

    def panels(self) -> Iterable[Panel]:
        return list_panels()

    def api_blueprints(self) -> Iterable[Any]:
        from plugins.inference.api import blp
        from plugins.inference.budgets_api import blp as budgets
        from plugins.inference.deployments.api import blp as deployments
        from plugins.inference.deployments.monitor_api import blp as monitor
        from plugins.inference.engines.api import blp as engines
        from plugins.inference.spending_api import blp as spending

        return (blp, budgets, deployments, engines, monitor, spending)

    def recorders(self) -> Mapping[type, str]:
        from hub.plugin.events import WorkloadChanged

        return {WorkloadChanged: "plugins.inference.deployments.metering:record_change"}

    def driver_groups(self) -> Iterable[DriverGroup[Any]]:
        from plugins.inference.engines.engine import ENGINES

        return (ENGINES,)

    def indexers(self) -> Iterable[Indexer]:
        from hub.plugin.indexing import Indexer

        run = "plugins.inference.engines.matching:index_engines"
        return (Indexer("inference.engines", "Engines that serve it", run, kinds=frozenset({"model"})),)

    def jobs(self) -> Iterable[JobSpec]:
        from plugins.inference.files.jobs import JOBS
        from plugins.inference.operations import JOBS as OPERATIONS

        scan = JobSpec("inference.scan_engines", "plugins.inference.engines.matching:scan_models", timeout_s=6 * 3600)
        return (scan, *JOBS, *OPERATIONS)

    def schedules(self) -> Iterable[Schedule]:
        from plugins.inference.files.jobs import SCHEDULES
        from plugins.inference.operations import SCHEDULES as OPERATIONS

        return (*SCHEDULES, *OPERATIONS)

    def metrics(self) -> Iterable[Metric]:
        from plugins.inference.metrics import list_metrics

        return list_metrics()

    def topics(self) -> Iterable[Topic]:
        from plugins.inference.operations import TOPICS

        return TOPICS

    def wsgi_apps(self) -> Mapping[str, Callable[[Context], WSGIApplication]]:
        return {**dict.fromkeys(("/v1", *self.wsgi_addresses), _find_gateway), "/health": _create_lively}

    def services(self) -> Mapping[str, Callable[[Context], object]]:
        return {"gateway": _create_gateway}


def _create_lively(context: Context) -> WSGIApplication:
    from plugins.inference.gateway.lively import create_lively

    return create_lively(context)


def _find_gateway(context: Context) -> WSGIApplication:
    return cast("WSGIApplication", find(context, "gateway"))


def _create_gateway(context: Context) -> object:
    from plugins.inference.gateway.app import create_gateway

    return create_gateway(context)
