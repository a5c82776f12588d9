"""The one place that knows every room, read from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.accounts import jobs as accounts_jobs
from hub.accounts.attempts import ATTEMPTS, create_attempt_counter
from hub.accounts.passwords import PASSWORDS, HashCost, Passwords
from hub.base.context import Context
from hub.base.secrets import SECRET, load_secret
from hub.base.settings import Settings, load
from hub.db.engine import DATABASE, Database
from hub.jobs import core as jobs_core
from hub.licensing import service as licensing
from hub.licensing.trust import Keyring
from hub.objects.store import STORE, create_store
from hub.repos import garbage
from hub.repos import jobs as repos_jobs
from hub.repos.checks import CHECKS, create_checks
from hub.repos.kinds import KINDS, create_kinds

if TYPE_CHECKING:
    from flask import Flask


def build_context(settings: Settings, *, hash_cost: HashCost | None = None, keyring: Keyring | None = None) -> Context:
    """The rooms' shared values for one hub, without any HTTP: what jobs and commands need.

    Nothing is connected to yet: a command that only reads the settings works while the servers are away.
    hash_cost: what a password hash costs; tests set it low, everybody else leaves the default.
    keyring: whose signatures on licences count; tests have their own, everybody else the vendor's.
    """
    context = Context(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    context.provide(SECRET, load_secret(settings))
    context.provide(DATABASE, Database(settings.effective_database_url))
    licensing.install(context, keyring)
    context.provide(STORE, create_store(settings))
    jobs_core.install(context)
    context.provide(PASSWORDS, Passwords(hash_cost))
    context.provide(ATTEMPTS, create_attempt_counter(settings))
    accounts_jobs.install(context)
    context.provide(KINDS, create_kinds())
    context.provide(CHECKS, create_checks())
    repos_jobs.install(context)
    garbage.install(context)
    return context


def create_app(context: Context) -> Flask:
    """The WSGI application on a context."""
    # Deliberately late: workers and commands that never speak HTTP need not carry Flask.
    from flask import Flask

    from hub.api import app as api
    from hub.http import context as http_context
    from hub.http import errors, health
    from hub.transport import git_http, internal, lfs

    app = Flask("hub", static_folder=None)
    app.config["MAX_FORM_MEMORY_SIZE"] = context.settings.request_body_limit_bytes
    http_context.install(app, context)
    errors.install(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(internal.blueprint)
    app.register_blueprint(git_http.blueprint)
    lfs.install(app)
    api.install(app, context)
    return app


def create_app_from_environment() -> Flask:
    """For WSGI servers: the application with settings from ``HUB_*`` variables and ``hub.toml``."""
    return create_app(build_context(load().settings))
