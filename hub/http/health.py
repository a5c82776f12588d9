"""Whether the hub can work: ``GET /-/health`` (this process lives), ``GET /-/ready`` (what it stands on answers).

``hub doctor`` runs the same checks and more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import redis
from flask import Blueprint, Response, current_app
from flask.sansio.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError

from hub import __version__
from hub.base.context import Context
from hub.base.errors import HubError
from hub.base.health import HEALTH, Check, CheckStatus, HealthCheck, fail, ok
from hub.base.log import get_logger
from hub.base.secrets import SECRET, Signer
from hub.db import revisions
from hub.db.engine import DATABASE
from hub.http.context import current_context
from hub.jobs.queue import REDIS
from hub.objects.store import STORE

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = get_logger(__name__)

# Load balancers ask often, and anybody may ask; what stands now stands for this long.
_READY_TTL_S = 2.0
_READINESS = "hub_readiness"
# A plugin that hangs must not take the forge's own answer with it.
_PLUGIN_LIMIT_S = 2.0


def check_database(context: Context) -> Check:
    """Whether the database answers."""
    database = context[DATABASE]
    where = "SQLite" if database.is_sqlite else f"PostgreSQL at {database.url.host or 'a local socket'}"
    try:
        database.check()
    except HubError as error:
        return fail("database", f"{where}: {error}", "Start the database, or correct HUB_DATABASE_URL.")
    return ok("database", f"{where} answers.")


def check_migrations(context: Context) -> Check:
    """Whether the database has every table that this release expects."""
    try:
        is_current = revisions.is_current(context[DATABASE])
    except (HubError, SQLAlchemyError):
        return fail("migrations", "The database cannot be read.", "See the check of the database.")
    if not is_current:
        return fail("migrations", "The database lacks migrations of this release.", "Run `hub db upgrade`.")
    return ok("migrations", "The database is up to date.")


def check_redis(context: Context) -> Check:
    """Whether Redis answers. Without it no job starts and no limit counts, and nothing is lost."""
    try:
        context[REDIS].ping()
    except (redis.RedisError, OSError) as error:
        advice = "Start Redis, or correct HUB_REDIS_URL."
        if not context.settings.redis_url:
            advice = "Start `hub serve`, which runs a Redis of its own, or set HUB_REDIS_URL."
        return fail("redis", f"Redis does not answer ({type(error).__name__}).", advice)
    return ok("redis", "Redis answers.")


def check_storage(context: Context) -> Check:
    """Whether the object store answers."""
    try:
        context[STORE].check()
    except HubError as error:
        return fail("storage", str(error), "Start the store, or correct HUB_STORAGE_URL.")
    return ok("storage", "The object store answers.")


READY_CHECKS: Sequence[HealthCheck] = (check_database, check_migrations, check_redis, check_storage)


def run_check(check: HealthCheck, context: Context, *, name: str = "") -> Check:
    """The check's finding; a check that itself breaks has found a failure."""
    try:
        found = check(context)
        if not isinstance(found, Check):
            raise TypeError("no Check")
        return found
    except Exception as error:
        name = name or getattr(check, "__name__", "check").removeprefix("check_")
        log.exception("check_broke", check=name)
        return fail(name, f"The check itself failed ({type(error).__name__}).", "See the log.")


class PluginChecks:
    """Looks at what the plugins stand on, all at once, each in a thread, and waits for none of them for long."""

    def __init__(self) -> None:
        self._looking: dict[str, threading.Thread] = {}

    def run(self, context: Context, *, limit_s: float = _PLUGIN_LIMIT_S) -> list[Check]:
        """What each plugin's check has found, under its plugin's name.

        limit_s: one that takes longer is told of as failed. While it still runs, it is not begun anew.
        """
        found: dict[str, Check] = {}

        def look(name: str, check: HealthCheck) -> None:
            found[name] = replace(run_check(check, context, name=name), name=name)

        entries = list(context[HEALTH].entries())
        for entry in entries:
            if entry.name not in self._looking or not self._looking[entry.name].is_alive():
                thread = threading.Thread(target=look, args=(entry.name, entry.value), daemon=True)
                self._looking[entry.name] = thread
                thread.start()
        deadline = time.monotonic() + limit_s
        for entry in entries:
            self._looking[entry.name].join(max(0.0, deadline - time.monotonic()))
        late = f"The check did not end within {limit_s:.0f} s."
        return [found.get(entry.name) or fail(entry.name, late, "See the plugin's log.") for entry in entries]


def instance_id(context: Context) -> str:
    """16 characters that name this installation: the same for all its processes, and no secret."""
    return Signer(context[SECRET], "instance").sign("id")[:16]


blueprint = Blueprint("health", __name__, url_prefix="/-")


@blueprint.get("/health")
def show_health() -> Response:
    """200 as long as this process answers at all; says which installation it is."""
    return _say_health(current_context())


def _say_health(context: Context) -> Response:
    response = _json(200, {"status": "ok", "instance": instance_id(context), "version": __version__})
    # The set-up asks from one of the hub's addresses whether another leads here, too.
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


class _Readiness:
    """The last good answer of one application, for a moment."""

    def __init__(self) -> None:
        self.good_until = 0.0
        self.checks: list[Check] = []
        self._plugins = PluginChecks()

    def look(self, context: Context) -> list[Check]:
        if time.monotonic() >= self.good_until:
            told = [_tell_anybody(check) for check in self._plugins.run(context)]
            self.checks = [run_check(check, context) for check in READY_CHECKS] + told
            if not any(check.status == CheckStatus.FAIL for check in self.checks):
                self.good_until = time.monotonic() + _READY_TTL_S
        return self.checks


def _tell_anybody(check: Check) -> Check:
    """What a plugin's check has found, without its words: anybody may ask, and ``hub doctor`` has them.

    A plugin that is unwell takes no load balancer away from the forge.
    """
    if check.status == CheckStatus.OK:
        return replace(check, message="The plugin is well.")
    return replace(check, status=CheckStatus.WARN, message="The plugin is unwell; `hub doctor` says why.")


@blueprint.record
def _prepare(state: BlueprintSetupState) -> None:
    state.app.extensions[_READINESS] = _Readiness()


def look_at_readiness() -> list[Check]:
    """What this application stands on, a moment ago at most; of plugins no more than whether they are well."""
    readiness: _Readiness = current_app.extensions[_READINESS]
    return readiness.look(current_context())


@blueprint.get("/ready")
def show_readiness() -> Response:
    """200 when database, migrations, Redis and storage are well, else 503; the body says what is not."""
    return _say_readiness(look_at_readiness())


def _say_readiness(checks: Sequence[Check]) -> Response:
    is_ready = not any(check.status == CheckStatus.FAIL for check in checks)
    found: dict[str, object] = {}
    for check in checks:
        # The hub's own come first; a plugin of such a name does not speak for them.
        name = f"plugin {check.name}" if check.name in found else check.name
        found[name] = {"status": check.status.value, "message": check.message}
    return _json(200 if is_ready else 503, {"status": "ready" if is_ready else "not ready", "checks": found})


def _json(status: int, body: dict[str, object]) -> Response:
    response = Response(json.dumps(body), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


class HealthApp:
    """Both answers as a WSGI application, for a server that has no Flask application; it has nothing else."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._readiness = _Readiness()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/-/health":
            response = _say_health(self._context)
        elif path == "/-/ready":
            response = _say_readiness(self._readiness.look(self._context))
        else:
            response = _json(404, {"code": "not_found", "msg": "This server has no such address."})
        return response(environ, start_response)
