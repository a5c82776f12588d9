"""Mounting plugins on the Flask application: their blueprints, and what stands in for those that are locked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, request

from hub.base.context import Context
from hub.http.context import current_context
from hub.http.rest import HubApi
from hub.plugin.beside import Beside
from hub.plugin.ground import Ground, list_prefixes, refuse_hooks, snapshot_hooks
from hub.plugin.host import PLUGINS
from hub.plugin.loading import blaming
from hub.plugin.open_views import stays_open
from hub.plugin.states import HostedPlugin, PluginError, PluginState
from hub.web.errors import wants_html
from hub.web.navigation import NAVIGATION
from hub.web.pages import render_page

_OWNERS = "hub_plugin_of_blueprint"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ALL_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class MountFault(Exception):
    """A plugin could not be mounted. The application is built anew without it: Flask takes nothing back."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name
        self.reason = reason


def mount(app: Flask, api: HubApi, context: Context) -> None:
    """Mount every plugin that runs, and answer in place of those that are locked. Raises MountFault."""
    host = context[PLUGINS]
    app.extensions[_OWNERS] = {}
    ground = Ground(app, context, host)
    beside = Beside(app.wsgi_app)
    for hosted in host.active():
        try:
            with blaming():
                ground.refuse_kinds(hosted)
                ground.refuse_prefixes(hosted)
                _mount_one(app, api, context, hosted, ground)
                beside.add_all(context, hosted)
        except PluginError as error:
            raise MountFault(hosted.name, str(error)) from error
    if beside:
        app.wsgi_app = beside  # type: ignore[method-assign]
    for hosted in host.locked():
        _mount_locked(app, hosted, ground)
    if any(hosted.state == PluginState.READ_ONLY for hosted in host.active()):
        app.before_request(_refuse_writes)


def plugin_of_request() -> HostedPlugin | None:
    """The plugin that serves this request, or None."""
    owners = current_app.extensions[_OWNERS]
    # From the innermost outward: a plugin's blueprint may hold further ones.
    name = next((owners[blueprint] for blueprint in request.blueprints if blueprint in owners), None)
    return current_context()[PLUGINS].find(name) if name else None


def _mount_one(app: Flask, api: HubApi, context: Context, hosted: HostedPlugin, ground: Ground) -> None:
    plugin = hosted.plugin
    assert plugin is not None
    before, hooks = {id(rule) for rule in app.url_map.iter_rules()}, snapshot_hooks(app)
    contributions: tuple[tuple[str, str, list[Any], Callable[[Any], None]], ...] = (
        ("API routes", "api", list(plugin.api_blueprints()), api.register_and_describe),
        ("pages", "web", list(plugin.web_blueprints()), app.register_blueprint),
    )
    for point, word, blueprints, register in contributions:
        for blueprint in blueprints:
            if not blueprint.name.startswith(f"{plugin.name}_{word}"):
                raise PluginError(f"its blueprint {blueprint.name!r} is not named '{plugin.name}_{word}...'")
            register(blueprint)
            app.extensions[_OWNERS][blueprint.name] = plugin.name
        if blueprints and point not in hosted.points:
            hosted.points.append(point)
    refuse_hooks(app, hooks)
    ground.take(hosted, (rule for rule in app.url_map.iter_rules() if id(rule) not in before))
    for entry in context[NAVIGATION].entries():
        if entry.owner == plugin.name and entry.value.endpoint not in app.view_functions:
            label, endpoint = entry.value.label, entry.value.endpoint
            raise PluginError(f"its navigation item {label!r} leads to {endpoint!r}, which is no page")


def _mount_locked(app: Flask, hosted: HostedPlugin, ground: Ground) -> None:
    name = hosted.name

    def answer_locked(**_values: Any) -> Response:
        host = current_context()[PLUGINS]
        locked = host.find(name)
        assert locked is not None
        if wants_html():
            is_licensable = host.is_licensable(locked)
            return render_page("hub/not_in_this_edition.html", status=404, plugin=locked, is_licensable=is_licensable)
        raise host.locked_error(locked)

    app.view_functions[f"locked_{name}"] = answer_locked
    for prefix in list_prefixes(hosted):
        # Where the hub, a namespace, or a plugin that runs has addresses, theirs stand.
        if not ground.find_owner(hosted, prefix):
            for rule in (prefix, f"{prefix}/<path:_rest>"):
                app.add_url_rule(rule, f"locked_{name}", methods=_ALL_METHODS, strict_slashes=False)


def _refuse_writes() -> None:
    """Once the licence has expired, what is read-only takes no writes, but for views that ``keep_open`` marks."""
    if request.method in _SAFE_METHODS:
        return
    hosted = plugin_of_request()
    if hosted is None or hosted.state != PluginState.READ_ONLY:
        return
    view = current_app.view_functions.get(request.endpoint or "")
    if not stays_open(view):
        raise current_context()[PLUGINS].locked_error(hosted)
