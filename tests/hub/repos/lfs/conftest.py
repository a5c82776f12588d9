"""Repositories to put LFS objects into."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.repos.models import Repository
from tests.support.shelf import Shelf


@pytest.fixture
def make_shelf(
    context: Context, make_user: Callable[..., User], make_repository: Callable[..., Repository]
) -> Callable[..., Shelf]:
    """``make_shelf("ada", private=True)``: a repository of a new user."""

    def make(owner: str = "ada", *, private: bool = True) -> Shelf:
        user = make_user(owner)
        return Shelf(context, Actor.of_user(user, via="session"), make_repository(user, "thing", private=private))

    return make


@pytest.fixture
def shelf(make_shelf: Callable[..., Shelf]) -> Shelf:
    """A private repository without objects."""
    return make_shelf()
