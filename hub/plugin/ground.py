"""Who has which addresses, and what only the hub may do to the whole application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import RequestRedirect

from hub.accounts.models import Namespace
from hub.base.context import Context
from hub.base.errors import HubError
from hub.db.uow import reading
from hub.http.routing import COLLECTION, REPOSITORY
from hub.plugin.host import PluginHost
from hub.plugin.states import HostedPlugin, PluginError
from hub.repos.kinds import KINDS

_API = "/api/v1"
# The pages of a namespace and of a model by their bare names, and the sections of one's settings: whatever is spelled
# out comes before them.
_SHORT_ADDRESSES = frozenset({"/<owner:namespace>", "/<owner:namespace>/<name>", "/settings/<section>"})
# What stands for "below every repository" where an address is tried rather than compared.
_SOME_REPOSITORY = "/models/a/b"


class Ground:
    """The addresses of one application and their owners, as they are taken one plugin after the other."""

    def __init__(self, app: Flask, context: Context, host: PluginHost) -> None:
        self._app = app
        self._context = context
        self._host = host
        self._owners = {rule.rule: "hub" for rule in app.url_map.iter_rules()}
        self._namespaces = _find_namespaces(context, host)

    def refuse_kinds(self, hosted: HostedPlugin) -> None:
        """Raise PluginError for a kind of asset whose addresses are routes of the hub."""
        # Every kind's list is a page of the hub, also that of a plugin's kind.
        lists = {f"/{kind.page_path}{rest}" for kind in self._context[KINDS].values() for rest in ("", "/new")}
        own = (rule for rule, owner in self._owners.items() if owner == "hub" and rule not in lists)
        taken = {part for rule in own for part in _first_segments(rule)}
        for entry in self._context[KINDS].entries():
            if entry.owner == hosted.name and (segments := taken & set(entry.value.segments)):
                name = ", ".join(sorted(segments))
                raise PluginError(f"the addresses of its kind {entry.name!r}, {name}, are already taken by hub")

    def refuse_prefixes(self, hosted: HostedPlugin) -> None:
        """Raise PluginError when a declared prefix lies in somebody else's ground, or theirs in it; or when somebody
        else answers at a single address."""
        for prefix in list_prefixes(hosted):
            owner = self.find_owner(hosted, prefix)
            if owner:
                raise PluginError(f"its prefix {prefix!r} is already taken by {owner}")
        assert hosted.plugin is not None
        for address in hosted.plugin.wsgi_addresses:
            owner = self._find_answering(address)
            if owner not in ("", hosted.name):
                raise PluginError(f"its address {address!r} is already taken by {owner}")

    def find_owner(self, hosted: HostedPlugin, prefix: str) -> str:
        """Who else has addresses under a prefix, or above it; empty: nobody."""
        if _is_of_repositories(self._context, prefix):
            return "hub"
        if prefix.split("/")[1] in self._namespaces:
            return f"the namespace {prefix.split('/')[1]!r}"
        for rule, owner in self._owners.items():
            if is_below(rule, prefix) and owner != hosted.name:
                return owner
        for other in self._host.active():
            if other.name != hosted.name and any(
                is_below(prefix, taken) or is_below(taken, prefix)
                for taken in list_prefixes(other)
                if other.name in self._owners.values()
            ):
                return other.name
        return self._find_answering(prefix)

    def _find_answering(self, prefix: str) -> str:
        """Who answers at a prefix or below it by a route that is spelled with variables; empty: nobody."""
        address = prefix.replace(REPOSITORY, _SOME_REPOSITORY)
        adapter = self._app.url_map.bind("hub")
        for path in (address, f"{address}/x"):
            try:
                rule, _ = adapter.match(path, return_rule=True)
                if rule.rule in _SHORT_ADDRESSES:
                    continue
                return self._owners.get(rule.rule, "hub")
            except NotFound:
                continue
            except (HTTPException, RequestRedirect):
                # There is a route, for another method or with another slash at the end.
                return "hub"
        return ""

    def take(self, hosted: HostedPlugin, rules: Iterator[Any]) -> None:
        """Note the routes that a plugin has added. Raises PluginError for one outside its declared prefixes."""
        for rule in rules:
            if not any(is_below(rule.rule, prefix) for prefix in list_prefixes(hosted)):
                assert hosted.plugin is not None
                raise PluginError(
                    f"its route {rule.rule} lies under none of its url_prefixes {hosted.plugin.url_prefixes} "
                    f"or repository_paths {hosted.plugin.repository_paths}"
                )
            owner = self._owners.setdefault(rule.rule, hosted.name)
            if owner != hosted.name:
                raise PluginError(f"its route {rule.rule} is already taken by {owner}")


def list_prefixes(hosted: HostedPlugin) -> Iterator[str]:
    """With what the rules of a plugin's routes may begin."""
    assert hosted.plugin is not None
    yield from hosted.plugin.url_prefixes
    for path in hosted.plugin.collection_paths:
        yield f"{_API}{COLLECTION}{path}"
    for path in hosted.plugin.repository_paths:
        yield f"{_API}{REPOSITORY}{path}"
        yield f"{REPOSITORY}{path}"


def is_below(path: str, prefix: str) -> bool:
    """Whether a path or rule is the prefix or lies under it."""
    return path == prefix or path.startswith(f"{prefix}/")


def _is_of_repositories(context: Context, prefix: str) -> bool:
    """Whether addresses of repositories begin so; the rules of the application spell these with variables."""
    first = prefix.removeprefix(_API).split("/")[1:2]
    segments = {segment for kind in context[KINDS].values() for segment in kind.segments}
    return prefix in ("/api", _API) or bool(segments & set(first))


def _first_segments(rule: str) -> set[str]:
    parts = rule.removeprefix(_API).split("/")
    return {parts[1]} if len(parts) > 1 and not parts[1].startswith("<") else set()


def _find_namespaces(context: Context, host: PluginHost) -> set[str]:
    """The namespaces that bear the name of a plugin's first segment: the short addresses of Git are theirs."""
    firsts = {prefix.split("/")[1].lower() for hosted in host.list_all() for prefix in hosted.url_prefixes}
    if not firsts:
        return set()
    try:
        with reading(context) as work:
            found = work.session.execute(
                select(Namespace.path, Namespace.path_key).where(Namespace.path_key.in_(firsts))
            )
            return {name for row in found for name in row}
    except (SQLAlchemyError, HubError):
        return set()


def snapshot_hooks(app: Flask) -> Mapping[str, object]:
    """What reaches every request of the application, by what it is called."""
    hooks: dict[str, object] = {
        name: list(getattr(app, name).get(None, ()))
        for name in ("before_request_funcs", "after_request_funcs", "teardown_request_funcs", "url_value_preprocessors")
    }
    hooks["url_default_functions"] = list(app.url_default_functions.get(None, ()))
    hooks["template_context_processors"] = list(app.template_context_processors.get(None, ()))
    hooks["error_handlers"] = {
        code: dict(found) for code, found in app.error_handler_spec.get(None, {}).items() if found
    }
    hooks["converters"] = dict(app.url_map.converters)
    hooks["template filters"] = dict(app.jinja_env.filters)
    hooks["template globals"] = dict(app.jinja_env.globals)
    hooks["template tests"] = dict(app.jinja_env.tests)
    return hooks


def refuse_hooks(app: Flask, before: Mapping[str, object]) -> None:
    """Raise PluginError when something that reaches every request has come since the snapshot."""
    for name, found in snapshot_hooks(app).items():
        if found != before[name]:
            raise PluginError(
                f"its blueprints change {name} of the whole application; a plugin's reach ends at its own"
            )
