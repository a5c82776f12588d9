"""What rooms above this floor add to the search: discussions, and whatever plugins have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hub.accounts.policy import Actor
from hub.base.context import Context, Key
from hub.base.paging import Page, PageArgs
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork


@dataclass(frozen=True)
class Wanted:
    """What is searched for, in lower case. words: all must be there. refused: none may be there.

    owners: names of users and organisations, of which one owns the repository; empty: anybody.
    """

    words: tuple[str, ...]
    refused: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hit:
    """One thing that was found. id: as its own routes name it. kind, path: of the repository it belongs to, or empty.

    number: within the repository, or 0. state: a word of its own, such as "open".
    """

    id: int
    title: str
    kind: str = ""
    path: str = ""
    number: int = 0
    state: str = ""
    author: str = ""
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Provider:
    """A type of things that can be searched, such as "discussions".

    find: gives what the actor may read, in a constant number of queries.
    """

    name: str
    title: str
    find: Callable[[UnitOfWork, Actor, Wanted, PageArgs], Page[Hit]]


PROVIDERS: Key[Registry[Provider]] = Key("repos.search_providers")


def add_provider(context: Context, provider: Provider, owner: str = "hub") -> None:
    """Let the search find more. Raises RegistryError when the name is taken."""
    context[PROVIDERS].add(provider.name, provider, owner=owner)
