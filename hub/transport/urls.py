"""The addresses of repositories, as Git, Git LFS and SSH spell them: one parser (``hub.repos.addresses`` writes them).

Source: CSGHub contract, section 6.1. ``/<collection>/<namespace>/<name>`` with or without ``.git`` names a repository
of any kind; ``/<namespace>/<name>.git`` a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.http.context import current_context
from hub.repos.kinds import find_kind

DEFAULT_KIND = "model"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class RepositoryAddress:
    """The kind and path that an address names; whether there is such a repository is another question."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


def parse_address(context: Context, path: str) -> RepositoryAddress:
    """What ``models/ada/bert.git``, ``/models/ada/bert`` or ``ada/bert.git`` names.

    One leading and one trailing slash are forgiven, as SSH clients send them.
    Raises NotFound (``repository_not_found``) for every other form.
    """
    parts = path.removeprefix("/").removesuffix("/").split("/")
    if len(parts) == 2:
        kind = DEFAULT_KIND
    elif len(parts) == 3 and (found := find_kind(context, parts[0])) is not None:
        kind = found.name
    else:
        raise NotFound("This is not the address of a repository.", code="repository_not_found")
    namespace, name = parts[-2], parts[-1].removesuffix(".git")
    if not namespace or not name:
        raise NotFound("This is not the address of a repository.", code="repository_not_found")
    return RepositoryAddress(kind, namespace, name)


def repository_route(blueprint: Blueprint, suffix: str, *, methods: list[str]) -> Callable[[View], View]:
    """Serve a view below every address of a repository; it gets the parsed ``address`` as its first argument.

    suffix: what follows the address ("/info/refs"), with Flask's converters. Without a collection the address must
    end in ``.git``: ``/<namespace>/<name>/...`` belongs to the pages.
    """

    def register(view: View) -> View:
        @wraps(view)
        def serve(*, repository_name: str, repository_namespace: str, collection: str = "", **values: Any) -> Any:
            if not collection and not repository_name.endswith(".git"):
                raise NotFound("There is no such page.")
            path = "/".join(part for part in (collection, repository_namespace, repository_name) if part)
            return view(parse_address(current_context(), path), **values)

        place = "/<repository_namespace>/<repository_name>"
        blueprint.add_url_rule(f"/<collection>{place}{suffix}", view.__name__, serve, methods=methods)
        blueprint.add_url_rule(f"{place}{suffix}", view.__name__, serve, methods=methods)
        return view

    return register
