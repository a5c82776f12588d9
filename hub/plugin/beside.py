"""What plugins answer beside Flask: WSGI applications below their prefixes, for what takes thousands of requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.base.context import Context
from hub.plugin.host import PLUGINS
from hub.plugin.loading import blaming
from hub.plugin.states import HostedPlugin, PluginError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Beside:
    """An application, and those that plugins have beside it: below a prefix, or at one address alone."""

    def __init__(self, rest: WSGIApplication) -> None:
        self._rest = rest
        self._below: list[tuple[str, str, WSGIApplication]] = []
        self._at: dict[str, WSGIApplication] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, below, app in self._below:
            if path.startswith(below) or path == prefix:
                return app(environ, start_response)
        return self._at.get(path, self._rest)(environ, start_response)

    def __bool__(self) -> bool:
        return bool(self._below or self._at)

    def add_all(self, context: Context, hosted: HostedPlugin) -> None:
        """A plugin's applications. Raises PluginError, and has none of them then."""
        plugin = hosted.plugin
        assert plugin is not None
        below, at = [], {}
        for path, make in plugin.wsgi_apps().items():
            if path in plugin.url_prefixes:
                below.append((path, f"{path}/", make(context)))
            elif path not in plugin.wsgi_addresses:
                raise PluginError(f"wsgi_apps() names {path!r}, which is none of its url_prefixes or wsgi_addresses")
            elif path in self._at:
                raise PluginError(f"its address {path!r} is already taken by another plugin")
            else:
                at[path] = make(context)
        self._below += below
        self._at |= at
        if below or at:
            hosted.points.append("WSGI applications")


def create_beside(context: Context, rest: WSGIApplication) -> Beside:
    """All plugins' applications, for a server that has no Flask; a plugin whose own cannot be made is broken there.

    Raises PluginError for it where the start is strict.
    """
    host, beside = context[PLUGINS], Beside(rest)
    for hosted in host.active():
        try:
            with blaming():
                beside.add_all(context, hosted)
        except PluginError as error:
            host.set_broken(hosted.name, str(error))
    host.freeze()
    return beside
