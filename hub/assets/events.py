"""What the room tells the others, always after the commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CollectionCreated:
    """Somebody made a collection."""

    collection_id: int
    actor_id: int | None


@dataclass(frozen=True)
class CollectionUpdated:
    """Its texts, its visibility or what is in it changed."""

    collection_id: int
    actor_id: int | None


@dataclass(frozen=True)
class CollectionDeleted:
    """It is about to be gone; its row is still there for those who record the event."""

    collection_id: int
    actor_id: int | None


@dataclass(frozen=True)
class RunFinished:
    """A run is over: it succeeded, failed or was cancelled."""

    run_id: int
    actor_id: int | None
