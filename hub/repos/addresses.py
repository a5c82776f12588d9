"""The addresses by which Git clients reach a repository. Source: CSGHub contract, section 6.1."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.settings import Settings
from hub.repos.kinds import get_kind
from hub.repos.models import Repository

_SSH_DEFAULT_PORT = 22


def address_path(context: Context, repository: Repository) -> str:
    """``models/ada/bert.git``: the canonical path of a repository's Git address, without a leading slash."""
    return f"{get_kind(context, repository.kind).collection}/{repository.path}.git"


def http_clone_url(context: Context, repository: Repository) -> str:
    """The address for ``git clone`` over HTTP."""
    return f"{context.settings.effective_base_url}/{address_path(context, repository)}"


def ssh_clone_url(context: Context, repository: Repository) -> str:
    """The address for ``git clone`` over SSH: the short form when the port is SSH's own."""
    return f"{_ssh_base(context.settings)}{address_path(context, repository)}"


def _ssh_base(settings: Settings) -> str:
    host = settings.effective_ssh_host
    if settings.ssh_port in (0, _SSH_DEFAULT_PORT):
        return f"git@{host}:"
    return f"ssh://git@{host}:{settings.ssh_port}/"
