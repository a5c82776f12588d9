"""What the journeys share: repositories with a first push, and pkt-lines as a client writes them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import Checkout
from tests.support.git import GitUser
from tests.support.hub import Account, HubServer


@pytest.fixture(scope="module")
def account(single_hub: HubServer) -> Account:
    """One account for all tests of a file; each has repositories of its own."""
    return single_hub.new_account()


_numbers = itertools.count(1)


@pytest.fixture
def make_checkout(git_user: GitUser, tmp_path: Path) -> Callable[..., Checkout]:
    """``make_checkout(account, private=True)``: a fresh repository of the account and a clone of it."""

    def make(account: Account, name: str = "", **fields: Any) -> Checkout:
        number = next(_numbers)
        path = account.create_repository(name or f"thing{number}", **fields)
        work_tree = tmp_path / f"work{number}"
        git_user.clone(account.address(path), work_tree)
        return Checkout(account.hub, account, git_user, path, work_tree)

    return make


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout], account: Account, hub_server: HubServer) -> Checkout:
    """A public model repository on the shared hub, with a clone."""
    return make_checkout(account)


@pytest.fixture
def noise() -> Callable[[int], bytes]:
    """``noise(n)``: n bytes that no compression makes smaller, the same in every run."""
    generator = random.Random(20261123)
    return generator.randbytes
