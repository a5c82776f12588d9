"""Flask routes below the addresses of repositories; apart from ``urls``, which the SSH server reads without Flask."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint

from hub.base.errors import NotFound
from hub.http.context import current_context
from hub.transport.urls import parse_address

View = TypeVar("View", bound=Callable[..., Any])


def repository_route(blueprint: Blueprint, suffix: str, *, methods: list[str]) -> Callable[[View], View]:
    """Serve a view below every address of a repository; it gets the parsed ``address`` as its first argument.

    suffix: what follows the address ("/info/refs"), with Flask's converters. Without a collection the address must
    end in ``.git``, but below a prefix (``hub``): ``/<namespace>/<name>/...`` belongs to the pages.
    """

    def register(view: View) -> View:
        @wraps(view)
        def serve(
            *, repository_name: str, repository_namespace: str, collection: str = "", hub: str = "", **values: Any
        ) -> Any:
            if not collection and not hub and not repository_name.endswith(".git"):
                raise NotFound("There is no such page.")
            path = "/".join(part for part in (collection, repository_namespace, repository_name) if part)
            return view(parse_address(current_context(), path), **values)

        place = "/<repository_namespace>/<repository_name>"
        blueprint.add_url_rule(f"/<collection>{place}{suffix}", view.__name__, serve, methods=methods)
        blueprint.add_url_rule(f"{place}{suffix}", view.__name__, serve, methods=methods)
        return view

    return register
