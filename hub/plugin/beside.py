"""What plugins answer beside Flask: WSGI applications below their prefixes, for what takes thousands of requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hub.base.context import Context
from hub.plugin.host import PLUGINS
from hub.plugin.loading import blaming
from hub.plugin.states import HostedPlugin, PluginError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Beside:
    """An application, and those that plugins have beside it."""

    def __init__(self, rest: WSGIApplication, apps: Mapping[str, WSGIApplication]) -> None:
        self._rest = rest
        self._apps = tuple((prefix, f"{prefix}/", app) for prefix, app in apps.items())

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, below, app in self._apps:
            if path.startswith(below) or path == prefix:
                return app(environ, start_response)
        return self._rest(environ, start_response)


def make_wsgi_apps(context: Context, hosted: HostedPlugin) -> dict[str, WSGIApplication]:
    """A plugin's applications by their prefixes. Raises PluginError."""
    plugin = hosted.plugin
    assert plugin is not None
    apps = {}
    for prefix, make in plugin.wsgi_apps().items():
        if prefix not in plugin.url_prefixes:
            raise PluginError(f"wsgi_apps() names {prefix!r}, which is none of its url_prefixes")
        apps[prefix] = make(context)
    if apps:
        hosted.points.append("WSGI applications")
    return apps


def create_beside(context: Context, rest: WSGIApplication) -> Beside:
    """All plugins' applications, for a server that has no Flask; a plugin whose own cannot be made is broken there.

    Raises PluginError for it where the start is strict.
    """
    host = context[PLUGINS]
    apps: dict[str, WSGIApplication] = {}
    for hosted in host.active():
        try:
            with blaming():
                apps |= make_wsgi_apps(context, hosted)
        except PluginError as error:
            host.set_broken(hosted.name, str(error))
    host.freeze()
    return Beside(rest, apps)
