"""For site administrators: the plugins and the settings, over REST and as pages of the console."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Flask, Response, request
from marshmallow import Schema, fields

from hub.accounts.policy import require_site_admin
from hub.api.envelope import enveloped, ok
from hub.base.effective import MASK
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.errors import speak
from hub.http.rest import HubApi
from hub.http.routing import PREFIX, ApiBlueprint
from hub.jobs.overview import list_failures, list_queues
from hub.jobs.workers import list_workers
from hub.licensing.service import LICENSING
from hub.plugin.overview import list_plugins, list_settings
from hub.plugin.states import PluginState
from hub.repos.figures import list_uses
from hub.web.console import render_console, require_console
from hub.web.errors import render_html_error
from hub.web.operations import diagnose
from hub.web.setting_up import let_reach, make_store_probe

blp = ApiBlueprint("plugins", __name__, url_prefix=f"{PREFIX}/admin", description="Plugins and settings")
pages = Blueprint("plugin_pages", __name__)
_SHOWN_FAILURES = 20
speak(pages, render_html_error)


def install(app: Flask, api: HubApi) -> None:
    """Mount both; done once, by ``create_app``."""
    api.register_blueprint(blp)
    app.register_blueprint(pages)


class PluginsQuery(Schema):
    """How the list is narrowed."""

    state = fields.String(load_default="", metadata={"description": "enabled, read_only, locked, disabled, broken"})


class PluginSchema(Schema):
    """A plugin and what became of it."""

    name = fields.String()
    title = fields.String()
    description = fields.String()
    state = fields.String(metadata={"description": "enabled, read_only, locked, disabled or broken"})
    reason = fields.String(metadata={"description": "why it is not enabled; empty when it is"})
    version = fields.String()
    distribution = fields.String(metadata={"description": "the Python distribution that brought it"})
    feature = fields.String(allow_none=True, metadata={"description": "the word of the licence; null: none needed"})
    requires = fields.List(fields.String())
    points = fields.List(fields.String(), metadata={"description": "the extension points that it uses"})
    migrations = fields.String(metadata={"description": "none, current, pending, absent or unknown"})


class SettingSchema(Schema):
    """A setting in force."""

    name = fields.String(metadata={"description": "as in hub.toml; a plugin's begin with plugin.NAME."})
    value = fields.Raw(metadata={"description": "a text, a number or a truth value; secrets are masked"})
    origin = fields.String(metadata={"description": "default, file or environment"})
    unit = fields.String()
    help = fields.String()


def _require_admin() -> None:
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())


@blp.get("/plugins")
@blp.arguments(PluginsQuery, location="query")
@blp.response(200, enveloped(PluginSchema, many=True))
def list_all_plugins(query: dict[str, Any]) -> dict[str, Any]:
    """Every plugin that is installed or asked for, by name, as the process that answers sees it."""
    _require_admin()
    found = list_plugins(current_context(), state=query["state"])
    return ok(found, total=len(found))


@blp.get("/settings")
@blp.response(200, enveloped(SettingSchema, many=True))
def list_all_settings() -> dict[str, Any]:
    """Every setting of the process that answers: value, where it came from, what it is for. Secrets are masked."""
    _require_admin()
    rows = list_settings(current_context())
    return ok(rows, total=len(rows))


@pages.get("/admin_panel/plugins")
@pages.get("/-/plugins")
def show_plugins() -> Response:
    """The same as a page of the console."""
    context, state = current_context(), request.args.get("state", "")
    with reading(context) as work:
        require_console(work)
    plugins = list_plugins(context, state=state)
    return render_console(
        "plugins",
        "plugins.html",
        state="ready" if plugins else "empty",
        plugins=plugins,
        chosen=state,
        states={word.value: word.value.replace("_", " ") for word in PluginState},
        edition=context[LICENSING].edition,
    )


@pages.get("/admin_panel/system/diagnostics.json")
def send_diagnostics() -> Response:
    """What to send along with a question about this hub; there are no secrets in it."""
    context = current_context()
    with reading(context) as work:
        actor = require_console(work)
        queues, failures = list_queues(work), list_failures(work, limit=_SHOWN_FAILURES)
        uses = list_uses(work, actor=actor, page=PageArgs(per=1)).total
    found = diagnose(context, queues=queues) | {
        "workers": [asdict(worker) for worker in list_workers(context) or ()],
        "plugins": list_plugins(context),
        "recent_failures": [asdict(failure) for failure in failures],
        "namespaces_with_repositories": uses,
    }
    response = Response(json.dumps(found, indent=2, default=str), mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename="hub-diagnostics.json")
    response.headers["Cache-Control"] = "private, no-store"
    return response


@pages.get("/admin_panel/settings")
def show_settings() -> Response:
    """Every setting in force, with where its value came from. ``search``, ``origin``."""
    context, query = current_context(), request.args
    with reading(context) as work:
        require_console(work)
    words, origin = query.get("search", "").lower().split(), query.get("origin", "")
    rows = list_settings(context)
    shown = [
        row
        for row in rows
        if (not origin or row["origin"] == origin)
        and all(word in f"{row['name']} {row['help']}".lower() for word in words)
    ]
    response = render_console(
        "settings",
        "settings.html",
        state="ready" if shown else "empty",
        rows=[row | lines_of(row) for row in shown],
        total=len(rows),
        search=query.get("search", ""),
        origin=origin,
        origins=("default", "file", "environment"),
        home=context.settings.home,
    )
    for url in filter(None, (context.settings.effective_base_url, make_store_probe(context))):
        let_reach(response, url)
    return response


def lines_of(row: dict[str, Any]) -> dict[str, str]:
    """The lines that set a setting: in hub.toml, and in the environment."""
    name, value = row["name"], row["value"]
    if not name.startswith("plugin."):
        return {"toml": f"{name} = {_toml(value)}", "variable": f"HUB_{name.upper()}={_plain(value)}"}
    _, plugin, key = name.split(".", 2)
    return {
        "toml": f"[plugin.{plugin}]\n{key} = {_toml(value)}",
        "variable": f"HUB_{plugin.upper()}_{key.upper()}={_plain(value)}",
    }


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value == MASK else str(value)


def _toml(value: Any) -> str:
    # JSON's texts, numbers and truth values are TOML's, too.
    return json.dumps("" if value == MASK else value, ensure_ascii=False)
