"""Mounting plugins on the Flask application: their blueprints, and what stands in for those that are locked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.routing import Rule

from hub.api.app import HubApi
from hub.api.routing import REPOSITORY
from hub.base.context import Context
from hub.http.context import current_context
from hub.plugin.host import PLUGINS, PluginHost
from hub.plugin.loading import describe
from hub.plugin.open_views import stays_open
from hub.plugin.states import HostedPlugin, PluginError, PluginState
from hub.repos.kinds import KINDS
from hub.web.errors import wants_html
from hub.web.pages import render_page

API_REPOSITORY = f"/api/v1{REPOSITORY}"
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
    owners = {rule.rule: "hub" for rule in app.url_map.iter_rules()}
    for hosted in host.active():
        try:
            _refuse_taken_prefixes(context, hosted, host, owners)
            _mount_one(app, api, hosted, owners)
        except PluginError as error:
            raise MountFault(hosted.name, str(error)) from error
        except (Exception, SystemExit) as error:
            raise MountFault(hosted.name, describe(error)) from error
    for hosted in host.locked():
        _mount_locked(app, context, hosted, owners)
    if any(hosted.state == PluginState.READ_ONLY for hosted in host.active()):
        app.before_request(_refuse_writes)


def plugin_of_request() -> HostedPlugin | None:
    """The plugin that serves this request, or None."""
    owners = current_app.extensions[_OWNERS]
    # From the innermost outward: a plugin's blueprint may hold further ones.
    name = next((owners[blueprint] for blueprint in request.blueprints if blueprint in owners), None)
    return current_context()[PLUGINS].find(name) if name else None


def _mount_one(app: Flask, api: HubApi, hosted: HostedPlugin, owners: dict[str, str]) -> None:
    plugin = hosted.plugin
    assert plugin is not None
    before = {id(rule) for rule in app.url_map.iter_rules()}
    contributions: tuple[tuple[str, str, list[Any], Callable[[Any], None]], ...] = (
        ("API routes", "api", list(plugin.api_blueprints()), api.register_blueprint),
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
    for rule in app.url_map.iter_rules():
        if id(rule) not in before:
            _judge_rule(rule, hosted, owners)
            owners[rule.rule] = plugin.name
    for item in plugin.nav_items():
        if item.endpoint not in app.view_functions:
            raise PluginError(f"its navigation item {item.label!r} leads to {item.endpoint!r}, which is no page")


def _judge_rule(rule: Rule, hosted: HostedPlugin, owners: dict[str, str]) -> None:
    assert hosted.plugin is not None
    if not any(_is_below(rule.rule, prefix) for prefix in _prefixes(hosted)):
        raise PluginError(
            f"its route {rule.rule} lies under none of its url_prefixes {hosted.plugin.url_prefixes} "
            f"or repository_paths {hosted.plugin.repository_paths}"
        )
    owner = owners.get(rule.rule, hosted.name)
    if owner != hosted.name:
        raise PluginError(f"its route {rule.rule} is already taken by {owner}")


def _prefixes(hosted: HostedPlugin) -> Iterator[str]:
    assert hosted.plugin is not None
    yield from hosted.plugin.url_prefixes
    for path in hosted.plugin.repository_paths:
        yield f"{API_REPOSITORY}{path}"
        yield f"{REPOSITORY}{path}"


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _refuse_taken_prefixes(context: Context, hosted: HostedPlugin, host: PluginHost, owners: dict[str, str]) -> None:
    """Raise PluginError when a declared prefix lies in somebody else's ground, or theirs in it."""
    assert hosted.plugin is not None
    for prefix in hosted.plugin.url_prefixes:
        if _is_of_repositories(context, prefix):
            raise PluginError(f"its prefix {prefix!r} is already taken by hub")
    for prefix in _prefixes(hosted):
        for rule, owner in owners.items():
            if _is_below(rule, prefix) and owner != hosted.name:
                raise PluginError(f"its prefix {prefix!r} is already taken by {owner}")
        for other in host.active():
            if other is hosted:
                break
            for taken in _prefixes(other):
                if _is_below(prefix, taken) or _is_below(taken, prefix):
                    raise PluginError(f"its prefix {prefix!r} is already taken by {other.name}")


def _is_of_repositories(context: Context, prefix: str) -> bool:
    """Whether addresses of repositories begin so; the rules of the application spell these with variables."""
    first = prefix.removeprefix("/api/v1").split("/")[1:2]
    segments = {segment for kind in context[KINDS].values() for segment in kind.segments}
    return prefix in ("/api", "/api/v1") or bool(segments & set(first))


def _mount_locked(app: Flask, context: Context, hosted: HostedPlugin, owners: dict[str, str]) -> None:
    name = hosted.name

    def answer_locked(**_values: Any) -> Response:
        host = current_context()[PLUGINS]
        locked = host.find(name)
        assert locked is not None
        if wants_html():
            return render_page("hub/not_in_this_edition.html", status=404, plugin=locked)
        raise host.locked_error(locked)

    app.view_functions[f"locked_{name}"] = answer_locked
    for prefix in _prefixes(hosted):
        # Ground that the hub, or somebody who runs, has: their routes stand.
        is_taken = _is_of_repositories(context, prefix) or any(_is_below(rule, prefix) for rule in owners)
        if not is_taken:
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
