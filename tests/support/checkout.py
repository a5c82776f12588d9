"""A repository on a hub together with a clone of it: what most journeys begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.git import GitUser
from tests.support.hub import Account, HubServer


@dataclass(frozen=True)
class Checkout:
    """A repository on the hub, its owner, and a work tree of it."""

    hub: HubServer
    account: Account
    user: GitUser
    path: str
    work_tree: Path

    @property
    def url(self) -> str:
        """The address without a credential."""
        return f"{self.hub.url}/{self.path}.git"

    @property
    def address(self) -> str:
        """The address with the owner's credential."""
        return self.account.address(self.path)

    def remote_refs(self) -> dict[str, str]:
        """What the hub says its refs are."""
        lines = self.user.git("ls-remote", self.address).output.splitlines()
        return {ref: oid for oid, ref in (line.split("\t") for line in lines)}
