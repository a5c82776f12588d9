"""What the journeys share: repositories with a first push, and pkt-lines as a client writes them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def make_checkout(git_user: GitUser, tmp_path: Path) -> Callable[..., Checkout]:
    """``make_checkout(account, private=True)``: a fresh repository of the account and a clone of it."""
    count = 0

    def make(account: Account, name: str = "", **fields: Any) -> Checkout:
        nonlocal count
        count += 1
        path = account.create_repository(name or f"thing{count}", **fields)
        work_tree = tmp_path / f"work{count}"
        git_user.clone(account.address(path), work_tree)
        return Checkout(account.hub, account, git_user, path, work_tree)

    return make


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout], account: Account) -> Checkout:
    """A public model repository on the shared hub, with a clone."""
    return make_checkout(account)


@pytest.fixture
def noise() -> Callable[[int], bytes]:
    """``noise(n)``: n bytes that no compression makes smaller, the same in every run."""
    generator = random.Random(20261123)
    return generator.randbytes
