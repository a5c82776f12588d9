"""Events: frozen dataclasses in the past tense, told after the commit, unable to refuse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hub.base.log import get_logger
from hub.base.registry import RegistryError

log = get_logger(__name__)


class CommitHook(Protocol):
    """The part of a unit of work that events need."""

    @property
    def events(self) -> EventBus: ...

    def after_commit(self, callback: Callable[[], None]) -> None: ...


class EventBus:
    """Who listens to which event class. Listeners are held strongly and guarded one by one."""

    def __init__(self) -> None:
        self._recorders: list[tuple[str, Callable[[Any, Sequence[object]], None]]] = []
        self._listeners: dict[type, list[tuple[str, Callable[[Any], None]]]] = defaultdict(list)
        self._is_frozen = False

    def subscribe(self, event_class: type, listener: Callable[[Any], None], *, owner: str = "hub") -> None:
        """Call ``listener(event)`` after each commit that published an event of this very class.

        Raises RegistryError once the bus is frozen.
        """
        if self._is_frozen:
            raise RegistryError(f"events: {owner} came with a listener to {event_class.__name__} after the start")
        self._listeners[event_class].append((owner, listener))

    def record_with(self, recorder: Callable[[Any, object], None], *, owner: str = "hub") -> None:
        """Call ``recorder(work, event)`` for each event when it is published, inside its transaction.

        For what must not be lost when the process dies right after the commit: the recorder writes rows, and nothing
        else. What it raises undoes the transaction. Raises RegistryError once the bus is frozen.
        """

        def record_each(work: Any, events: Sequence[object]) -> None:
            for event in events:
                recorder(work, event)

        self.record_all_with(record_each, owner=owner)

    def record_all_with(self, recorder: Callable[[Any, Sequence[object]], None], *, owner: str = "hub") -> None:
        """As ``record_with``, for one who is better told at once of all events that are published together."""
        if self._is_frozen:
            raise RegistryError(f"events: {owner} came with a recorder after the start")
        self._recorders.append((owner, recorder))

    def record(self, work: CommitHook, events: Sequence[object]) -> None:
        """Let every recorder write down events that are being published."""
        for _owner, recorder in self._recorders:
            recorder(work, events)

    def discard(self, owner: str) -> None:
        """Forget the listeners and recorders of an owner: of a plugin whose installation failed half-way."""
        self._recorders[:] = [(other, recorder) for other, recorder in self._recorders if other != owner]
        for listeners in self._listeners.values():
            listeners[:] = [(other, listener) for other, listener in listeners if other != owner]

    def freeze(self) -> None:
        """Take no more listeners; done once, when every room and plugin is installed."""
        self._is_frozen = True

    def deliver(self, event: object) -> None:
        """Tell every listener; one listener's failure is logged and does not reach the next."""
        for owner, listener in self._listeners[type(event)]:
            try:
                listener(event)
            except Exception:
                log.exception(
                    "event_listener_failed", event_name=type(event).__name__, owner=owner, listener=repr(listener)
                )


def publish(work: CommitHook, *events: object) -> None:
    """Hand events to the unit of work: recorded in it, delivered after its commit and dropped on rollback.

    Many at once cost less than one after the other.
    """
    if not events:
        return
    work.events.record(work, events)

    def deliver() -> None:
        for event in events:
            work.events.deliver(event)

    work.after_commit(deliver)
