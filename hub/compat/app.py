"""The wire formats of other hubs' clients as a part of the application."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Flask, Response, request

from hub.base.context import Context
from hub.base.errors import HubError, NotFound
from hub.compat import (
    account,
    attachments,
    changes,
    collections,
    discussions,
    gates,
    information,
    infos,
    large_files,
    oauth,
    people,
    raw,
    repositories,
    spaces,
    trees,
    viewer,
    viewer_queries,
    viewer_rows,
    webhooks,
    xet,
)
from hub.compat.addresses import Place, PrefixConverter, describe_prefix, prefix
from hub.compat.errors import render_hub_error
from hub.http.context import current_context
from hub.http.errors import speak, speak_elsewhere
from hub.http.rest import HubApi
from hub.repos.kinds import find_kind, get_kind

_MODULES = (
    infos,
    people,
    raw,
    information,
    large_files,
    trees,
    viewer,
    gates,
    spaces,
    webhooks,
    xet,
    changes,
    repositories,
    account,
    oauth,
    collections,
    discussions,
    attachments,
)
_NOTHING = "This hub has nothing at that address."
# What the client has calls for and this hub does not keep or run. Source: Hugging Face contract, section 14.
_UNSERVED = {
    "buckets": "This hub keeps no buckets. Large files of models and datasets are kept in chunks here as well.",
    "kernels": "This hub keeps no kernels. A model can hold any files.",
    "papers": "This hub keeps no papers.",
    "daily_papers": "This hub keeps no papers.",
    "jobs": "This hub runs no jobs of huggingface_hub's.",
    "scheduled-jobs": "This hub runs no jobs of huggingface_hub's.",
}
# Those of them that the client asks for by namespace and name, to see whether they are there.
_NAMED = ("buckets", "kernels")
_MODEL = "model"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Below a prefix, and at the root of the hub: two rules a view, however many prefixes there are.
BELOW_PREFIXES = "/<hub_prefix:hub>"
_PLACES = {"compat": BELOW_PREFIXES, "root": ""}
_OF_FILES = ("resolve", "raw")
# What at the root belongs to these clients; the rest of it is the REST API and the pages.
_OURS = re.compile(
    r"/api/(?!v1(?:/|$)|docs(?:/|$)|openapi\.json$)|/(?:[^/]+/){1,3}(?:resolve|raw)/" + f"|{viewer.ROOT}/"
)


def install(app: Flask, rest: HubApi, context: Context) -> None:
    """Mount the Hugging-Face-shaped routes; done once, by ``create_app``."""
    app.url_map.converters["hub_prefix"] = PrefixConverter
    rest.register_converter(PrefixConverter, describe_prefix)
    for place, url_prefix in _PLACES.items():
        for module in _MODULES:
            rest.register_blueprint(module.blp, url_prefix=url_prefix, name=f"{place}_{module.blp.name}")
    # The routes of all three.
    assert viewer_queries.server is viewer_rows.server is viewer.server
    rest.register_blueprint(viewer.server, url_prefix=viewer.ROOT)
    viewer.lead_hosts(app)
    _answer_the_rest(app)


def _answer_the_rest(app: Flask) -> None:
    """Tell clients of an address that nobody serves in their own dialect: a page of HTML would confuse them."""
    blueprint = Blueprint("compat_elsewhere", __name__, url_prefix=BELOW_PREFIXES)
    speak(blueprint, render_hub_error)

    def refuse(hub: str, rest: str) -> Response:
        code, message = _describe_missing()
        raise NotFound(message, code=code)

    blueprint.add_url_rule("/<path:rest>", "refuse", refuse, methods=_METHODS)
    app.register_blueprint(blueprint)

    def render(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
        if status == 404:
            return render_hub_error(status, *_describe_missing(), details)
        return render_hub_error(status, code, message, details)

    # At the root a rule for all addresses would hide which methods the others have.
    speak_elsewhere(app, render, where=_OURS)


def _describe_missing() -> tuple[str, str]:
    """The code and the words for an address that nobody serves."""
    words = _words()
    unserved = _UNSERVED.get(words[1]) if words[0] == "api" and len(words) > 1 else None
    if unserved is None:
        return _code_of_missing(), _NOTHING
    # Who wants to make one is told the words alone: that there is none yet is no news.
    is_asked_for = words[1] in _NAMED and len(words) > 3 and request.method != "POST"
    return "repository_not_found" if is_asked_for else "not_found", unserved


def _words() -> list[str]:
    """The segments of the request's address, below a prefix."""
    return request.path.removeprefix(f"/{prefix()}" if prefix() else "").strip("/").split("/")


def _code_of_missing() -> str:
    """That the repository is missing is said only where the address names one, and it is: clients believe it."""
    named = _repository_named()
    if named is None:
        return "not_found"
    kind, *path = named
    if len(path) != 2:
        return "repository_not_found"  # none is without a namespace here
    try:
        Place(get_kind(current_context(), kind), *path).get()
    except NotFound:
        return "repository_not_found"
    except HubError:
        pass  # of a bad credential, which is told wherever there is something
    return "not_found"


def _repository_named() -> list[str] | None:
    """The kind, the namespace and the name by which an address begins, or the kind and one word; None for others."""
    words, context = _words(), current_context()
    if words[0] == "api":
        kind = find_kind(context, words[1]) if len(words) > 2 else None
        return [kind.name, *words[2:4]] if kind else None
    end = next((at for at, word in enumerate(words[:4]) if at and word in _OF_FILES), 0)
    kind = find_kind(context, words[0]) if end > 1 else None
    if end == 0:
        return None
    return [kind.name, *words[1:end]] if kind else [_MODEL, *words[:end]]
