"""The addresses of repositories, as Git, Git LFS and SSH spell them: one parser (``hub.repos.addresses`` writes them).

Source: CSGHub contract, section 6.1. ``/<collection>/<namespace>/<name>`` with or without ``.git`` names a repository
of any kind; ``/<namespace>/<name>.git`` a model.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.repos.kinds import find_kind

DEFAULT_KIND = "model"


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
