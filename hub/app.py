"""The one place that knows every room, read from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hub.accounts import jobs as accounts_jobs
from hub.accounts import metrics as accounts_metrics
from hub.accounts.attempts import ATTEMPTS, create_attempt_counter
from hub.accounts.passwords import PASSWORDS, HashCost, Passwords
from hub.accounts.policy import PERMISSIONS, create_permissions
from hub.accounts.service.namespaces import RESERVED_PATHS
from hub.assets import install as assets
from hub.base.context import Context
from hub.base.drivers import DRIVER_GROUPS, create_driver_groups
from hub.base.effective import ORIGINS
from hub.base.health import HEALTH, create_health
from hub.base.mail import MAILER, create_mailer
from hub.base.metrics import METRICS, create_metrics
from hub.base.outgoing import CHANNELS, OUTGOING, OWN_CHANNELS, Channels, OwnChannels, create_outgoing
from hub.base.registry import Registry
from hub.base.secrets import SECRET, load_secret
from hub.base.settings import Settings, load
from hub.base.topics import TOPICS, create_topics
from hub.community import install as community
from hub.compute import install as compute
from hub.db.engine import DATABASE, Database
from hub.http import jobs as http_jobs
from hub.jobs import core as jobs_core
from hub.jobs import metrics as jobs_metrics
from hub.licensing import metrics as licensing_metrics
from hub.licensing import service as licensing
from hub.licensing.trust import Keyring
from hub.metering import install as metering
from hub.objects.store import STORAGE_DRIVERS, STORE, create_store
from hub.plugin import host as plugin_host
from hub.plugin import own as plugin_own
from hub.plugin.host import PLUGINS
from hub.repos import garbage
from hub.repos import jobs as repos_jobs
from hub.repos import metrics as repos_metrics
from hub.repos import topics as repos_topics
from hub.repos.checks import CHECKS, DELETE_CHECKS, create_checks
from hub.repos.downloads import DOWNLOADS, DownloadCounter
from hub.repos.kinds import KINDS, create_kinds
from hub.repos.lfs.sources import SOURCES, create_sources
from hub.repos.revisions import FOUND_FILES
from hub.repos.vetting import VETTERS
from hub.web import navigation

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from flask import Flask


def build_context(
    settings: Settings,
    *,
    hash_cost: HashCost | None = None,
    keyring: Keyring | None = None,
    origins: Mapping[str, str] | None = None,
) -> Context:
    """The rooms' shared values for one hub, without any HTTP: what jobs and commands need.

    Nothing is connected to yet: a command that only reads the settings works while the servers are away.
    hash_cost: what a password hash costs; tests set it low, everybody else leaves the default.
    keyring: whose signatures on licences count; tests have their own, everybody else the vendor's.
    origins: where each setting came from, as ``load`` says; it is only shown.
    """
    context = Context(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    context.provide(ORIGINS, origins or {})
    context.provide(SECRET, load_secret(settings))
    context.provide(DATABASE, Database(settings.effective_database_url))
    licensing.install(context, keyring)
    context.provide(TOPICS, create_topics())
    context.provide(OUTGOING, create_outgoing(settings))
    context.provide(CHANNELS, Channels(context[OUTGOING]))
    context.provide(OWN_CHANNELS, OwnChannels())
    context.provide(MAILER, create_mailer(settings))
    context.provide(METRICS, create_metrics())
    context.provide(HEALTH, create_health())
    context.provide(DRIVER_GROUPS, create_driver_groups())
    context[DRIVER_GROUPS].add(STORAGE_DRIVERS.name, STORAGE_DRIVERS)
    context.provide(STORE, create_store(settings))
    jobs_core.install(context)
    context.provide(PERMISSIONS, create_permissions())
    context.provide(RESERVED_PATHS, Registry("reserved paths"))
    context.provide(PASSWORDS, Passwords(hash_cost))
    context.provide(ATTEMPTS, create_attempt_counter(settings))
    accounts_jobs.install(context)
    context.provide(KINDS, create_kinds())
    context.provide(CHECKS, create_checks())
    context.provide(DELETE_CHECKS, Registry("delete checks"))
    context.provide(VETTERS, Registry("vetters"))
    context.provide(FOUND_FILES, {})
    context.provide(SOURCES, create_sources())
    context.provide(DOWNLOADS, DownloadCounter(context))
    repos_jobs.install(context)
    garbage.install(context)
    repos_topics.install(context)
    assets.install(context)
    community.install(context)
    compute.install(context)
    metering.install(context)
    http_jobs.install(context)
    navigation.install(context)
    for room in (licensing_metrics, jobs_metrics, accounts_metrics, repos_metrics, plugin_own):
        room.install(context)
    return context


def create_app(context: Context) -> Flask:
    """The WSGI application on a context, with the plugins that run in it (``hub.plugin.host.install``).

    A plugin that cannot be mounted is noted as broken, and the application is built anew without it.
    Raises PluginError for it where the start is strict.
    """
    # Deliberately late: workers and commands that never speak HTTP need not carry Flask.
    from hub.plugin.mounting import MountFault

    while True:
        try:
            return _mount(context)
        except MountFault as fault:
            context[PLUGINS].set_broken(fault.name, fault.reason)


def _mount(context: Context) -> Flask:
    from flask import Flask

    from hub.api import app as api
    from hub.compat import app as compat
    from hub.http import actor, conditional, cors, errors, health, idempotency, limits, routing
    from hub.http import context as http_context
    from hub.plugin import admin, mounting
    from hub.transport import git_http, internal, lfs
    from hub.web import app as web

    actor.check_settings(context.settings)
    app = Flask("hub", static_folder=None)
    app.url_rule_class = routing.LazyRule
    app.config["MAX_FORM_MEMORY_SIZE"] = context.settings.request_body_limit_bytes
    http_context.install(app, context)
    errors.install(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(internal.blueprint)
    app.register_blueprint(git_http.blueprint)
    lfs.install(app)
    web.install(app, context)
    rest = api.install(app, context)
    cors.install(app)
    limits.install(app, context)
    idempotency.install(app, context)
    conditional.install(app)
    compat.install(app, rest, context)
    # Git below the prefixes as well: an endpoint and a repository's id make an address to clone.
    app.register_blueprint(git_http.blueprint, url_prefix=compat.BELOW_PREFIXES, name="git_http_below")
    admin.install(app, rest)
    if PLUGINS in context:
        mounting.mount(app, rest, context)
        context[PLUGINS].freeze()
    return app


def create_gateway_app(context: Context) -> WSGIApplication:
    """The WSGI application of `hub gateway`: what plugins answer beside Flask, and whether it lives and can work."""
    from hub.http.health import HealthApp
    from hub.plugin.beside import create_beside

    return create_beside(context, HealthApp(context))


def preload() -> None:
    """Import what ``create_app`` will need: a server does it while its database is still being migrated."""
    import hub.api.app
    import hub.compat.app
    import hub.plugin.admin
    import hub.plugin.mounting
    import hub.transport.git_http
    import hub.transport.internal
    import hub.transport.lfs
    import hub.web.app  # noqa: F401


def create_app_from_environment() -> Flask:
    """For WSGI servers: the application with settings from ``HUB_*`` variables and ``hub.toml``, and its plugins."""
    return create_app(build_context_from_environment())


def build_context_from_environment() -> Context:
    """With settings from ``HUB_*`` variables and ``hub.toml``, and the plugins that they name."""
    loaded = load()
    context = build_context(loaded.settings, origins=loaded.origins)
    plugin_host.install(context, loaded.sections)
    return context
