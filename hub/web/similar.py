"""What may have been meant by an address that leads nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from hub.accounts.policy import Actor
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork, reading
from hub.http.context import current_context
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.service import list_repositories
from hub.web.pages import find_viewer
from hub.web.routing import repository_url

MOST = 5
# Of one namespace so many names are compared.
_COMPARED = 100
_LIKENESS = 0.6
_MAX_NAME_CHARS = 100


@dataclass(frozen=True)
class Similar:
    """A repository that the viewer may see, whose name is like the one that was asked for."""

    path: str
    url: str


def find_similar(address: str) -> list[Similar]:
    """Repositories whose path is like the address's. At most six queries, and none for what is no repository's."""
    kinds = list(current_context()[KINDS].values())
    for kind in kinds:
        beginning = f"/{kind.page_path}/"
        if address.startswith(beginning):
            namespace, _, rest = address.removeprefix(beginning).partition("/")
            name = rest.partition("/")[0]
            if not name or len(name) > _MAX_NAME_CHARS:
                return []
            with reading(current_context()) as work:
                paths = _find(work, find_viewer(), kind, namespace, name)
            return [Similar(path, repository_url(current_context(), kind.name, path)) for path in paths]
    return []


def _find(work: UnitOfWork, viewer: Actor, kind: RepositoryKind, namespace: str, name: str) -> list[str]:
    beside = list_repositories(
        work, actor=viewer, kind=kind.name, namespace=namespace, page=PageArgs(per=_COMPARED)
    ).items
    by_name = {row.name.lower(): row.path for row in beside}
    near = get_close_matches(name.lower(), by_name, n=MOST, cutoff=_LIKENESS)
    if near:
        return [by_name[key] for key in near]
    try:
        found = list_repositories(work, actor=viewer, kind=kind.name, search=name, page=PageArgs(per=MOST)).items
    except Invalid:
        return []
    return [row.path for row in found]
