"""The addresses by which Git clients reach a repository. Source: CSGHub contract, section 6.1."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.settings import Settings
from hub.repos.kinds import get_kind
from hub.repos.rows import Shown

_SSH_DEFAULT_PORT = 22


def address_path(context: Context, repository: Shown) -> str:
    """``models/ada/bert.git``: the canonical path of a repository's Git address, without a leading slash."""
    return f"{get_kind(context, repository.kind).collection}/{repository.path}.git"


def http_clone_url(context: Context, repository: Shown) -> str:
    """The address for ``git clone`` over HTTP."""
    return f"{context.settings.effective_base_url}/{address_path(context, repository)}"


class CloneAddresses:
    """The addresses for ``git clone`` of many repositories: what all of them begin with is put together once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._collections: dict[str, str] = {}
        self._http_base = f"{context.settings.effective_base_url}/"
        self._ssh_base = _ssh_base(context.settings)

    def of(self, repository: Shown) -> tuple[str, str]:
        """The one over HTTP and the one over SSH, which is in the short form when the port is SSH's own."""
        collection = self._collections.get(repository.kind)
        if collection is None:
            collection = self._collections[repository.kind] = get_kind(self._context, repository.kind).collection
        path = f"{collection}/{repository.path}.git"
        return self._http_base + path, self._ssh_base + path


def _ssh_base(settings: Settings) -> str:
    host = settings.effective_ssh_host
    if settings.ssh_port in (0, _SSH_DEFAULT_PORT):
        return f"git@{host}:"
    return f"ssh://git@{host}:{settings.ssh_port}/"
