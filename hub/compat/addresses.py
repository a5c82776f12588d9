"""The addresses of Hugging-Face-shaped routes, under each prefix. Source: CSGHub contract, sections 1.1 and 3.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request
from werkzeug.routing import BaseConverter

from hub.base.context import Context
from hub.compat.errors import render_hub_error
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.origin import hub_url
from hub.http.routing import ApiBlueprint
from hub.http.words import raw_path, words_from
from hub.repos.kinds import RepositoryKind, get_kind
from hub.repos.mirrored import branch_meant, get_mirror_or_local, show_mirror_or_local
from hub.repos.models import Repository
from hub.repos.revisions import split_revision
from hub.repos.rows import Shown

View = TypeVar("View", bound=Callable[..., Any])

PREFIXES = ("csg", "hf", "ms")
# At the root of the hub the routes are what they are below this prefix.
_AT_ROOT = "hf"
_MODEL = "model"


class PrefixConverter(BaseConverter):
    """The first segment of an address under a prefix. One rule for all of them takes a third of the memory of three."""

    regex = f"(?:{'|'.join(PREFIXES)})"
    # Before a namespace's, which is any text: /hf/ada/resolve/... is a repository called "resolve".
    weight = 50


def describe_prefix(converter: PrefixConverter) -> dict[str, Any]:
    """The converter in OpenAPI's words."""
    return {"type": "string", "enum": [*PREFIXES]}


@dataclass(frozen=True)
class Place:
    """The repository that an address names, as another hub's client spells it."""

    kind: RepositoryKind
    namespace: str
    name: str

    def load(self, work: UnitOfWork) -> Repository:
        """The repository, as a row of a unit of work. Raises NotFound (``repository_not_found``)."""
        path = f"{self.namespace}/{self.name}"
        return get_mirror_or_local(work, actor=current_actor(), kind=self.kind.name, path=path, hub=dialect())

    def look(self) -> Shown:
        """The repository, for telling of it and of its files, in a fraction of the time. Raises as ``load``."""
        path = f"{self.namespace}/{self.name}"
        with reading(current_context()) as work:
            return show_mirror_or_local(work, actor=current_actor(), kind=self.kind.name, path=path, hub=dialect())

    def get(self) -> Repository:
        """The repository, for reading. Raises as ``load``."""
        with reading(current_context()) as work:
            return self.load(work)


class CompatBlueprint(ApiBlueprint):
    """A blueprint whose views are given the ``Place`` of a repository, and whose errors are in the hub's dialect."""

    renderer = staticmethod(render_hub_error)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.url_value_preprocessor(_drop_prefix)

    def at(self, *suffixes: str, method: str = "GET") -> Callable[[View], View]:
        """Serve a view below every repository of the API: ``/api/<kind>/<namespace>/<name>`` and a suffix."""
        return self._serve([f"/api/<collection:kind>/<namespace>/<name>{suffix}" for suffix in suffixes], method)

    def at_file(self, suffix: str) -> Callable[[View], View]:
        """Serve a view below every repository's own address; a model's needs no word for its kind."""
        places = ("/<namespace>/<name>", "/<collection:kind>/<namespace>/<name>")
        return self._serve([place + suffix for place in (*places, f"/api{places[1]}")], "GET")

    def _serve(self, rules: list[str], method: str) -> Callable[[View], View]:
        def register(view: View) -> View:
            @wraps(view)
            def serve(*args: Any, namespace: str, name: str, kind: RepositoryKind | None = None, **values: Any) -> Any:
                kind = kind or get_kind(current_context(), _MODEL)
                return view(*args, place=Place(kind, namespace, name), **values)

            for rule in rules:
                self.add_url_rule(rule, view.__name__, serve, methods=[method], strict_slashes=False)
            return view

        return register


def _drop_prefix(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Views are the same under every prefix."""
    if values is not None:
        values.pop("hub", None)


def prefix() -> str:
    """The prefix that the request came under: "csg", "hf" or "ms"; empty at the root."""
    first = request.path.split("/", 2)[1]
    return first if first in PREFIXES else ""


def dialect() -> str:
    """Whose clients the request is to be understood by: "csg", "hf" or "ms"; at the root as under /hf."""
    return prefix() or _AT_ROOT


def revision_and_path(context: Context, repository: Shown) -> tuple[str, str]:
    """The revision, and the path behind it, of an address ``…/<revision>/<path>``."""
    revision, path = split_revision(context, repository, words_from("revision"))
    return branch_meant(repository, revision), path


def revision_only(repository: Shown) -> str:
    """The revision of an address that ends with it."""
    return branch_meant(repository, "/".join(words_from("revision")))


def client_url(path: str = "") -> str:
    """An absolute address under the request's prefix, at the host by which the client reached us.

    Clients take addresses apart that they get, and refuse another host than their own.
    """
    base = f"{hub_url()}/{prefix()}".rstrip("/")
    return f"{base}/{path}" if path else base


def page_url(repository_id: str, kind: RepositoryKind) -> str:
    """The address of a repository's page; a model's has no word for its kind."""
    head = "" if kind.name == _MODEL else f"{kind.api_collection or kind.collection}/"
    return client_url(f"{head}{repository_id}")


def next_link(**changed: str) -> str:
    """The header that leads to the next page: this request's address with some of its query changed."""
    query = [(name, value) for name, value in request.args.items(multi=True) if name not in changed]
    return f'<{hub_url()}{raw_path()}?{urlencode([*query, *changed.items()])}>; rel="next"'
