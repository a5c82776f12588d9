"""The addresses of a repository's pages: a converter for the kind, and the writing of links."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from werkzeug.routing import BaseConverter, Map

from hub.base.context import Context
from hub.base.names import RESERVED_NAMESPACES
from hub.repos.kinds import KINDS, RepositoryKind, get_kind

# Below a kind's pages: ``/models/ada/bert``.
KIND = "/<pages:kind>"
REPOSITORY = f"{KIND}/<namespace>/<name>"


class OwnerConverter(BaseConverter):
    """The name of a namespace where it stands first in an address: no word that begins other addresses ("api")."""

    regex = f"(?!(?i:{'|'.join(sorted(map(re.escape, RESERVED_NAMESPACES)))})(?:/|$))[^/]+"


class PagesConverter(BaseConverter):
    """The beginning of a page's address that names a kind of asset ("models", "mcp/servers")."""

    context: Context
    part_isolating = False

    def __init__(self, map: Map) -> None:
        super().__init__(map)
        self.kinds = {kind.page_path: kind for kind in self.context[KINDS].values()}
        self.regex = f"(?:{'|'.join(re.escape(path) for path in self.kinds)})"

    def to_python(self, value: str) -> RepositoryKind:
        return self.kinds[value]

    def to_url(self, value: RepositoryKind | str) -> str:
        # Items of the navigation name it by its path.
        return value if isinstance(value, str) else value.page_path


class ApartPagesConverter(PagesConverter):
    """As that, of the kinds alone whose pages do not lie below a word that the other doors know them by."""

    def __init__(self, map: Map) -> None:
        super().__init__(map)
        paths = [path for path, kind in self.kinds.items() if path not in kind.segments]
        self.regex = f"(?:{'|'.join(re.escape(path) for path in paths) or '(?!)'})"


def apart_pages_converter(context: Context) -> type[PagesConverter]:
    """The converter class ``ApartPagesConverter`` for the kinds that this hub knows."""
    return type("ApartPagesConverter", (ApartPagesConverter,), {"context": context})


def pages_converter(context: Context) -> type[PagesConverter]:
    """The converter class for the kinds that this hub knows."""
    return type("PagesConverter", (PagesConverter,), {"context": context})


# A page has dozens of addresses, made of few words.
_MAX_KEPT = 5_000
_quote = lru_cache(maxsize=_MAX_KEPT)(quote)


def quote_revision(revision: str) -> str:
    """A revision as one segment of an address: its slashes are percent-encoded."""
    return _quote(revision, safe="")


def repository_url(context: Context, kind: str, path: str, /, *rest: str, revision: str = "", **query: Any) -> str:
    """The address of a repository's page.

    path: ``namespace/name``. rest: what follows, a page's name and a file's path (``"blob", "a/b.txt"``); revision
    stands between the two. query: what is None or "" is left out.
    """
    parts = [get_kind(context, kind).page_path, _quote(path)]
    if rest:
        page, *paths = rest
        parts += [page, *([quote_revision(revision)] if revision else []), *(_quote(path) for path in paths if path)]
    address = f"/{'/'.join(parts)}"
    told = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{address}?{urlencode(told, doseq=True)}" if told else address
