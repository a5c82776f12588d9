"""Named contributions, collected at start and frozen before the first request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class RegistryError(Exception):
    """A registration that cannot stand: the start must fail, so this is no ``HubError``."""


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One contribution and who made it ("hub" or a plugin's name)."""

    name: str
    value: T
    owner: str


class Registry(Generic[T]):
    """A mapping of names to contributions in the order they came.

    It refuses a second contribution of one name, naming both owners, and any contribution once frozen. Registries
    are values of an application context, never module globals, so that two applications can live in one process.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._entries: dict[str, Entry[T]] = {}
        self._frozen = False

    def add(self, name: str, value: T, *, owner: str = "hub") -> None:
        """Add one contribution. Raises RegistryError when the name is taken or the registry is frozen."""
        if self._frozen:
            raise RegistryError(f"{self.title}: {owner} came with {name!r} after the start")
        if name in self._entries:
            first = self._entries[name].owner
            raise RegistryError(f"{self.title}: {name!r} of {owner} is already taken by {first}")
        self._entries[name] = Entry(name, value, owner)

    def discard(self, owner: str) -> None:
        """Take back all that an owner has added: what is left of a plugin whose installation failed half-way.

        Raises RegistryError once the registry is frozen.
        """
        if self._frozen:
            raise RegistryError(f"{self.title}: what {owner} has added cannot be taken back after the start")
        self._entries = {name: entry for name, entry in self._entries.items() if entry.owner != owner}

    def freeze(self) -> None:
        """Close the registry; done once, when every room and plugin is installed."""
        self._frozen = True

    def find(self, name: str) -> T | None:
        """The contribution of that name, or None."""
        entry = self._entries.get(name)
        return entry.value if entry else None

    def __getitem__(self, name: str) -> T:
        return self._entries[name].value

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> Iterator[T]:
        """The contributions in the order they came."""
        return (entry.value for entry in self._entries.values())

    def entries(self) -> Iterator[Entry[T]]:
        """The contributions with their owners, in the order they came."""
        return iter(self._entries.values())
