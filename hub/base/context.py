"""The application context: what the rooms of one running hub share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hub.base.clock import Clock, SystemClock
from hub.base.events import EventBus
from hub.base.registry import Registry
from hub.base.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Key(Generic[T]):
    """The typed name under which a room keeps its shared value in the context."""

    name: str


@dataclass
class Context:
    """Settings, clock, events, and one value for each room that needs to share one.

    Built once by ``hub.app.build_context``. A room declares ``STORE: Key[ObjectStore] = Key("objects.store")``;
    the application provides the value; everybody above reads ``context[STORE]`` and gets the right type.
    """

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    events: EventBus = field(default_factory=EventBus)
    _values: dict[str, Any] = field(default_factory=dict)

    def provide(self, key: Key[T], value: T) -> T:
        """Place a room's shared value; a second one under the same key is a programming error."""
        if key.name in self._values:
            raise RuntimeError(f"context value {key.name!r} is already provided")
        self._values[key.name] = value
        return value

    def __getitem__(self, key: Key[T]) -> T:
        value: T = self._values[key.name]
        return value

    def __contains__(self, key: Key[Any]) -> bool:
        return key.name in self._values

    def registries(self) -> list[Registry[Any]]:
        """Every registry that a room has provided."""
        return [value for value in self._values.values() if isinstance(value, Registry)]
